// Why these limits (2-core slice of a Xeon of 2 MiB L2 per core and a shared L3, shared memory mapped and warm, GB/s of
// memcpy | streaming):
//   copied, not read again here:   64 KiB 44 | 20    1 MiB 26 | 21       1.25 MiB 20 | 21    2 MiB 14.5 | 20
//                                  16 MiB 10..14 | 17.5                  64 MiB 9 | 17       cold, any size 7 | 12
//   copied, then read by the caller, one buffer again and again:      2 MiB 10 | 7    8 MiB 9.2 | 7.5    16 MiB 3.5..9
//   | 3..4 the same where other data passes the caches in between:           2 MiB 9.4 | 5.8  8 MiB 6.2 | 6.5   16
//   MiB 2.4 | 2.7
// So a put streams as soon as source and destination together leave the L2 cache. A get, whose destination is about to
// be read, streams where that costs its reader nothing unless the reader uses the same buffer over and over; below, the
// copy alone would be faster streamed, copy and reading together are not. Four pages at a time, 128 bytes of each in
// turn, is 15 percent faster than one after the other on cold memory: more DRAM banks are busy.
#include "backends/copy.hpp"

#include <algorithm>
#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace psnam::backends::detail {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kStep = 2 * kLine;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 4;

// The place of the step at `done` when the bytes below `whole`, a multiple of four pages, are copied page-interleaved.
constexpr std::size_t step_at(std::size_t done, std::size_t whole) noexcept {
  if (done >= whole) return done;
  const std::size_t within = done % (kPages * kPage), step = within / kStep;
  return done - within + step % kPages * kPage + step / kPages * kStep;
}

constexpr std::size_t interleaved_part(std::size_t bytes) noexcept { return bytes - bytes % (kPages * kPage); }

#if defined(__x86_64__)

[[gnu::target("avx512f")]] void stream_avx512(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t whole = interleaved_part(bytes);
  for (std::size_t done = 0; done < bytes; done += kStep) {
    const std::size_t at = step_at(done, whole);
    const __m512i first = _mm512_loadu_si512(from + at), second = _mm512_loadu_si512(from + at + kLine);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at), first);
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + at + kLine), second);
  }
}

[[gnu::target("avx2")]] void stream_avx2(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t whole = interleaved_part(bytes);
  for (std::size_t done = 0; done < bytes; done += kStep) {
    const std::size_t at = step_at(done, whole);
    for (std::size_t i = at; i < at + kStep; i += sizeof(__m256i))
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
  }
}

void stream_sse2(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t whole = interleaved_part(bytes);
  for (std::size_t done = 0; done < bytes; done += kStep) {
    const std::size_t at = step_at(done, whole);
    for (std::size_t i = at; i < at + kStep; i += sizeof(__m128i))
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
}

#else

void stream_by_memcpy(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  std::memcpy(to, from, bytes);
}

#endif

}  // namespace

std::span<const StreamKernel> stream_kernels() noexcept {
#if defined(__x86_64__)
  static const std::array<StreamKernel, 3> kernels{
      StreamKernel{"avx512", __builtin_cpu_supports("avx512f") != 0, &stream_avx512},
      StreamKernel{"avx2", __builtin_cpu_supports("avx2") != 0, &stream_avx2},
      StreamKernel{"sse2", true, &stream_sse2},
  };
#else
  static const std::array<StreamKernel, 1> kernels{StreamKernel{"memcpy", true, &stream_by_memcpy}};
#endif
  return kernels;
}

namespace {

void stream(std::byte* to, const std::byte* from, std::size_t n, const StreamKernel& kernel) noexcept {
  const std::size_t head = std::min(n, (kLine - reinterpret_cast<std::uintptr_t>(to) % kLine) % kLine);
  const std::size_t body = (n - head) - (n - head) % kStep, tail = n - head - body;
  std::memcpy(to, from, head);
  std::memcpy(to + head + body, from + head + body, tail);
  kernel.copy(to + head, from + head, body);
}

const StreamKernel& fastest() noexcept {
  static const StreamKernel& found = *std::ranges::find_if(stream_kernels(), &StreamKernel::supported);
  return found;
}

}  // namespace

void order_streams() noexcept {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

void copy_streaming(std::byte* to, const std::byte* from, std::size_t n, const StreamKernel& kernel) noexcept {
  stream(to, from, n, kernel);
  order_streams();
}

void copy_streaming(std::byte* to, const std::byte* from, std::size_t n) noexcept {
  copy_streaming(to, from, n, fastest());
}

void stream_piece(std::byte* to, const std::byte* from, std::size_t n) noexcept { stream(to, from, n, fastest()); }

}  // namespace psnam::backends::detail
