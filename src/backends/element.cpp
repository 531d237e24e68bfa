#include "backends/element.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "backends/predefined_types.hpp"

namespace psnam::backends {
namespace {

#define PSNAM_NAME(type, ...) std::string_view{#type},
constexpr std::array kNames{PSNAM_PREDEFINED_TYPES(PSNAM_NAME)};
#undef PSNAM_NAME

// In the order of Kind.
constexpr std::array<std::string_view, kKinds> kKindNames{"a datatype without data",
                                                          "a datatype of several predefined types",
                                                          "MPI_PACKED",
                                                          "MPI_WCHAR",
                                                          "MPI_BYTE",
                                                          "MPI_INT8_T",
                                                          "MPI_INT16_T",
                                                          "MPI_INT32_T",
                                                          "MPI_INT64_T",
                                                          "MPI_UINT8_T",
                                                          "MPI_UINT16_T",
                                                          "MPI_UINT32_T",
                                                          "MPI_UINT64_T",
                                                          "MPI_C_BOOL",
                                                          "a logical of 2 bytes",
                                                          "a logical of 4 bytes",
                                                          "a logical of 8 bytes",
                                                          "MPI_FLOAT",
                                                          "MPI_DOUBLE",
                                                          "MPI_LONG_DOUBLE",
                                                          "MPI_REAL16",
                                                          "MPI_C_FLOAT_COMPLEX",
                                                          "MPI_C_DOUBLE_COMPLEX",
                                                          "MPI_C_LONG_DOUBLE_COMPLEX",
                                                          "MPI_COMPLEX32",
                                                          "MPI_FLOAT_INT",
                                                          "MPI_DOUBLE_INT",
                                                          "MPI_LONG_INT",
                                                          "MPI_2INT",
                                                          "MPI_SHORT_INT",
                                                          "MPI_LONG_DOUBLE_INT",
                                                          "MPI_2REAL",
                                                          "MPI_2DOUBLE_PRECISION"};

}  // namespace

std::string_view Element::name() const noexcept {
  const bool by_kind = kind_ == Kind::none || kind_ == Kind::mixed || row_ >= kNames.size();
  return by_kind ? kKindNames[static_cast<std::size_t>(kind_)] : kNames[row_];
}

Element together(Element a, Element b) noexcept {
  if (a.kind() == Kind::none) return b;
  if (b.kind() == Kind::none || a == b) return a;
  return Element{Kind::mixed, 0};
}

Error detail::not_allowed(Op op, Element element) {
  return Error{Code::operation, fmt::format("{} is not allowed on {}", backends::name(op), element.name())};
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

}  // namespace psnam::backends
