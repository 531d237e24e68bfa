// Moving data between two buffers of any layouts, and the checks that come before it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/copy.hpp"
#include "backends/layout.hpp"
#include "base/result.hpp"

namespace psnam::backends {

/// `count` elements of `layout` at `address`, which may be null with a layout of absolute offsets (MPI_BOTTOM).
struct Side {
  std::byte* address = nullptr;
  std::uint64_t count = 0;
  const Layout* layout = nullptr;
};

/// Copies the bytes of `from` to those of `to`, in type-map order. Both hold the same number of bytes and do not
/// overlap; `from` is only read. Allocates nothing. Bytes that a type names twice are written twice, the last one
/// stays. Every element of 1, 2, 4, 8 bytes that is a block of its own on both sides is moved by one instruction.
void transfer(const Side& to, const Side& from, NextReader reader = NextReader::another_process) noexcept;

/// The bytes of `count` elements; Code::count when `count` is negative or the bytes do not fit in 63 bits.
[[nodiscard]] Result<std::uint64_t> total_bytes(std::int64_t count, const Layout& layout);

/// The bytes that both sides hold; Code::count as above, Code::datatype when they differ.
[[nodiscard]] Result<std::uint64_t> matching_bytes(std::int64_t origin_count, const Layout& origin,
                                                   std::int64_t target_count, const Layout& target);

/// Whether `count` elements of `layout`, `disp_bytes` from the beginning of a region of `region_bytes`, lie in that
/// region: Code::range when not, Code::count for a negative count. An access of no bytes is always inside. Never
/// overflows.
[[nodiscard]] Status check_bounds(std::int64_t disp_bytes, std::int64_t count, const Layout& layout,
                                  std::uint64_t region_bytes);

}  // namespace psnam::backends
