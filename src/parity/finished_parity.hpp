// The end of a stripe: its parity goes from a working place to the slot.
#pragma once

#include <span>

#include "parity/area.hpp"

namespace psnam::parity {

/// Writes the checksums and the blocks, past the caches: nobody reads them soon.
void store_parity(const Area& area, std::size_t slot, std::uint64_t block, std::span<std::byte* const> parities);

}  // namespace psnam::parity
