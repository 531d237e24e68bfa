#include "rma/element.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "backends/predefined_types.hpp"

namespace psnam::rma {
namespace {

enum class Family : std::uint8_t {
  packed,
  wide_char,
  byte,
  character,
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
  Family family;
  Kind pair = Kind::none;
};

#define PSNAM_ROW(type, ...) Row{type, __VA_ARGS__},
constexpr std::array kRows{PSNAM_PREDEFINED_TYPES(PSNAM_ROW)};
#undef PSNAM_ROW
static_assert(kRows.size() < Element::kNoRow);

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
    case Family::character:
      return std::is_signed_v<char> ? of_size(bytes, Kind::int8) : of_size(bytes, Kind::uint8);
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

}  // namespace psnam::rma
