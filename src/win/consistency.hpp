// Making a window persistent or volatile on all nodes that hold a part of it, so that whoever dies in between leaves
// either the whole window or none.
//
// One node: one catalog transaction. Several: the home node (the first of the record) decides. To become persistent,
// the others first keep their part "in doubt", then the home node commits, then the others settle; without the home
// node's record a part in doubt leads nowhere. To become volatile, the home node goes first.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.hpp"
#include "sync/team.hpp"
#include "win/seat.hpp"

namespace psnam::win {

/// Collective over the team; `nodes` is their number in the record, `seats` are those of the calling process. The same
/// result on every process.
[[nodiscard]] Status change_consistency(sync::Team& team, std::span<const Seat> seats, std::size_t nodes,
                                        format::Consistency consistency);

}  // namespace psnam::win
