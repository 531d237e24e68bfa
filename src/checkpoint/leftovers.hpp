// What series leave behind that are no more: a job of another number of ranks took their place, on nodes that this job
// did not have, or was killed before it could.
#pragma once

#include <span>

#include "format/catalog.hpp"
#include "nam/service.hpp"

namespace psnam::checkpoint {

/// The copies in this node's store, and the parity on the NAM, of all series of the family of `series` but those that
/// are named. What cannot be removed is told by a warning.
void remove_other_copies(nam::Service& store, const format::Uuid& series, std::span<const format::Uuid> keep);
void remove_other_areas(nam::Service& nam, const format::Uuid& series, std::span<const format::Uuid> keep);

}  // namespace psnam::checkpoint
