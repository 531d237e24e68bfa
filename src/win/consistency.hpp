// Making a window persistent or volatile on all nodes that hold a part of it, so that whoever dies in between leaves
// either the whole window or none.
//
// One node: one catalog transaction. Several: the home node (the first of the record) decides. To become persistent,
// the others first keep their part "in doubt", then the home node commits, then the others settle; without the home
// node's record a part in doubt leads nowhere. To become volatile, the home node goes first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.hpp"
#include "nam/service.hpp"
#include "sync/team.hpp"

namespace psnam::win {

/// Where a process sits at the change.
struct CatalogSeat {
  nam::WindowService& service;
  std::uint64_t window_id;
  std::uint32_t node;  ///< its node in the record
  bool speaks;         ///< it speaks to the catalog for its node
  std::size_t nodes;   ///< in the record
};

/// Collective over the team. The same result on every process.
[[nodiscard]] Status change_consistency(sync::Team& team, const CatalogSeat& seat, format::Consistency consistency);

}  // namespace psnam::win
