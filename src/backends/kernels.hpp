// The loops of accumulates, one for each operation and kind of value: indivisible element by element.
//
// Why it works. Writers and readers of an element are all threads of all processes that map the region, each through
// the code here (the program's own loads and stores are outside of MPI's promises). Whether an element is changed by
// one instruction or under its stripe's lock depends on its size, its address and cpuid alone, so all take the same way
// for the same element. Instructions of different widths, and transactions, exclude each other on this processor where
// they meet in a byte, so neighbouring elements may be changed together by one and singly by another. An instruction
// that finds the guess it made from a stale read wrong makes a new one from what is there. A writer that dies leaves
// every element before or after its change, except, where a lock protects it, the one element it was storing. Orders
// beyond a single element are made by the synchronisation of epochs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backends/element.hpp"
#include "backends/processor.hpp"
#include "backends/stripe_locks.hpp"
#include "backends/values.hpp"

namespace psnam::backends {

/// `n` elements at equal distances on each side. `result` is null where nobody wants the old values.
struct Strip {
  std::byte* target = nullptr;
  const std::byte* origin = nullptr;
  std::byte* result = nullptr;
  std::ptrdiff_t target_stride = 0;
  std::ptrdiff_t origin_stride = 0;
  std::ptrdiff_t result_stride = 0;
  std::size_t n = 0;

  [[nodiscard]] std::byte* target_at(std::size_t i) const noexcept { return target + steps(i) * target_stride; }
  [[nodiscard]] const std::byte* origin_at(std::size_t i) const noexcept {
    return origin == nullptr ? nullptr : origin + steps(i) * origin_stride;
  }
  [[nodiscard]] std::byte* result_at(std::size_t i) const noexcept {
    return result == nullptr ? nullptr : result + steps(i) * result_stride;
  }
  [[nodiscard]] Strip part(std::size_t begin, std::size_t length) const noexcept {
    return {target_at(begin), origin_at(begin), result_at(begin), target_stride, origin_stride, result_stride, length};
  }

 private:
  static std::ptrdiff_t steps(std::size_t i) noexcept { return static_cast<std::ptrdiff_t>(i); }
};

/// The locks of a region and where it begins.
struct Stripes {
  StripeLocks* locks;
  const std::byte* region_base;
};

/// Changes the elements of a strip, each indivisibly.
using Kernel = void (*)(const Strip&, const Stripes&) noexcept;

/// The loop for an operation that is allowed on the kind.
[[nodiscard]] Kernel find_kernel(Op op, Kind kind) noexcept;

namespace detail {

[[nodiscard]] Kernel integer_kernel(Op op, Kind kind) noexcept;
[[nodiscard]] Kernel floating_kernel(Op op, Kind kind) noexcept;
[[nodiscard]] Kernel pair_kernel(Op op, Kind kind) noexcept;
[[nodiscard]] Kernel moving_kernel(Op op, Kind kind) noexcept;

template <std::size_t kBytes>
struct WordOf;
template <>
struct WordOf<1> {
  using Type = std::uint8_t;
};
template <>
struct WordOf<2> {
  using Type = std::uint16_t;
};
template <>
struct WordOf<4> {
  using Type = std::uint32_t;
};
template <>
struct WordOf<8> {
  using Type = std::uint64_t;
};

inline constexpr std::size_t kWide = sizeof(Wide);

/// Whether there may be an instruction that changes a value of type V where it is aligned to its size.
template <class V>
inline constexpr bool kFitsAnInstruction = !Memory<V>::kGap && sizeof(V) <= kWide && std::has_single_bit(sizeof(V));

template <class V>
[[nodiscard]] bool by_one_instruction() noexcept {
  return kFitsAnInstruction<V> && (sizeof(V) < kWide || kProcessor.exchanges_16_bytes);
}

template <class F>
inline constexpr bool kOnlyReads = std::is_same_v<F, NoOp>;
template <class F>
inline constexpr bool kReplaces = std::is_same_v<F, Replace>;

/// One strip of F on values of type V.
template <class F, class V>
class Loops {
 public:
  static void indivisible(const Strip& strip, const Stripes& stripes) noexcept {
    if constexpr (kFitsAnInstruction<V>) {
      if (by_one_instruction<V>()) {
        const bool one_alignment = strip.n == 1 || strip.target_stride % kSize == 0;
        if (one_alignment) return aligned(strip.target) ? by_instructions(strip) : locked(strip, stripes);
        for (std::size_t i = 0; i < strip.n; ++i) indivisible(strip.part(i, 1), stripes);
        return;
      }
    }
    locked(strip, stripes);
  }

