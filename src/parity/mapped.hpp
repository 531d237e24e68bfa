// Parity by members who all have the data of all mapped: no sums pass from one to another. Stripes are dealt out, the
// next one to whoever is free, who reads all of it and writes what comes out. A member that is slow, or has died, keeps
// only the stripes that it had taken: the others get as far as they can and wait for it at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "parity/area.hpp"
#include "parity/rebuild.hpp"

namespace psnam::parity {

/// The data of each member, as this process has them mapped.
using MappedMembers = std::vector<std::span<std::byte>>;

/// As encode_member(), of which it writes the same bytes. Every member's data are complete when it calls this, and stay
/// as they are until all have returned. Code::size too if a member says another size than is mapped here.
[[nodiscard]] Status encode_mapped(Area& area, const Attempt& attempt, std::uint32_t member,
                                   std::span<const std::span<std::byte>> members, Deadline deadline);

/// As rebuild_member(). `members` are as long as in the version, those of lost members too; `lost`: this member is.
/// Whoever takes a stripe writes what is missing or damaged of anybody's data in it.
[[nodiscard]] Status rebuild_mapped(Area& area, const Attempt& attempt, const Version& version, std::uint32_t member,
                                    std::span<const std::span<std::byte>> members, bool lost, Deadline deadline,
                                    RebuildReport& report);

}  // namespace psnam::parity
