// Which version of a series: the number that the application counts by, and when it was begun, so that two attempts at
// one number are never taken for each other.
#pragma once

#include <compare>
#include <cstdint>

namespace psnam::checkpoint {

struct VersionKey {
  std::uint64_t number = 0;  ///< 0: no version
  std::uint64_t stamp = 0;   ///< since 1970 in ns; the same on all ranks

  [[nodiscard]] explicit operator bool() const noexcept { return number != 0; }
  auto operator<=>(const VersionKey&) const = default;
};

}  // namespace psnam::checkpoint
