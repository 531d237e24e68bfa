// The names of the allocations of a series of managed checkpoints, by which later jobs and administrators find them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/catalog.hpp"

namespace psnam::checkpoint {

/// Where a copy of a rank's data is.
enum class CopyKind {
  own,     ///< on the rank's node
  partner  ///< on that of its partner
};

/// The series page; the user's number keeps the series of several users apart. A series has one of two names, 0 or 1:
/// while it goes over to another number of ranks there is a page of each.
[[nodiscard]] std::string series_name(std::uint32_t uid, std::string_view name, int index = 0);
/// What the copies of a series begin with.
[[nodiscard]] std::string copy_prefix(CopyKind kind, const format::Uuid& series);
/// A copy of a rank, 0 or 1.
[[nodiscard]] std::string copy_name(CopyKind kind, const format::Uuid& series, std::uint32_t rank, int index);
/// What the parity areas of a series begin with.
[[nodiscard]] std::string area_prefix(const format::Uuid& series);
/// An id for a series that goes on with `former`. Both are of one family: what the names of their copies and areas have
/// in common, so that a node that was not there when a series ended knows later what is left of it.
[[nodiscard]] format::Uuid related_id(const format::Uuid& former);
/// Of what begins a name, as of the three functions above, the part that the family has in common.
[[nodiscard]] std::string family_of(const std::string& prefix);
/// What the parity areas of a set begin with.
[[nodiscard]] std::string area_prefix(const format::Uuid& series, std::uint32_t set);
/// A name for a new area of it, never given before.
[[nodiscard]] std::string new_area_name(const format::Uuid& series, std::uint32_t set);

/// What such a name says.
struct NameParts {
  enum class Kind { series, copy, area };  // a partner's copy is one of the rank whose data it has
  Kind kind = Kind::series;
  std::string name;          ///< series: as the application calls it
  std::string series;        ///< copy, area: the id of the series, 32 characters
  std::uint32_t number = 0;  ///< series: the user; copy: the rank; area: the set
};
/// Nothing for the name of something else.
[[nodiscard]] std::optional<NameParts> parse_name(std::string_view name);

}  // namespace psnam::checkpoint
