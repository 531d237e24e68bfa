// What one process that works alone needs of a stripe: which bytes of a member are in it, and a place for the sums.
#pragma once

#include <algorithm>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "format/parity_page.hpp"
#include "parity/source.hpp"

namespace psnam::parity {

/// The part of a block that a member of `size` bytes has; none beyond its end.
[[nodiscard]] inline Extent extent_of(const format::ParityShape& shape, std::uint32_t member, std::uint64_t block,
                                      std::uint64_t size) noexcept {
  const std::uint64_t offset = block * shape.block_bytes;
  if (offset >= size) return {member, offset, 0};
  return {member, offset, static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, shape.block_bytes))};
}

/// As many blocks as there are parities, for the sums of one stripe.
class WorkingStripe {
 public:
  explicit WorkingStripe(const format::ParityShape& shape)
      : bytes_{static_cast<std::byte*>(
            ::operator new[](std::size_t{shape.parities} * shape.block_bytes, std::align_val_t{4096}))} {
    for (std::uint32_t output = 0; output < shape.parities; ++output)
      blocks_.push_back(bytes_.get() + std::size_t{output} * shape.block_bytes);
  }
  [[nodiscard]] std::span<std::byte* const> blocks() const noexcept { return blocks_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete[](bytes, std::align_val_t{4096}); }
  };
  std::unique_ptr<std::byte[], Free> bytes_;
  std::vector<std::byte*> blocks_;
};

}  // namespace psnam::parity
