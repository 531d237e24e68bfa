#include "parity/finished_parity.hpp"

#include "backends/copy.hpp"

namespace psnam::parity {

void store_parity(const Area& area, std::size_t slot, std::uint64_t block, std::span<std::byte* const> parities) {
  const std::size_t bytes = area.shape().block_bytes;
  for (std::uint32_t parity = 0; parity < area.shape().parities; ++parity) {
    area.checksums(slot, area.shape().members + parity)[block] = checksum({parities[parity], bytes});
    backends::detail::copy_streaming(area.parity_block(slot, parity, block), parities[parity], bytes);
  }
}

}  // namespace psnam::parity
