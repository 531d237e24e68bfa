// Pairs of value and index, and what is only moved or read, of every size.
#include "backends/kernels.hpp"

namespace psnam::backends::detail {
namespace {

template <class V>
Kernel moving(Op op) noexcept {
  if (op == Op::replace) return kernel<Replace, V>();
  if (op == Op::no_op) return kernel<NoOp, V>();
  return {};
}

template <class V, class I>
Kernel pair(Op op) noexcept {
  using P = Pair<V, I>;
  if (op == Op::maxloc) return kernel<MaxLoc, P>();
  if (op == Op::minloc) return kernel<MinLoc, P>();
  return moving<P>(op);
}

}  // namespace

Kernel pair_kernel(Op op, Kind kind) noexcept {
  switch (kind) {
    case Kind::float_int:
      return pair<float, int>(op);
    case Kind::double_int:
      return pair<double, int>(op);
    case Kind::long_int:
      return pair<long, int>(op);
    case Kind::int_int:
      return pair<int, int>(op);
    case Kind::short_int:
      return pair<short, int>(op);
    case Kind::float80_int:
      return pair<long double, int>(op);
    case Kind::float_float:
      return pair<float, float>(op);
    case Kind::double_double:
      return pair<double, double>(op);
    default:
      return {};
  }
}

Kernel moving_kernel(Op op, Kind kind) noexcept {
  switch (Element{kind, 0}.bytes()) {
    case 1:
      return moving<std::uint8_t>(op);
    case 2:
      return moving<std::uint16_t>(op);
    case 4:
      return moving<std::uint32_t>(op);
    case 8:
      return moving<std::uint64_t>(op);
    case 16:
      return moving<Opaque<16>>(op);
    case 32:
      return moving<Opaque<32>>(op);
    default:
      return {};
  }
}

}  // namespace psnam::backends::detail
