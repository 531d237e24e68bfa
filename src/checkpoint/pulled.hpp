// A member's share where the service makes the parity (nam/parity_service.hpp): in sets with a process that does not
// map the area.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "checkpoint/area_memory.hpp"
#include "parity/encode.hpp"
#include "parity/rebuild.hpp"

namespace psnam::checkpoint {

/// An attempt at `version` that all members are told of. Only its two first numbers mean something.
[[nodiscard]] parity::Attempt pulled_attempt(std::uint64_t version);

/// As parity::encode_member() and Area::commit() of all. `checksums`: of the blocks of `bytes`.
[[nodiscard]] Status encode_pulled(AreaMemory& memory, const parity::Attempt& attempt, const parity::Note& note,
                                   const parity::MemberData& data, std::span<const std::uint32_t> checksums,
                                   parity::Deadline deadline);
/// As parity::rebuild_member(). Member 0 reports what was repaired.
[[nodiscard]] Status rebuild_pulled(AreaMemory& memory, const parity::Attempt& attempt,
                                    const parity::MemberBuffer& data, parity::Deadline deadline,
                                    parity::RebuildReport& report);

}  // namespace psnam::checkpoint
