#include "win/seat.hpp"

#include <array>

namespace psnam::win {
namespace {

struct Ids {
  std::uint64_t window = 0;
  std::uint64_t use = 0;
};
/// A process has at most two seats: that of its node, and that of the manager.
using BothIds = std::array<Ids, 2>;

}  // namespace

Status learn_ids(sync::CommTeam& team, const Job& job, std::span<const std::uint32_t> places, int ranks,
                 std::span<Seat> seats) {
  BothIds mine{};
  const auto index = [&](const Seat& seat) { return job.is_manager(places[seat.node]) ? 1U : 0U; };
  for (const Seat& seat : seats) mine[index(seat)] = {seat.window_id, seat.use_id};
  std::vector<BothIds> all(static_cast<std::size_t>(ranks));
  PSNAM_CHECK(team.gather_bytes(&mine, sizeof mine, all.data()));
  for (Seat& seat : seats) {
    const Ids& ids = all[job.leader(places[seat.node])][index(seat)];
    seat.window_id = ids.window;
    seat.use_id = ids.use;
  }
  return {};
}

Status close_uses(std::span<const Seat> seats) {
  Status first;
  for (const Seat& seat : seats) {
    if (!seat.speaks || seat.use_id == 0) continue;
    Status closed = seat.service->close(seat.use_id);
    if (!closed && first) first = std::move(closed);
  }
  return first;
}

}  // namespace psnam::win
