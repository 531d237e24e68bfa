#include "win/consistency.hpp"

#include "base/log.hpp"

namespace psnam::win {
namespace {

constexpr std::uint32_t kHome = 0;

enum class Part { home, others };

/// One step, made by one part of the nodes, agreed by all processes.
Status step(sync::Team& team, std::span<const Seat> seats, Part part, format::Consistency consistency, bool in_doubt) {
  Status done;
  for (const Seat& seat : seats)
    if (done && seat.speaks && (seat.node == kHome) == (part == Part::home))
      done = seat.service->set_consistency(seat.window_id, consistency, in_doubt).status();
  return team.agree(std::move(done));
}

}  // namespace

Status change_consistency(sync::Team& team, std::span<const Seat> seats, std::size_t nodes,
                          format::Consistency consistency) {
  if (nodes == 1) return step(team, seats, Part::home, consistency, false);
  if (consistency == format::Consistency::persistent) {
    Status kept = step(team, seats, Part::others, consistency, true);
    if (kept) kept = step(team, seats, Part::home, consistency, false);
    if (!kept) {
      // Back to volatile: it goes with the use. The first error is the one to tell; should this fail too, the part
      // stays in doubt.
      if (const Status undone = step(team, seats, Part::others, format::Consistency::volatile_, false); !undone)
        log::warn("a part of the window stays in doubt: {}", undone.error().message);
      return kept;
    }
    return step(team, seats, Part::others, consistency, false);
  }
  PSNAM_CHECK(step(team, seats, Part::home, consistency, false));
  Status removed = step(team, seats, Part::others, consistency, false);
  if (removed) return removed;
  // A part that has segments in it cannot go, and the window stays as it was, as a whole.
  Status undone = step(team, seats, Part::home, format::Consistency::persistent, false);
  if (undone) undone = step(team, seats, Part::others, format::Consistency::persistent, false);
  if (!undone) log::warn("a part of the window has become volatile: {}", undone.error().message);
  return removed;
}

}  // namespace psnam::win