 private:
  static constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(V));

  static bool aligned(const std::byte* address) noexcept {
    return reinterpret_cast<std::uintptr_t>(address) % sizeof(V) == 0;
  }

  static bool dense(const Strip& strip) noexcept {
    return strip.target_stride == kSize && (kOnlyReads<F> || strip.origin_stride == kSize) &&
           (strip.result == nullptr || strip.result_stride == kSize);
  }

  // Simple loops, for what a transaction or a lock makes indivisible.
  static void alone(const Strip& strip) noexcept {
    if (!Memory<V>::kGap && dense(strip)) return alone_dense(strip.target, strip.origin, strip.result, strip.n);
    for (std::size_t i = 0; i < strip.n; ++i) alone_one(strip.target_at(i), strip.origin_at(i), strip.result_at(i));
  }

  static void alone_one(std::byte* target, const std::byte* origin, std::byte* result) noexcept {
    if (result != nullptr) copy_value<V>(result, target);
    if constexpr (kReplaces<F>)
      copy_value<V>(target, origin);
    else if constexpr (!kOnlyReads<F>)
      store_value(target, F::combine(load_value<V>(target), load_value<V>(origin)));
  }

  // Origin and target do not overlap: MPI forbids it.
  static void alone_dense(std::byte* __restrict target, const std::byte* __restrict origin, std::byte* result,
                          std::size_t n) noexcept {
    if (result != nullptr) std::memcpy(result, target, n * sizeof(V));
    if constexpr (kReplaces<F>) {
      std::memcpy(target, origin, n * sizeof(V));
    } else if constexpr (!kOnlyReads<F>) {
      for (std::size_t i = 0; i < n; ++i)
        store_value(target + i * sizeof(V),
                    F::combine(load_value<V>(target + i * sizeof(V)), load_value<V>(origin + i * sizeof(V))));
    }
  }

  // Elements of one stripe after another share one taking of its lock.
  static void locked(const Strip& strip, const Stripes& stripes) noexcept {
    const auto stripe_at = [&](std::size_t i) {
      return stripe_of(static_cast<std::size_t>(strip.target_at(i) - stripes.region_base));
    };
    for (std::size_t i = 0; i < strip.n;) {
      const std::size_t stripe = stripe_at(i);
      stripes.locks->lock(stripe);
      do {
        alone_one(strip.target_at(i), strip.origin_at(i), strip.result_at(i));
        ++i;
      } while (i < strip.n && stripe_at(i) == stripe);
      stripes.locks->unlock(stripe);
    }
  }

  // Elements that are only stored, or only read: no instruction of theirs is a locked one.
  static bool only_moves(const Strip& strip) noexcept {
    return sizeof(V) < kWide && (kOnlyReads<F> || (kReplaces<F> && strip.result == nullptr));
  }

  // A transaction takes the time of two or three locked instructions; for moves it gains nothing.
  static constexpr std::size_t kWorthATransaction = 4;
  static constexpr std::size_t kTransactionBytes = 2048;
  static constexpr std::size_t kTransactionElements = 64;
  // Fewer elements than these go one by one.
  static constexpr std::size_t kSeveral = 4;

