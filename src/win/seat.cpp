#include "win/seat.hpp"

#include <vector>

namespace psnam::win {
namespace {

struct Ids {
  std::uint64_t window = 0;
  std::uint64_t use = 0;
};

}  // namespace

Status learn_ids(sync::CommTeam& team, const Job& job, std::span<const std::uint32_t> places, int ranks,
                 std::span<Seat> seats) {
  // A process has at most one seat at a node; all have one at each NAM.
  const auto index = [&](const Seat& seat) {
    const std::uint32_t place = places[seat.node];
    return job.is_nam(place) ? 1 + place - job.nodes() : 0;
  };
  const std::size_t width = 1 + job.nams();
  std::vector<Ids> mine(width);
  for (const Seat& seat : seats) mine[index(seat)] = {seat.window_id, seat.use_id};
  std::vector<Ids> all(width * static_cast<std::size_t>(ranks));
  PSNAM_CHECK(team.gather_bytes(mine.data(), width * sizeof(Ids), all.data()));
  for (Seat& seat : seats) {
    const Ids& ids = all[width * job.leader(places[seat.node]) + index(seat)];
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
