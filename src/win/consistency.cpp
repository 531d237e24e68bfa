#include "win/consistency.hpp"

#include "base/log.hpp"

namespace psnam::win {
namespace {

constexpr std::uint32_t kHome = 0;

enum class Part { home, others };

/// One step, made by one part of the nodes, agreed by all processes.
Status step(sync::Team& team, const CatalogSeat& seat, Part part, format::Consistency consistency, bool in_doubt) {
  const bool ours = seat.speaks && (seat.node == kHome) == (part == Part::home);
  Status done;
  if (ours) done = seat.service.set_consistency(seat.window_id, consistency, in_doubt).status();
  return team.agree(std::move(done));
}

}  // namespace

Status change_consistency(sync::Team& team, const CatalogSeat& seat, format::Consistency consistency) {
  if (seat.nodes == 1) return step(team, seat, Part::home, consistency, false);
  if (consistency == format::Consistency::persistent) {
    Status kept = step(team, seat, Part::others, consistency, true);
    if (kept) kept = step(team, seat, Part::home, consistency, false);
    if (!kept) {
      // Back to volatile: it goes with the use. The first error is the one to tell; should this fail too, the part
      // stays in doubt.
      if (const Status undone = step(team, seat, Part::others, format::Consistency::volatile_, false); !undone)
        log::warn("a part of the window stays in doubt: {}", undone.error().message);
      return kept;
    }
    return step(team, seat, Part::others, consistency, false);
  }
  PSNAM_CHECK(step(team, seat, Part::home, consistency, false));
  Status removed = step(team, seat, Part::others, consistency, false);
  if (removed) return removed;
  // A part that has segments in it cannot go, and the window stays as it was, as a whole.
  Status undone = step(team, seat, Part::home, format::Consistency::persistent, false);
  if (undone) undone = step(team, seat, Part::others, format::Consistency::persistent, false);
  if (!undone) log::warn("a part of the window has become volatile: {}", undone.error().message);
  return removed;
}

}  // namespace psnam::win
