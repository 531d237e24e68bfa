// Where the bytes of a datatype are: an MPI datatype as runs of bytes, in the order of its type map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backends/element.hpp"

namespace psnam::backends {

/// `count` blocks of `length` bytes, `stride` bytes apart, the first one `offset` bytes from the buffer's address.
struct Run {
  std::ptrdiff_t offset = 0;
  std::size_t length = 0;
  std::ptrdiff_t stride = 0;
  std::size_t count = 1;
  bool operator==(const Run&) const = default;
};

/// One element of a datatype. Element i of a buffer lies `i * extent` bytes further.
struct Layout {
  std::size_t size = 0;        ///< bytes of data
  std::ptrdiff_t extent = 0;   ///< bytes from one element to the next
  std::ptrdiff_t true_lb = 0;  ///< first byte of data
  std::ptrdiff_t true_ub = 0;  ///< one past the last byte of data
  bool contiguous = false;     ///< n elements are n * size bytes without a gap, beginning at offset true_lb
  std::vector<Run> runs;       ///< neighbouring blocks merged; empty for size 0
  Element element{};           ///< the predefined type that all data is built of; of kind none for size 0
};

/// Whether `count` elements are one block of bytes, in type-map order, from true_lb on.
[[nodiscard]] inline bool is_one_block(const Layout& layout, std::int64_t count) noexcept {
  return layout.contiguous || (count == 1 && layout.runs.size() == 1 && layout.runs[0].count == 1);
}

}  // namespace psnam::backends
