// Floating-point numbers, real and complex.
#include "backends/kernels.hpp"

namespace psnam::backends::detail {
namespace {

template <class V>
Kernel sum_or_product(Op op) noexcept {
  if (op == Op::sum) return kernel<Sum, V>();
  if (op == Op::prod) return kernel<Prod, V>();
  return {};
}

template <class V>
Kernel real(Op op) noexcept {
  if (op == Op::max) return kernel<Max, V>();
  if (op == Op::min) return kernel<Min, V>();
  return sum_or_product<V>(op);
}

}  // namespace

Kernel floating_kernel(Op op, Kind kind) noexcept {
  switch (kind) {
    case Kind::float32:
      return real<float>(op);
    case Kind::float64:
      return real<double>(op);
    case Kind::float80:
      return real<long double>(op);
    case Kind::float128:
      return real<Float128>(op);
    case Kind::complex32:
      return sum_or_product<Complex<float>>(op);
    case Kind::complex64:
      return sum_or_product<Complex<double>>(op);
    case Kind::complex80:
      return sum_or_product<Complex<long double>>(op);
    case Kind::complex128:
      return sum_or_product<Complex<Float128>>(op);
    default:
      return {};
  }
}

}  // namespace psnam::backends::detail
