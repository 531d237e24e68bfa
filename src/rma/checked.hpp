// Signed 64-bit arithmetic that remembers whether it overflowed: displacements and extents come from the program.
#pragma once

#include <cstddef>

namespace psnam::rma {

/// A number that may have been lost to overflow; once lost, every result made from it is.
struct Checked {
  std::ptrdiff_t value = 0;
  bool ok = true;

  constexpr Checked(std::ptrdiff_t from) noexcept : value{from} {}

  friend constexpr Checked operator+(Checked a, Checked b) noexcept {
    Checked sum{0};
    const bool lost = __builtin_add_overflow(a.value, b.value, &sum.value);
    sum.ok = a.ok && b.ok && !lost;
    return sum;
  }
  friend constexpr Checked operator-(Checked a, Checked b) noexcept {
    Checked difference{0};
    const bool lost = __builtin_sub_overflow(a.value, b.value, &difference.value);
    difference.ok = a.ok && b.ok && !lost;
    return difference;
  }
  friend constexpr Checked operator*(Checked a, Checked b) noexcept {
    Checked product{0};
    const bool lost = __builtin_mul_overflow(a.value, b.value, &product.value);
    product.ok = a.ok && b.ok && !lost;
    return product;
  }
};

}  // namespace psnam::rma
