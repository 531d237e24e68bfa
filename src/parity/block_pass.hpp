// The one time that a block is read: its checksum, what it gives to the parities, and its copy, a piece at a time while
// the piece is in the first cache and the next ones are on their way from memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parity/code.hpp"

namespace psnam::parity {

/// Where a sum goes when it is complete.
struct Finished {
  std::byte* to = nullptr;     ///< null: it stays where it is
  std::uint32_t checksum = 0;  ///< filled in
};

struct BlockUse {
  const Factors* factors = nullptr;  ///< null: nothing is added to anything
  std::uint32_t input = 0;           ///< which one of the factors' inputs the block is
  std::span<std::byte* const> outputs{};
  std::size_t output_bytes = 0;    ///< a block that is shorter counts as zeros beyond its end
  bool assign = false;             ///< the outputs are what the block gives, whatever they were
  std::span<Finished> finished{};  ///< empty, or one for each output: the block is the last that is added
  std::byte* copy_to = nullptr;
  std::span<const std::byte> next{};  ///< what is probably read after the block: its beginning is asked for
};

/// The checksum of the block. Copies and finished sums are written past the caches.
[[nodiscard]] std::uint32_t pass_over(std::span<const std::byte> block, BlockUse use) noexcept;

}  // namespace psnam::parity
