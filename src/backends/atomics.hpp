// MPI's accumulates on mapped memory: element by element indivisible for all threads, processes and jobs that use the
// region through these functions, without a call of the MPI library and without allocating.
//
// All need: an operation that is allowed on the element (check()), sides built of that element that hold equally many
// of it, the target inside its region; buffers of origin and result that overlap nothing else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/element.hpp"
#include "backends/kernels.hpp"
#include "backends/operation.hpp"
#include "backends/stripe_locks.hpp"
#include "backends/transfer.hpp"

namespace psnam::backends {

/// target = target op origin; the old values go to `result` unless it is null. MPI_NO_OP does not look at `origin`.
/// `region_base` is where the memory that `locks` belong to begins.
void accumulate(Op op, Element element, const Side& target, const Side& origin, const Side* result, StripeLocks& locks,
                const std::byte* region_base) noexcept;

/// The same for `n` elements of a predefined type on each side, a pair type's with its gaps. `result` may be null.
void accumulate_array(Op op, Element element, std::byte* target, const std::byte* origin, std::byte* result,
                      std::size_t n, StripeLocks& locks, const std::byte* region_base) noexcept;

namespace detail {

[[nodiscard]] inline bool aligned_to(const std::byte* address, std::size_t bytes) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

// The operations that programs make one at a time, without a call; false for every other one.
template <class V>
[[gnu::always_inline]] inline bool one_inline(Op op, std::byte* target, const std::byte* origin,
                                              std::byte* result) noexcept {
  if (!aligned_to(target, sizeof(V))) return false;
  switch (op) {
    case Op::sum:
      Loops<Sum, V>::single(target, origin, result);
      return true;
    case Op::replace:
      Loops<Replace, typename WordOf<sizeof(V)>::Type>::single(target, origin, result);
      return true;
    case Op::no_op:
      Loops<NoOp, typename WordOf<sizeof(V)>::Type>::single(target, origin, result);
      return true;
    default:
      return false;
  }
}

void compare_and_swap_locked(std::size_t bytes, std::byte* target, const std::byte* origin, const std::byte* compare,
                             std::byte* result, const Stripes& stripes) noexcept;

template <std::size_t kBytes>
[[gnu::always_inline]] inline void compare_and_swap_word(std::byte* target, const std::byte* origin,
                                                         const std::byte* compare, std::byte* result) noexcept {
  using Word = typename WordOf<kBytes>::Type;
  using Memory [[gnu::may_alias]] = Word;
  Word desired, old;
  std::memcpy(&desired, origin, kBytes);
  std::memcpy(&old, compare, kBytes);
  __atomic_compare_exchange_n(reinterpret_cast<Memory*>(target), &old, desired, false, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
  std::memcpy(result, &old, kBytes);
}

}  // namespace detail

/// As accumulate_array() of one element: MPI_Fetch_and_op, and accumulates of count 1.
inline void accumulate_one(Op op, Element element, std::byte* target, const std::byte* origin, std::byte* result,
                           StripeLocks& locks, const std::byte* region_base) noexcept {
  bool done = false;
  switch (element.kind()) {
    case Kind::int64:
    case Kind::uint64:
      done = detail::one_inline<std::uint64_t>(op, target, origin, result);
      break;
    case Kind::int32:
    case Kind::uint32:
      done = detail::one_inline<std::uint32_t>(op, target, origin, result);
      break;
    case Kind::float64:
      done = detail::one_inline<double>(op, target, origin, result);
      break;
    default:
      break;
  }
  if (!done) accumulate_array(op, element, target, origin, result, 1, locks, region_base);
}

/// result = target; target = origin if the target was `compare`, bit by bit. For elements that check_compare_and_swap()
/// accepts. `result` may not be null.
inline void compare_and_swap(Element element, std::byte* target, const std::byte* origin, const std::byte* compare,
                             std::byte* result, StripeLocks& locks, const std::byte* region_base) noexcept {
  const std::size_t bytes = element.bytes();
  if (!detail::aligned_to(target, bytes))
    return detail::compare_and_swap_locked(bytes, target, origin, compare, result, Stripes{&locks, region_base});
  switch (bytes) {
    case 8:
      return detail::compare_and_swap_word<8>(target, origin, compare, result);
    case 4:
      return detail::compare_and_swap_word<4>(target, origin, compare, result);
    case 2:
      return detail::compare_and_swap_word<2>(target, origin, compare, result);
    default:
      return detail::compare_and_swap_word<1>(target, origin, compare, result);
  }
}

}  // namespace psnam::backends
