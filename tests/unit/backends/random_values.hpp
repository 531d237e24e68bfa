// Random values of every kind, few enough to be equal often.
#pragma once

#include <cstring>
#include <random>

#include "backends/element.hpp"
#include "backends/values.hpp"

namespace psnam::backends::testing {

class RandomValues {
 public:
  explicit RandomValues(unsigned seed) : random_{seed} {}

  /// Writes one value of the kind's format.
  void put(Kind kind, std::byte* to) {
    switch (kind) {
      case Kind::logical8:
      case Kind::logical16:
      case Kind::logical32:
      case Kind::logical64:
        return logical(Element{kind, 0}.bytes(), to);
      case Kind::float32:
        return some<float>(to, 1);
      case Kind::float64:
        return some<double>(to, 1);
      case Kind::float80:
        return some<long double>(to, 1);
      case Kind::float128:
        return some<Float128>(to, 1);
      case Kind::complex32:
        return some<float>(to, 2);
      case Kind::complex64:
        return some<double>(to, 2);
      case Kind::complex80:
        return some<long double>(to, 2);
      case Kind::complex128:
        return some<Float128>(to, 2);
      case Kind::float_int:
        return pair<float, int>(to);
      case Kind::double_int:
        return pair<double, int>(to);
      case Kind::long_int:
        return pair<long, int>(to);
      case Kind::int_int:
        return pair<int, int>(to);
      case Kind::short_int:
        return pair<short, int>(to);
      case Kind::float80_int:
        return pair<long double, int>(to);
      case Kind::float_float:
        return pair<float, float>(to);
      case Kind::double_double:
        return pair<double, double>(to);
      default:
        for (std::size_t i = 0; i < Element{kind, 0}.bytes(); ++i) to[i] = static_cast<std::byte>(random_());
    }
  }
  [[nodiscard]] int number(int from, int to) { return std::uniform_int_distribution<int>{from, to}(random_); }

 private:
  void logical(std::size_t bytes, std::byte* to) {
    const std::uint64_t value = number(0, 2) == 0 ? 0 : static_cast<std::uint64_t>(number(1, 100));
    std::memcpy(to, &value, bytes);
  }
  template <class T>
  void some(std::byte* to, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      store_value(to + i * sizeof(T), static_cast<T>(number(-1000, 1000)) / static_cast<T>(7));
  }
  template <class V, class I>
  void pair(std::byte* to) {
    store_value(to, Pair<V, I>{static_cast<V>(number(-2, 2)), static_cast<I>(number(-3, 3))});
  }

  std::mt19937 random_;
};

}  // namespace psnam::backends::testing
