// Integers and logicals: one loop for signed and unsigned ones where the bits of the result are the same.
#include "backends/kernels.hpp"

namespace psnam::backends::detail {
namespace {

template <class V>
Kernel of_bits(Op op) noexcept {
  switch (op) {
    case Op::sum:
      return kernel<Sum, V>();
    case Op::prod:
      return kernel<Prod, V>();
    case Op::land:
      return kernel<LogicalAnd, V>();
    case Op::lor:
      return kernel<LogicalOr, V>();
    case Op::lxor:
      return kernel<LogicalXor, V>();
    case Op::band:
      return kernel<BitAnd, V>();
    case Op::bor:
      return kernel<BitOr, V>();
    case Op::bxor:
      return kernel<BitXor, V>();
    default:
      return {};
  }
}

template <class V>
Kernel of_value(Op op) noexcept {
  if (op == Op::max) return kernel<Max, V>();
  if (op == Op::min) return kernel<Min, V>();
  return of_bits<std::make_unsigned_t<V>>(op);
}

}  // namespace

Kernel integer_kernel(Op op, Kind kind) noexcept {
  switch (kind) {
    case Kind::int8:
      return of_value<std::int8_t>(op);
    case Kind::int16:
      return of_value<std::int16_t>(op);
    case Kind::int32:
      return of_value<std::int32_t>(op);
    case Kind::int64:
      return of_value<std::int64_t>(op);
    case Kind::byte:
    case Kind::uint8:
      return of_value<std::uint8_t>(op);
    case Kind::uint16:
      return of_value<std::uint16_t>(op);
    case Kind::uint32:
      return of_value<std::uint32_t>(op);
    case Kind::uint64:
      return of_value<std::uint64_t>(op);
    case Kind::logical8:
      return of_bits<std::uint8_t>(op);
    case Kind::logical16:
      return of_bits<std::uint16_t>(op);
    case Kind::logical32:
      return of_bits<std::uint32_t>(op);
    case Kind::logical64:
      return of_bits<std::uint64_t>(op);
    default:
      return {};
  }
}

}  // namespace psnam::backends::detail
