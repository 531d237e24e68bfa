// What a datatype is built of: one predefined type, seen as the value that a reduction operation works on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backends/operation.hpp"
#include "base/result.hpp"

namespace psnam::backends {

/// How the bytes of an element are a value. The numbers leave a process, as those of Op: append only.
enum class Kind : std::uint8_t {
  none,   ///< no data
  mixed,  ///< of several predefined types, or of one that is unknown here
  packed,
  wide_char,
  byte,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  logical8,
  logical16,
  logical32,
  logical64,
  float32,
  float64,
  float80,   ///< long double of x86: 10 bytes of value in 16
  float128,  ///< REAL*16 of Fortran
  complex32,
  complex64,
  complex80,
  complex128,
  float_int,
  double_int,
  long_int,
  int_int,
  short_int,
  float80_int,
  float_float,
  double_double,
};
inline constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::double_double) + 1;

namespace detail {

using Ops = std::uint16_t;  ///< one bit for each Op

constexpr Ops ops(auto... some) noexcept { return static_cast<Ops>((0U | ... | (1U << static_cast<unsigned>(some)))); }

struct KindTraits {
  std::uint8_t bytes = 0;   ///< of data
  std::uint8_t extent = 0;  ///< from one element of an array to the next
  Ops allowed = 0;
};

inline constexpr Ops kMoves = ops(Op::replace, Op::no_op);
inline constexpr Ops kLogical = kMoves | ops(Op::land, Op::lor, Op::lxor);
inline constexpr Ops kBitwise = kMoves | ops(Op::band, Op::bor, Op::bxor);
inline constexpr Ops kComplex = kMoves | ops(Op::sum, Op::prod);
inline constexpr Ops kFloating = kComplex | ops(Op::max, Op::min);
inline constexpr Ops kInteger = kFloating | kLogical | kBitwise;
inline constexpr Ops kPair = kMoves | ops(Op::maxloc, Op::minloc);

/// In the order of Kind. What is allowed: MPI-4.0, 6.9.2 and 12.3.4.
inline constexpr std::array<KindTraits, kKinds> kKindTraits{{
    {0, 0, 0},           {0, 0, 0},        {1, 1, 0},          {4, 4, kMoves},     {1, 1, kBitwise},
    {1, 1, kInteger},    {2, 2, kInteger}, {4, 4, kInteger},   {8, 8, kInteger},   {1, 1, kInteger},
    {2, 2, kInteger},    {4, 4, kInteger}, {8, 8, kInteger},   {1, 1, kLogical},   {2, 2, kLogical},
    {4, 4, kLogical},    {8, 8, kLogical}, {4, 4, kFloating},  {8, 8, kFloating},  {16, 16, kFloating},
    {16, 16, kFloating}, {8, 8, kComplex}, {16, 16, kComplex}, {32, 32, kComplex}, {32, 32, kComplex},
    {8, 8, kPair},       {12, 16, kPair},  {12, 16, kPair},    {8, 8, kPair},      {6, 8, kPair},
    {20, 32, kPair},     {8, 8, kPair},    {16, 16, kPair},
}};

}  // namespace detail

/// A predefined type. Two of them are equal when their values are: MPI_LONG is MPI_INT64_T.
class Element {
 public:
  constexpr Element() noexcept = default;
  /// `row` of the list of predefined types, see predefined_types.hpp; kNoRow where only the kind is known.
  constexpr Element(Kind kind, std::uint8_t row) noexcept : kind_{kind}, row_{row} {}
  static constexpr std::uint8_t kNoRow = 255;

  [[nodiscard]] constexpr Kind kind() const noexcept { return kind_; }
  /// Bytes of data.
  [[nodiscard]] constexpr std::size_t bytes() const noexcept { return traits().bytes; }
  /// From one element of an array to the next: for pair types with a gap more than bytes().
  [[nodiscard]] constexpr std::size_t extent() const noexcept { return traits().extent; }
  [[nodiscard]] constexpr bool allows(Op op) const noexcept {
    return (traits().allowed >> static_cast<unsigned>(op) & 1U) != 0;
  }
  /// MPI_Compare_and_swap: C integers, Fortran integers, logical, multi-language types and byte.
  [[nodiscard]] constexpr bool allows_compare_and_swap() const noexcept {
    return kind_ >= Kind::byte && kind_ <= Kind::logical64;
  }
  /// MPI's name of it; without a row that of a type of its kind.
  [[nodiscard]] std::string_view name() const noexcept;

  friend constexpr bool operator==(Element a, Element b) noexcept { return a.kind_ == b.kind_; }

 private:
  [[nodiscard]] constexpr const detail::KindTraits& traits() const noexcept {
    return detail::kKindTraits[static_cast<std::size_t>(kind_)];
  }

  Kind kind_ = Kind::none;
  std::uint8_t row_ = 0;  ///< of the table of predefined types, for the name
};

/// What data of both is built of.
[[nodiscard]] Element together(Element a, Element b) noexcept;

namespace detail {
[[nodiscard]] Error not_allowed(Op op, Element element);
}

/// Code::operation, with both names, where MPI does not allow `op` on `element`. As the MPI library below, we take the
/// character types for integers, which MPI leaves undefined.
[[nodiscard]] inline Status check(Op op, Element element) {
  if (element.allows(op)) return {};
  return detail::not_allowed(op, element);
}

/// The one predefined type that both sides are built of; Code::datatype where a side has none or they differ.
[[nodiscard]] Result<Element> common_element(Element origin, Element target);
/// Code::datatype where MPI_Compare_and_swap is not possible with `element`.
[[nodiscard]] Status check_compare_and_swap(Element element);

}  // namespace psnam::backends
