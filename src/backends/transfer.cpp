#include "backends/transfer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "backends/cursor.hpp"

namespace psnam::backends {
namespace {

// Addresses are numbers until a byte is touched: an MPI_BOTTOM buffer has no object that pointer arithmetic could stay
// in.
std::byte* writable(std::uintptr_t address) noexcept { return reinterpret_cast<std::byte*>(address); }
const std::byte* readable(std::uintptr_t address) noexcept { return reinterpret_cast<const std::byte*>(address); }

/// `n` blocks, `to_stride` apart there and `from_stride` apart here.
struct Blocks {
  std::uintptr_t to;
  std::uintptr_t to_stride;
  std::uintptr_t from;
  std::uintptr_t from_stride;
  std::size_t n;
};

template <std::size_t kBytes>
void copy_fixed_blocks(Blocks blocks) noexcept {
  for (; blocks.n != 0; --blocks.n) {
    detail::copy_fixed<kBytes>(writable(blocks.to), readable(blocks.from));
    blocks.to += blocks.to_stride;
    blocks.from += blocks.from_stride;
  }
}

void copy_blocks(Blocks blocks, std::size_t length, NextReader reader) noexcept {
  switch (length) {
    case 1:
      return copy_fixed_blocks<1>(blocks);
    case 2:
      return copy_fixed_blocks<2>(blocks);
    case 4:
      return copy_fixed_blocks<4>(blocks);
    case 8:
      return copy_fixed_blocks<8>(blocks);
    case 16:
      return copy_fixed_blocks<16>(blocks);
    default:
      break;
  }
  for (; blocks.n != 0; --blocks.n) {
    copy_bytes(writable(blocks.to), readable(blocks.from), length, reader);
    blocks.to += blocks.to_stride;
    blocks.from += blocks.from_stride;
  }
}

std::uintptr_t number_of(const std::byte* address) noexcept { return reinterpret_cast<std::uintptr_t>(address); }

// One step: as many whole blocks as both sides can go without a change of rhythm, where a side inside a long block
// counts as neighbouring blocks of the other's length; else the rest of the shorter block. Returns the bytes moved.
std::size_t step(Cursor& to, Cursor& from, NextReader reader) noexcept {
  if (to.at_block_start() && from.at_block_start() && to.length() == from.length()) {
    const std::size_t n = std::min(to.blocks(), from.blocks()), length = to.length();
    copy_blocks({to.address(), to.stride(), from.address(), from.stride(), n}, length, reader);
    to.skip_blocks(n);
    from.skip_blocks(n);
    return n * length;
  }
  if (from.at_block_start() && to.left() >= from.length()) {
    const std::size_t length = from.length(), n = std::min(to.left() / length, from.blocks());
    copy_blocks({to.address(), length, from.address(), from.stride(), n}, length, reader);
    to.skip_bytes(n * length);
    from.skip_blocks(n);
    return n * length;
  }
  if (to.at_block_start() && from.left() >= to.length()) {
    const std::size_t length = to.length(), n = std::min(from.left() / length, to.blocks());
    copy_blocks({to.address(), to.stride(), from.address(), length, n}, length, reader);
    to.skip_blocks(n);
    from.skip_bytes(n * length);
    return n * length;
  }
  const std::size_t bytes = std::min(to.left(), from.left());
  copy_bytes(writable(to.address()), readable(from.address()), bytes, reader);
  to.skip_bytes(bytes);
  from.skip_bytes(bytes);
  return bytes;
}

}  // namespace

void transfer(const Side& to, const Side& from, NextReader reader) noexcept {
  std::size_t bytes = to.count * to.layout->size;
  if (bytes == 0) return;
  if (to.layout->contiguous && from.layout->contiguous) {
    const auto begin = [](const Side& side) {
      return number_of(side.address) + static_cast<std::uintptr_t>(side.layout->true_lb);
    };
    return copy_bytes(writable(begin(to)), readable(begin(from)), bytes, reader);
  }
  Cursor to_cursor{number_of(to.address), to.count, *to.layout};
  Cursor from_cursor{number_of(from.address), from.count, *from.layout};
  while (bytes != 0) bytes -= step(to_cursor, from_cursor, reader);
}

Result<std::uint64_t> total_bytes(std::int64_t count, const Layout& layout) {
  if (count < 0) return Error{Code::count, fmt::format("count {} is negative", count)};
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(count, layout.size, &bytes))
    return Error{Code::count,
                 fmt::format("{} elements of {} bytes are more than 63 bits can count", count, layout.size)};
  return static_cast<std::uint64_t>(bytes);
}

Result<std::uint64_t> matching_bytes(std::int64_t origin_count, const Layout& origin, std::int64_t target_count,
                                     const Layout& target) {
  PSNAM_TRY(const std::uint64_t origin_bytes, total_bytes(origin_count, origin));
  PSNAM_TRY(const std::uint64_t target_bytes, total_bytes(target_count, target));
  if (origin_bytes == target_bytes) return origin_bytes;
  return Error{Code::datatype,
               fmt::format("the origin side has {} bytes ({} elements of {}), the target side {} ({} elements of {})",
                           origin_bytes, origin_count, origin.size, target_bytes, target_count, target.size)};
}

Status check_bounds(std::int64_t disp_bytes, std::int64_t count, const Layout& layout, std::uint64_t region_bytes) {
  if (count < 0) return Error{Code::count, fmt::format("count {} is negative", count)};
  if (count == 0 || layout.size == 0) return {};
  // 63 bits times 63 bits plus 64 bits: 128 bits hold it.
  __extension__ using Wide = __int128;
  const Wide to_last = Wide{count - 1} * layout.extent;
  const Wide first = Wide{disp_bytes} + layout.true_lb + std::min(Wide{0}, to_last);
  const Wide end = Wide{disp_bytes} + layout.true_ub + std::max(Wide{0}, to_last);
  if (first >= 0 && end <= Wide{region_bytes}) return {};
  return Error{Code::range,
               fmt::format("the access covers bytes {} to {} of a region of {} bytes", first, end - 1, region_bytes)};
}

}  // namespace psnam::backends