  static bool worth_a_transaction(const Strip& strip, bool is_dense) noexcept {
    if (!kProcessor.transactions || only_moves(strip)) return false;
    return (is_dense ? strip.n * sizeof(V) / kWide : strip.n) >= kWorthATransaction;
  }

  // Elements that are aligned, by instructions that exist.
  static void by_instructions(const Strip& strip) noexcept {
    const bool is_dense = dense(strip);
    if (!worth_a_transaction(strip, is_dense)) return several(strip, is_dense);
    const std::size_t most = is_dense ? kTransactionBytes / sizeof(V) : kTransactionElements;
    for (std::size_t i = 0; i < strip.n; i += most) {
      const Strip part = strip.part(i, std::min(strip.n - i, most));
      if (!in_transaction([&part] { alone(part); })) several(part, is_dense);
    }
  }

  static void several(const Strip& strip, bool is_dense) noexcept {
    if constexpr (sizeof(V) <= sizeof(std::uint64_t)) {
      if (is_dense && strip.n >= kSeveral) {
        if constexpr (kOnlyReads<F> || kReplaces<F>)
          if (only_moves(strip)) return words(strip);
        if (kProcessor.exchanges_16_bytes) return granules(strip);
      }
    }
    one_by_one(strip, 0, strip.n);
  }

  // Elements before the first target address that is a multiple of `bytes`.
  static std::size_t head(const Strip& strip, std::size_t bytes) noexcept {
    const std::size_t beyond = reinterpret_cast<std::uintptr_t>(strip.target) % bytes;
    return std::min(strip.n, beyond == 0 ? 0 : (bytes - beyond) / sizeof(V));
  }

  // An aligned word is moved at once, so the elements in it are.
  static void words(const Strip& strip) noexcept {
    constexpr std::size_t kEach = sizeof(std::uint64_t) / sizeof(V);
    std::size_t i = head(strip, sizeof(std::uint64_t));
    one_by_one(strip, 0, i);
    const std::size_t end = strip.n - (strip.n - i) % kEach;
    const std::byte* const origin = kOnlyReads<F> ? strip.target : strip.origin;
    std::byte* const result = kOnlyReads<F> ? strip.result : nullptr;
    for (; i < end; i += kEach) {
      const std::size_t at = i * sizeof(V);
      Loops<F, std::uint64_t>::single(strip.target + at, origin + at, result == nullptr ? nullptr : result + at);
    }
    one_by_one(strip, i, strip.n);
  }

  static void one_by_one(const Strip& strip, std::size_t begin, std::size_t end) noexcept {
    for (std::size_t i = begin; i < end; ++i) {
      if constexpr (sizeof(V) == kWide)
        wide(strip.target_at(i), strip.origin_at(i), strip.result_at(i));
      else
        single(strip.target_at(i), strip.origin_at(i), strip.result_at(i));
    }
  }

  // 16 aligned bytes of neighbouring elements at once: one locked instruction for all of them.
  static void granules(const Strip& strip) noexcept {
    constexpr std::size_t kEach = kWide / sizeof(V);
    std::size_t i = head(strip, kWide);
    one_by_one(strip, 0, i);
    for (; strip.n - i >= kEach; i += kEach) {
      std::byte* const target = strip.target + i * sizeof(V);
      const std::byte* const origin = strip.origin + i * sizeof(V);
      Wide old = load_halves(target), desired;
      do {
        desired = {combine_word(old.low, origin), combine_word(old.high, origin + kWide / 2)};
      } while (desired != old && !compare_exchange(target, old, desired));
      if (strip.result != nullptr) std::memcpy(strip.result + i * sizeof(V), &old, kWide);
    }
    one_by_one(strip, i, strip.n);
  }

