// How the members of common work begin, and what they tell each other of damage, in the memory of the area. Nothing
// that another member has written there is believed.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "parity/patterns.hpp"
#include "parity/team.hpp"

namespace psnam::parity {

/// A number that is no member's has no seat to give up from.
[[nodiscard]] Status check_member(const Area& area, std::uint32_t member);
/// There is one for each member.
[[nodiscard]] Status check_mapped(const Area& area, std::span<const std::span<std::byte>> members);

/// Says how much data this member has, waits for the others, and gives everybody's sizes.
[[nodiscard]] Result<std::vector<std::uint64_t>> join(const Area& area, const Team& team, const Attempt& attempt,
                                                      std::uint32_t member, std::uint64_t bytes, Deadline deadline);
/// Says whether this member's data are lost, waits for the others, and gives those who are.
[[nodiscard]] Result<std::vector<std::uint32_t>> join_rebuild(const Area& area, const Team& team, std::uint32_t member,
                                                              bool lost, Deadline deadline);

/// A stripe that nobody has taken yet, where any member can do any. None when all `stripes` are taken, or the attempt
/// is over.
[[nodiscard]] std::optional<std::uint64_t> take_stripe(const Area& area, const Attempt& attempt,
                                                       std::uint64_t stripes) noexcept;
/// After so many stripes a member looks whether another one has given up.
inline constexpr std::uint64_t kLooksAtTeam = 16;

/// Puts a block on the list of damage.
void note_damage(const Area& area, const BadBlock& bad) noexcept;
/// The list, by stripe. Code::corrupt if there is more than fits on it, or something that no block is.
[[nodiscard]] Result<std::map<std::uint64_t, std::vector<BadBlock>>> noted_damage(const Area& area,
                                                                                  const Patterns& patterns);

// What every rebuild has to refuse.
[[nodiscard]] Error damaged_now(const Area& area, const Version& version, const BadBlock& bad);
/// `checksum`: of what comes out for `block`.
[[nodiscard]] Status check_result(const Area& area, const Version& version, const BadBlock& block,
                                  std::uint32_t checksum);

}  // namespace psnam::parity
