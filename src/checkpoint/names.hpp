// The names of the allocations of a series of managed checkpoints, by which later jobs and administrators find them.
#pragma once

#include <cstdint>
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

}  // namespace psnam::checkpoint