  // The elements in one word, without a way through memory, where words after bytes wait for the store.
  static std::uint64_t combine_word(std::uint64_t target, const std::byte* origin) noexcept {
    if constexpr (sizeof(V) == sizeof target) {
      return std::bit_cast<std::uint64_t>(F::combine(std::bit_cast<V>(target), load_value<V>(origin)));
    } else if constexpr (sizeof(V) < sizeof target) {
      using Word = typename WordOf<sizeof(V)>::Type;
      std::uint64_t combined = 0;
      for (std::size_t i = 0; i < sizeof target / sizeof(V); ++i) {
        const auto bits = static_cast<Word>(target >> (8 * sizeof(V) * i));
        const V value = F::combine(std::bit_cast<V>(bits), load_value<V>(origin + i * sizeof(V)));
        combined |= std::uint64_t{std::bit_cast<Word>(value)} << (8 * sizeof(V) * i);
      }
      return combined;
    }
  }

  static void wide(std::byte* target, const std::byte* origin, std::byte* result) noexcept {
    if constexpr (kOnlyReads<F>) {
      const Wide found = load_whole(target);
      if (result != nullptr) std::memcpy(result, &found, kWide);
      return;
    }
    Wide old = load_halves(target), desired;
    do {
      desired = old;
      if constexpr (kReplaces<F>)
        std::memcpy(&desired, origin, kWide);
      else
        store_value(reinterpret_cast<std::byte*>(&desired),
                    F::combine(load_value<V>(reinterpret_cast<const std::byte*>(&old)), load_value<V>(origin)));
    } while (!compare_exchange(target, old, desired));
    if (result != nullptr) std::memcpy(result, &old, kWide);
  }

 public:
  /// One aligned element of up to 8 bytes.
  [[gnu::always_inline]] static void single(std::byte* target, const std::byte* origin, std::byte* result) noexcept {
    using Word = typename WordOf<sizeof(V)>::Type;
    using Memory [[gnu::may_alias]] = Word;
    auto* const at = reinterpret_cast<Memory*>(target);
    if constexpr (kOnlyReads<F>) {
      const Word old = __atomic_load_n(at, __ATOMIC_ACQUIRE);
      if (result != nullptr) std::memcpy(result, &old, sizeof old);
      return;
    }
    Word operand;
    std::memcpy(&operand, origin, sizeof operand);
    if constexpr (kReplaces<F>)
      if (result == nullptr) return __atomic_store_n(at, operand, __ATOMIC_RELEASE);
    const Word old = change(at, operand);
    if (result != nullptr) std::memcpy(result, &old, sizeof old);
  }

 private:
  template <class At, class Word>
  [[gnu::always_inline]] static Word change(At* at, Word operand) noexcept {
    if constexpr (kReplaces<F>)
      return __atomic_exchange_n(at, operand, __ATOMIC_SEQ_CST);
    else if constexpr (std::is_same_v<F, Sum> && std::integral<V>)
      return __atomic_fetch_add(at, operand, __ATOMIC_SEQ_CST);
    else if constexpr (std::is_same_v<F, BitAnd>)
      return __atomic_fetch_and(at, operand, __ATOMIC_SEQ_CST);
    else if constexpr (std::is_same_v<F, BitOr>)
      return __atomic_fetch_or(at, operand, __ATOMIC_SEQ_CST);
    else if constexpr (std::is_same_v<F, BitXor>)
      return __atomic_fetch_xor(at, operand, __ATOMIC_SEQ_CST);
    else
      return exchange(at, operand);
  }

  // A value that stays as it is needs no write: maxima mostly do.
  template <class At, class Word>
  [[gnu::always_inline]] static Word exchange(At* at, Word operand) noexcept {
    Word old = __atomic_load_n(at, __ATOMIC_ACQUIRE), desired;
    do {
      desired = std::bit_cast<Word>(F::combine(std::bit_cast<V>(old), std::bit_cast<V>(operand)));
    } while (desired != old &&
             !__atomic_compare_exchange_n(at, &old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
    return old;
  }
};

template <class F, class V>
[[nodiscard]] constexpr Kernel kernel() noexcept {
  return &Loops<F, V>::indivisible;
}

}  // namespace detail
}  // namespace psnam::backends
