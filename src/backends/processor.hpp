// What this machine's processor can do in one indivisible step beyond 8 bytes, and how.
//
// Two means, both found by cpuid alone, so that every process of the machine finds the same. A compare-exchange and a
// load of 16 bytes decide how 16-byte elements are changed and read, so all must agree on them. A compare-exchange
// writes whatever it finds, hence the load: who may only read has the memory mapped so. A transaction only makes long
// accumulates fast: it takes effect at once or not at all, for every other access of the machine, so that it mixes with
// all other instructions, and where it fails or is not there the same elements are changed one by one.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace psnam::backends {

struct Processor {
  bool exchanges_16_bytes = false;  ///< 16 aligned bytes, and loads them at once
  bool transactions = false;
};

/// Found before main().
extern const Processor kProcessor;

/// 16 bytes as the processor takes them.
struct Wide {
  std::uint64_t low;
  std::uint64_t high;
  bool operator==(const Wide&) const = default;
};

/// The halves are read separately: a guess, to be confirmed by compare_exchange().
[[nodiscard]] inline Wide load_halves(const std::byte* at) noexcept {
  using Word [[gnu::may_alias]] = std::uint64_t;
  const auto* const words = reinterpret_cast<const Word*>(at);
  return {__atomic_load_n(words, __ATOMIC_ACQUIRE), __atomic_load_n(words + 1, __ATOMIC_ACQUIRE)};
}

#if defined(__x86_64__)

/// Puts `desired` to the 16-byte aligned `at` if `expected` is there, else what is there to `expected`. Only with
/// exchanges_16_bytes. An instruction of our own, since the compiler's is replaced by a lock under ThreadSanitizer,
/// which would not exclude the 8-byte ones.
inline bool compare_exchange(std::byte* at, Wide& expected, Wide desired) noexcept {
  __extension__ using Memory [[gnu::may_alias]] = unsigned __int128;
  bool done = false;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(done), "+m"(*reinterpret_cast<Memory*>(at)), "+a"(expected.low), "+d"(expected.high)
               : "b"(desired.low), "c"(desired.high)
               : "memory");
  return done;
}

/// The 16 bytes at the 16-byte aligned `at`, by one instruction that writes nothing. Only with exchanges_16_bytes.
[[nodiscard]] inline Wide load_whole(const std::byte* at) noexcept {
  __m128i value;
  asm volatile("movdqa %1, %0" : "=x"(value) : "m"(*reinterpret_cast<const __m128i*>(at)) : "memory");
  return {static_cast<std::uint64_t>(_mm_cvtsi128_si64(value)),
          static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(value, value)))};
}

/// Runs `body` as one transaction; false when it took no effect. Only with transactions. `body` makes no call of the
/// system; a page that is not present makes it fail.
template <class Body>
[[gnu::always_inline]] inline bool in_transaction(Body&& body) noexcept {
  constexpr std::uint32_t kStarted = ~std::uint32_t{0};
  std::uint32_t status = kStarted;
  asm volatile("xbegin 1f\n1:" : "+a"(status) : : "memory");
  if (status != kStarted) return false;
  body();
  asm volatile("xend" : : : "memory");
  return true;
}

#else

inline bool compare_exchange(std::byte*, Wide&, Wide) noexcept { return false; }
[[nodiscard]] inline Wide load_whole(const std::byte* at) noexcept { return load_halves(at); }
template <class Body>
bool in_transaction(Body&&) noexcept {
  return false;
}

#endif

}  // namespace psnam::backends
