// The end of a stripe: its parity goes from where it was summed up to the slot.
#pragma once

#include <array>
#include <span>

#include "parity/area.hpp"
#include "parity/block_pass.hpp"

namespace psnam::parity {

/// Where the parities of one stripe belong. places() for the pass that completes them, then keep_checksums().
class StoredParity {
 public:
  StoredParity(const Area& area, std::size_t slot, std::uint64_t block) noexcept
      : area_{area}, slot_{slot}, block_{block} {
    for (std::uint32_t parity = 0; parity < area.shape().parities; ++parity)
      places_[parity].to = area.parity_block(slot, parity, block);
  }

  [[nodiscard]] std::span<Finished> places() noexcept { return {places_.data(), area_.shape().parities}; }
  void keep_checksums() const noexcept {
    for (std::uint32_t parity = 0; parity < area_.shape().parities; ++parity)
      area_.checksums(slot_, area_.shape().members + parity)[block_] = places_[parity].checksum;
  }

 private:
  const Area& area_;
  std::size_t slot_;
  std::uint64_t block_;
  std::array<Finished, format::kParityMaxPieces> places_{};
};

}  // namespace psnam::parity
