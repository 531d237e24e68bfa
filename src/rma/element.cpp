#include "rma/element.hpp"

#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

namespace psnam::rma {
namespace {

enum class Family : std::uint8_t {
  packed,
  wide_char,
  byte,
  integer,
  natural,  ///< unsigned
  logical,
  floating,
  long_double,
  complex,
  complex_long_double,
  pair,
};

struct Row {
  MPI_Datatype type;
  std::string_view name;
  Family family;
  Kind pair = Kind::none;
};

constexpr Family kChar = std::is_signed_v<char> ? Family::integer : Family::natural;

#define PSNAM_ROW(type, ...) \
  Row { type, #type, __VA_ARGS__ }
constexpr std::array kRows{
    PSNAM_ROW(MPI_CHAR, kChar),
    PSNAM_ROW(MPI_SIGNED_CHAR, Family::integer),
    PSNAM_ROW(MPI_UNSIGNED_CHAR, Family::natural),
    PSNAM_ROW(MPI_BYTE, Family::byte),
    PSNAM_ROW(MPI_PACKED, Family::packed),
    PSNAM_ROW(MPI_WCHAR, Family::wide_char),
    PSNAM_ROW(MPI_SHORT, Family::integer),
    PSNAM_ROW(MPI_UNSIGNED_SHORT, Family::natural),
    PSNAM_ROW(MPI_INT, Family::integer),
    PSNAM_ROW(MPI_UNSIGNED, Family::natural),
    PSNAM_ROW(MPI_LONG, Family::integer),
    PSNAM_ROW(MPI_UNSIGNED_LONG, Family::natural),
    PSNAM_ROW(MPI_LONG_LONG_INT, Family::integer),
    PSNAM_ROW(MPI_UNSIGNED_LONG_LONG, Family::natural),
    PSNAM_ROW(MPI_INT8_T, Family::integer),
    PSNAM_ROW(MPI_INT16_T, Family::integer),
    PSNAM_ROW(MPI_INT32_T, Family::integer),
    PSNAM_ROW(MPI_INT64_T, Family::integer),
    PSNAM_ROW(MPI_UINT8_T, Family::natural),
    PSNAM_ROW(MPI_UINT16_T, Family::natural),
    PSNAM_ROW(MPI_UINT32_T, Family::natural),
    PSNAM_ROW(MPI_UINT64_T, Family::natural),
    PSNAM_ROW(MPI_AINT, Family::integer),
    PSNAM_ROW(MPI_OFFSET, Family::integer),
    PSNAM_ROW(MPI_COUNT, Family::integer),
    PSNAM_ROW(MPI_FLOAT, Family::floating),
    PSNAM_ROW(MPI_DOUBLE, Family::floating),
    PSNAM_ROW(MPI_LONG_DOUBLE, Family::long_double),
    PSNAM_ROW(MPI_C_BOOL, Family::logical),
    PSNAM_ROW(MPI_C_FLOAT_COMPLEX, Family::complex),
    PSNAM_ROW(MPI_C_DOUBLE_COMPLEX, Family::complex),
    PSNAM_ROW(MPI_C_LONG_DOUBLE_COMPLEX, Family::complex_long_double),
    // Fortran
    PSNAM_ROW(MPI_INTEGER, Family::integer),
    PSNAM_ROW(MPI_INTEGER1, Family::integer),
    PSNAM_ROW(MPI_INTEGER2, Family::integer),
    PSNAM_ROW(MPI_INTEGER4, Family::integer),
    PSNAM_ROW(MPI_INTEGER8, Family::integer),
    PSNAM_ROW(MPI_INTEGER16, Family::integer),
    PSNAM_ROW(MPI_REAL, Family::floating),
    PSNAM_ROW(MPI_REAL4, Family::floating),
    PSNAM_ROW(MPI_REAL8, Family::floating),
    PSNAM_ROW(MPI_REAL16, Family::floating),
    PSNAM_ROW(MPI_DOUBLE_PRECISION, Family::floating),
    PSNAM_ROW(MPI_COMPLEX, Family::complex),
    PSNAM_ROW(MPI_COMPLEX8, Family::complex),
    PSNAM_ROW(MPI_COMPLEX16, Family::complex),
    PSNAM_ROW(MPI_COMPLEX32, Family::complex),
    PSNAM_ROW(MPI_DOUBLE_COMPLEX, Family::complex),
    PSNAM_ROW(MPI_LOGICAL, Family::logical),
    PSNAM_ROW(MPI_CHARACTER, kChar),
    // C++
    PSNAM_ROW(MPI_CXX_BOOL, Family::logical),
    PSNAM_ROW(MPI_CXX_FLOAT_COMPLEX, Family::complex),
    PSNAM_ROW(MPI_CXX_DOUBLE_COMPLEX, Family::complex),
    PSNAM_ROW(MPI_CXX_LONG_DOUBLE_COMPLEX, Family::complex_long_double),
    // Value and index
    PSNAM_ROW(MPI_FLOAT_INT, Family::pair, Kind::float_int),
    PSNAM_ROW(MPI_DOUBLE_INT, Family::pair, Kind::double_int),
    PSNAM_ROW(MPI_LONG_INT, Family::pair, Kind::long_int),
    PSNAM_ROW(MPI_2INT, Family::pair, Kind::int_int),
    PSNAM_ROW(MPI_SHORT_INT, Family::pair, Kind::short_int),
    PSNAM_ROW(MPI_LONG_DOUBLE_INT, Family::pair, Kind::float80_int),
    PSNAM_ROW(MPI_2REAL, Family::pair, Kind::float_float),
    PSNAM_ROW(MPI_2DOUBLE_PRECISION, Family::pair, Kind::double_double),
    PSNAM_ROW(MPI_2INTEGER, Family::pair, Kind::int_int),
};
#undef PSNAM_ROW
static_assert(kRows.size() < 256);

// The one of `kinds` that has `bytes` bytes.
template <class... Kinds>
Kind of_size(std::size_t bytes, Kinds... kinds) noexcept {
  Kind found = Kind::mixed;
  ((found = Element{kinds, 0}.bytes() == bytes ? kinds : found), ...);
  return found;
}

Kind kind_of(const Row& row, std::size_t bytes) noexcept {
  switch (row.family) {
    case Family::packed:
      return Kind::packed;
    case Family::wide_char:
      return of_size(bytes, Kind::wide_char);
    case Family::byte:
      return Kind::byte;
    case Family::integer:
      return of_size(bytes, Kind::int8, Kind::int16, Kind::int32, Kind::int64);
    case Family::natural:
      return of_size(bytes, Kind::uint8, Kind::uint16, Kind::uint32, Kind::uint64);
    case Family::logical:
      return of_size(bytes, Kind::logical8, Kind::logical16, Kind::logical32, Kind::logical64);
    case Family::floating:
      return of_size(bytes, Kind::float32, Kind::float64, Kind::float128);
    case Family::long_double:
      return of_size(bytes, Kind::float80);
    case Family::complex:
      return of_size(bytes, Kind::complex32, Kind::complex64, Kind::complex128);
    case Family::complex_long_double:
      return of_size(bytes, Kind::complex80);
    case Family::pair:
      return of_size(bytes, row.pair);
  }
  return Kind::mixed;
}

Element element_of(const Row& row, std::size_t bytes) noexcept {
  return Element{kind_of(row, bytes), static_cast<std::uint8_t>(&row - kRows.data())};
}

}  // namespace

std::string_view Element::name() const noexcept {
  if (kind_ == Kind::none) return "a datatype without data";
  if (kind_ == Kind::mixed) return "a datatype of several predefined types";
  return kRows[row_].name;
}

std::size_t predefined_type_count() noexcept { return kRows.size(); }

MPI_Datatype predefined_type(std::size_t row) noexcept { return kRows[row].type; }

Element predefined_element(MPI_Datatype type, std::size_t bytes) noexcept {
  if (bytes == 0) return {};
  const auto* const row = std::ranges::find(kRows, type, &Row::type);
  return row == kRows.end() ? Element{Kind::mixed, 0} : element_of(*row, bytes);
}

// Sixteen bytes of a real are one of two formats, which the envelope does not tell.
Element f90_element(int combiner, std::size_t bytes) noexcept {
  if (combiner == MPI_COMBINER_F90_INTEGER) return predefined_element(MPI_INTEGER, bytes);
  if (combiner == MPI_COMBINER_F90_REAL && bytes <= 8) return predefined_element(MPI_REAL, bytes);
  if (combiner == MPI_COMBINER_F90_COMPLEX && bytes <= 16) return predefined_element(MPI_COMPLEX, bytes);
  return Element{Kind::mixed, 0};
}

Element together(Element a, Element b) noexcept {
  if (a.kind() == Kind::none) return b;
  if (b.kind() == Kind::none || a == b) return a;
  return Element{Kind::mixed, 0};
}

Error detail::not_allowed(Op op, Element element) {
  return Error{Code::operation, fmt::format("{} is not allowed on {}", rma::name(op), element.name())};
}

Result<Element> common_element(Element origin, Element target) {
  for (const auto& [element, side] : {std::pair{origin, "origin"}, std::pair{target, "target"}})
    if (element.kind() == Kind::none || element.kind() == Kind::mixed)
      return Error{Code::datatype, fmt::format("an accumulate needs data of one predefined type; the {} type is {}",
                                               side, element.name())};
  if (origin == target) return target;
  return Error{Code::datatype,
               fmt::format("the origin type is built of {}, the target type of {}", origin.name(), target.name())};
}

Status check_compare_and_swap(Element element) {
  if (element.allows_compare_and_swap()) return {};
  return Error{
      Code::datatype,
      fmt::format("{} cannot be compared and swapped: only integer, logical and byte types can", element.name())};
}

}  // namespace psnam::rma
