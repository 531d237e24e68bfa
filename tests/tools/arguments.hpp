// What a script tells the program of a test: arguments `key=value`.
#pragma once

#include <cstdint>
#include <string>

#include "mpi/mpi_test.hpp"

namespace psnam::test {

/// The value of `key=value` among the program's arguments.
[[nodiscard]] inline std::string argument(const std::string& key, const std::string& otherwise = "") {
  for (const std::string& text : arguments())
    if (text.rfind(key + "=", 0) == 0) return text.substr(key.size() + 1);
  return otherwise;
}

[[nodiscard]] inline std::uint64_t number(const std::string& key, std::uint64_t otherwise = 0) {
  const std::string text = argument(key);
  return text.empty() ? otherwise : std::stoull(text);
}

}  // namespace psnam::test
