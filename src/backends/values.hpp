// Elements as values: how they lie in memory, and what each reduction operation makes of two of them.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace psnam::backends {

__extension__ using Float128 = __float128;

template <class T>
struct Complex {
  T re;
  T im;
};

/// For MPI_MINLOC and MPI_MAXLOC, laid out as MPI's C and Fortran pairs.
template <class V, class I>
struct Pair {
  V value;
  I index;
};

/// Bytes that are only moved.
template <std::size_t kSize>
struct Opaque {
  std::byte bytes[kSize];
};

namespace detail {

template <class V>
struct Memory {
  static constexpr bool kGap = false;
  // A store of x86's long double has 10 bytes; the other 6 of the target stay as they are.
  static constexpr std::size_t kStored = std::is_same_v<V, long double> ? 10 : sizeof(V);
  static V load(const std::byte* from) noexcept {
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  static void store(std::byte* to, const V& value) noexcept { std::memcpy(to, &value, kStored); }
  static void copy(std::byte* to, const std::byte* from) noexcept { std::memcpy(to, from, sizeof(V)); }
};

template <>
struct Memory<Complex<long double>> {
  using V = Complex<long double>;
  static constexpr bool kGap = false;
  static V load(const std::byte* from) noexcept {
    return {Memory<long double>::load(from), Memory<long double>::load(from + sizeof(long double))};
  }
  static void store(std::byte* to, const V& value) noexcept {
    Memory<long double>::store(to, value.re);
    Memory<long double>::store(to + sizeof(long double), value.im);
  }
  static void copy(std::byte* to, const std::byte* from) noexcept { std::memcpy(to, from, sizeof(V)); }
};

// Member by member: the gap is not ours.
template <class V, class I>
struct Memory<Pair<V, I>> {
  static constexpr bool kGap = sizeof(Pair<V, I>) != sizeof(V) + sizeof(I);
  static constexpr std::size_t kIndex = sizeof(V) < alignof(I) ? alignof(I) : sizeof(V);
  static Pair<V, I> load(const std::byte* from) noexcept {
    return {Memory<V>::load(from), Memory<I>::load(from + kIndex)};
  }
  static void store(std::byte* to, const Pair<V, I>& pair) noexcept {
    Memory<V>::store(to, pair.value);
    Memory<I>::store(to + kIndex, pair.index);
  }
  static void copy(std::byte* to, const std::byte* from) noexcept {
    Memory<V>::copy(to, from);
    Memory<I>::copy(to + kIndex, from + kIndex);
  }
};

// Narrow integers are promoted to a signed int, whose overflow is undefined: they are computed as unsigned ones.
template <std::unsigned_integral V>
using Wrapping = std::common_type_t<V, unsigned>;

}  // namespace detail

template <class V>
V load_value(const std::byte* from) noexcept {
  return detail::Memory<V>::load(from);
}
template <class V>
void store_value(std::byte* to, const V& value) noexcept {
  detail::Memory<V>::store(to, value);
}
/// All bytes of data, as they are.
template <class V>
void copy_value(std::byte* to, const std::byte* from) noexcept {
  detail::Memory<V>::copy(to, from);
}

// Operations: `combine(target, origin)` is what is left in the target. Integers are unsigned but for MPI_MAX and
// MPI_MIN.

struct Sum {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(detail::Wrapping<V>{target} + origin);
  }
  template <class V>
  requires(!std::integral<V>) static V combine(V target, V origin) noexcept { return target + origin; }
  template <class T>
  static Complex<T> combine(Complex<T> target, Complex<T> origin) noexcept {
    return {target.re + origin.re, target.im + origin.im};
  }
};

struct Prod {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(detail::Wrapping<V>{target} * origin);
  }
  template <class V>
  requires(!std::integral<V>) static V combine(V target, V origin) noexcept { return target * origin; }
  template <class T>
  static Complex<T> combine(Complex<T> a, Complex<T> b) noexcept {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
};

// With a NaN on either side these are what the comparison says: the origin's value.
struct Max {
  template <class V>
  static V combine(V target, V origin) noexcept {
    return target > origin ? target : origin;
  }
};
struct Min {
  template <class V>
  static V combine(V target, V origin) noexcept {
    return target < origin ? target : origin;
  }
};

// .true. of Fortran is 1 below MPICH with gfortran, as true of C.
struct LogicalAnd {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(target != 0 && origin != 0);
  }
};
struct LogicalOr {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(target != 0 || origin != 0);
  }
};
struct LogicalXor {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>((target != 0) != (origin != 0));
  }
};

struct BitAnd {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(target & origin);
  }
};
struct BitOr {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(target | origin);
  }
};
struct BitXor {
  template <std::unsigned_integral V>
  static V combine(V target, V origin) noexcept {
    return static_cast<V>(target ^ origin);
  }
};

// Of equal values the lower index stays.
struct MaxLoc {
  template <class P>
  static P combine(P target, P origin) noexcept {
    if (target.value == origin.value) return origin.index < target.index ? origin : target;
    return target.value < origin.value ? origin : target;
  }
};
struct MinLoc {
  template <class P>
  static P combine(P target, P origin) noexcept {
    if (target.value == origin.value) return origin.index < target.index ? origin : target;
    return target.value > origin.value ? origin : target;
  }
};

struct Replace {
  template <class V>
  static V combine(V, V origin) noexcept {
    return origin;
  }
};
struct NoOp {
  template <class V>
  static V combine(V target, V) noexcept {
    return target;
  }
};

}  // namespace psnam::backends
