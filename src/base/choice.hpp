// Choice tables: every family of names a user may write (info values, log levels, paths) is one constexpr table of rows
// {name, one line of help, value}. Names match exactly; an unknown one fails with a message that lists the known ones.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace psnam {

template <class T>
struct Choice {
  std::string_view name;
  std::string_view help;
  T value;
};

/// The known names of a table, comma separated, in its order.
template <class T>
[[nodiscard]] std::string known_names(std::span<const Choice<T>> table) {
  std::string names;
  for (const auto& row : table) {
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

/// The value called `name`; `subject` is what the message calls the thing being chosen (an info key, a variable).
template <class T>
[[nodiscard]] Result<T> choose(std::string_view subject, std::string_view name, std::span<const Choice<T>> table,
                               Code code = Code::info_value) {
  for (const auto& row : table)
    if (row.name == name) return row.value;
  return Error{
      code, std::string{subject} + " = \"" + std::string{name} + "\" is unknown; known values: " + known_names(table)};
}

/// The name of `value`, which must be in the table.
template <class T>
[[nodiscard]] std::string_view name_of(T value, std::span<const Choice<T>> table) noexcept {
  for (const auto& row : table)
    if (row.value == value) return row.name;
  return "?";
}

// The same for tables given as arrays, from which the span's element type cannot be deduced.
template <class T, std::size_t N>
[[nodiscard]] Result<T> choose(std::string_view subject, std::string_view name, const std::array<Choice<T>, N>& table,
                               Code code = Code::info_value) {
  return choose(subject, name, std::span<const Choice<T>>{table}, code);
}
template <class T, std::size_t N>
[[nodiscard]] std::string_view name_of(T value, const std::array<Choice<T>, N>& table) noexcept {
  return name_of(value, std::span<const Choice<T>>{table});
}

}  // namespace psnam
