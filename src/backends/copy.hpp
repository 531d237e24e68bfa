// Copying bytes between a program's buffer and a window. Short copies are inlined moves; long ones avoid the caches
// when that is faster. The limits come from measurements; see copy.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace psnam::backends {

/// Who is likely to read the destination next: decides whether it should end up in the caller's cache.
enum class NextReader {
  another_process,  ///< a put
  caller,           ///< a get
};

/// From this length on, the destination is written past the caches.
[[nodiscard]] constexpr std::size_t streaming_threshold(NextReader reader) noexcept {
  return reader == NextReader::another_process ? std::size_t{5} << 18 : std::size_t{8} << 20;
}

namespace detail {

inline constexpr std::size_t kInlineBytes = 64;

template <std::size_t kBytes>
inline void copy_fixed(std::byte* to, const std::byte* from) noexcept {
  __builtin_memcpy(to, from, kBytes);
}

// kBytes <= n <= 2 * kBytes: the first and the last kBytes bytes, which may overlap. Both are read before one is
// written.
template <std::size_t kBytes>
inline void copy_both_ends(std::byte* to, const std::byte* from, std::size_t n) noexcept {
  struct Piece {
    std::byte bytes[kBytes];
  } head, tail;
  __builtin_memcpy(&head, from, kBytes);
  __builtin_memcpy(&tail, from + (n - kBytes), kBytes);
  __builtin_memcpy(to, &head, kBytes);
  __builtin_memcpy(to + (n - kBytes), &tail, kBytes);
}

inline void copy_short(std::byte* to, const std::byte* from, std::size_t n) noexcept {
  if (n >= 32) return copy_both_ends<32>(to, from, n);
  if (n >= 16) return copy_both_ends<16>(to, from, n);
  if (n >= 8) return copy_both_ends<8>(to, from, n);
  if (n >= 4) return copy_both_ends<4>(to, from, n);
  if (n >= 2) return copy_both_ends<2>(to, from, n);
  if (n == 1) *to = *from;
}

/// One way to write past the caches: `to` aligned to 64, `bytes` a multiple of 128. Its stores are not ordered before
/// later ones until order_streams().
struct StreamKernel {
  std::string_view name;
  bool supported;  ///< by this processor
  void (*copy)(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;
};

/// Fastest first; the last one is always supported.
[[nodiscard]] std::span<const StreamKernel> stream_kernels() noexcept;
void copy_streaming(std::byte* to, const std::byte* from, std::size_t n, const StreamKernel& kernel) noexcept;
void copy_streaming(std::byte* to, const std::byte* from, std::size_t n) noexcept;
/// A part of what is written past the caches; after the last one comes order_streams().
void stream_piece(std::byte* to, const std::byte* from, std::size_t n) noexcept;
void order_streams() noexcept;

}  // namespace detail

/// Copies `n` bytes between buffers that do not overlap; for `n` 0 either may be null. 1, 2, 4 and 8 bytes are read and
/// written by one instruction each. After it, a later store of this thread is seen by nobody before the bytes are.
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t n,
                       NextReader reader = NextReader::another_process) noexcept {
  if (n == 8) return detail::copy_fixed<8>(to, from);
  if (n == 4) return detail::copy_fixed<4>(to, from);
  if (n == 16) return detail::copy_fixed<16>(to, from);
  if (n == 2) return detail::copy_fixed<2>(to, from);
  if (n <= detail::kInlineBytes) return detail::copy_short(to, from, n);
  if (n < streaming_threshold(reader)) {
    std::memcpy(to, from, n);
    return;
  }
  detail::copy_streaming(to, from, n);
}

}  // namespace psnam::backends
