// The names of the allocations of a series of managed checkpoints, by which later jobs and administrators find them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/catalog.hpp"

namespace psnam::checkpoint {

/// The series page; the user's number keeps the series of several users apart.
[[nodiscard]] std::string series_name(std::uint32_t uid, std::string_view name);
/// A copy of a rank, 0 or 1.
[[nodiscard]] std::string copy_name(const format::Uuid& series, std::uint32_t rank, int index);
/// What the parity areas of a set begin with.
[[nodiscard]] std::string area_prefix(const format::Uuid& series, std::uint32_t set);
/// A name for a new area of it, never given before.
[[nodiscard]] std::string new_area_name(const format::Uuid& series, std::uint32_t set);

/// What such a name says.
struct NameParts {
  enum class Kind { series, copy, area };
  Kind kind = Kind::series;
  std::string name;          ///< series: as the application calls it
  std::string series;        ///< copy, area: the id of the series, 32 characters
  std::uint32_t number = 0;  ///< series: the user; copy: the rank; area: the set
};
/// Nothing for the name of something else.
[[nodiscard]] std::optional<NameParts> parse_name(std::string_view name);

}  // namespace psnam::checkpoint
