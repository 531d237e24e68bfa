// Getting lost members' data back from the others and the parity. What is used is verified before, what comes out is
// verified after: no byte is handed out whose checksum does not hold. A block that is damaged counts as lost for its
// stripe alone, so that damage in many places is repaired as long as no stripe has more of it than there are parities.
//
// By one process that gets at everybody's data, or by all members at once on an area that all have mapped, those
// without data with an empty buffer of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "parity/area.hpp"
#include "parity/source.hpp"

namespace psnam::parity {

struct RebuildReport {
  std::uint64_t version = 0;
  std::vector<std::uint32_t> rebuilt;  ///< members that were lost and are whole again
  std::vector<BadBlock> repaired;      ///< damaged blocks of data and parity that are whole again
  std::optional<std::uint64_t> older;  ///< on refusal: another committed version that can be asked for
};

/// One process. `lost` names members of which nothing is there; `source` has the others, `sink` takes what is
/// rebuilt and, for damaged blocks of members that are there, the right bytes. Damaged parity is repaired in the area.
/// Code::peer_lost if more members are lost than there are parities, before anything is written; Code::corrupt, naming
/// member and block, if damage makes it too many in a stripe: what `sink` took until then is right, the rest is
/// missing. The report is filled on failure too.
[[nodiscard]] Status rebuild_all(Area& area, const Version& version, std::span<const std::uint32_t> lost,
                                 Source& source, Sink& sink, RebuildReport& report);

/// All members at once: one calls area.begin_rebuild(), every one of the set calls this with that attempt.
struct MemberBuffer {
  std::uint32_t member = 0;
  std::span<std::byte> bytes;  ///< exactly as long as the member is in the version
  bool lost = false;           ///< nothing is there yet: it is filled
};
/// `report.repaired` of a member names what this process repaired: its own data, and some of the parity. After a
/// failure what is in a lost member's buffer counts for nothing.
[[nodiscard]] Status rebuild_member(Area& area, const Attempt& attempt, const Version& version,
                                    const MemberBuffer& data, Deadline deadline, RebuildReport& report);

/// Whether a member's data is as it was in the version: the blocks that are not.
[[nodiscard]] std::vector<BadBlock> verify_member(const Area& area, const Version& version, std::uint32_t member,
                                                  std::span<const std::byte> bytes);

}  // namespace psnam::parity
