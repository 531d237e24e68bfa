// Making the parity of a version: by all members at once, each with its own data, over an area that all have mapped; or
// by one process that gets at everybody's data. Both write the same bytes.
//
//   one:          attempt = area.begin(number)            -- tell the attempt to all members
//   every member: encode_member(area, attempt, ...)       -- at the same time; each byte is read once
//   one:          area.commit(attempt, deadline)          -- when all have returned success
//
//   one process:  encode_all(area, number, ...)           -- begin and commit in it
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "parity/area.hpp"
#include "parity/source.hpp"

namespace psnam::parity {

/// Bytes of a member that lie together.
struct Piece {
  std::span<const std::byte> bytes;  ///< any alignment
  std::byte* copy_to = nullptr;      ///< if set, as many bytes go there on the same pass, past the caches
};

struct MemberData {
  std::uint32_t member = 0;
  std::span<const std::byte> bytes;  ///< any alignment, any size up to the capacity; 0 too
  std::byte* copy_to = nullptr;      ///< as in Piece
  /// What comes after `bytes`. Every piece is whole blocks of the area then, but for the last one that is not empty.
  std::span<const Piece> further{};

  [[nodiscard]] std::uint64_t size() const noexcept;
};

/// A member's share. Every member of the set calls it once for the attempt, from its own process or thread.
/// Code::size if the data is longer than the capacity; Code::peer_lost, naming who is waited for, when `deadline`
/// passes or another member has failed; Code::sync if the attempt is not the one under way. After an error of any
/// member the attempt is lost and another is begun when all have returned.
[[nodiscard]] Status encode_member(Area& area, const Attempt& attempt, const MemberData& data, Deadline deadline);

/// The copies that `data` asks for, and the checksum of each block, without any parity.
[[nodiscard]] std::vector<std::uint32_t> copy_member(const MemberData& data, std::uint32_t block_bytes);

struct EncodeReport {
  std::uint64_t version = 0;
  std::uint64_t stripes = 0;
  std::uint64_t stripes_kept = 0;     ///< nobody had changed them: parity taken over from the version before
  std::uint64_t stripes_updated = 0;  ///< made from the version before and what has changed
  std::uint64_t bytes_read = 0;       ///< of members' data
};

struct EncodeOptions {
  Note note{};
  Changes* changes = nullptr;   ///< null: everything is read
  std::size_t read_ahead = 32;  ///< blocks that are being brought while others are worked on
};

/// Everything of `sizes.size()` members, which are those of the area, from `source`. Commits.
[[nodiscard]] Result<EncodeReport> encode_all(Area& area, std::uint64_t number, std::span<const std::uint64_t> sizes,
                                              Source& source, const EncodeOptions& options = {});

}  // namespace psnam::parity
