// What there is of each version, as all ranks have said it at one moment, and what follows: which versions can be had
// again, and at what price. Every rank comes to the same judgement, because all judge the same words.
//
// A version is complete in a set if its parity is committed and no more ranks miss their copies than there are
// parities, or if no rank misses its copy. What its partner has is a rank's copy too. It is complete if it is so in
// every set. A copy is committed before the
// parity is, so whoever dies at whatever instant, the version that was complete before is complete as long as its
// copies and its parity are not overwritten; and they are not before a newer one is complete.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/area_memory.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/version_key.hpp"

namespace psnam::checkpoint {

/// Of a series, or of the parity of a set, at most.
inline constexpr std::size_t kMostVersions = format::kCheckpointMaxKept;

/// The areas of a set, as its leader has them, the one that is written to first; an id of 0: none.
/// One more than versions: that one has none that is kept.
using AreaTickets = std::array<AreaTicket, kMostVersions + 1>;

/// What a rank says. Plain bytes.
struct RankState {
  std::array<VersionKey, kMostVersions> copies{};
  std::array<VersionKey, kMostVersions> partners{};  ///< copies of its data, with its partner, who has said so
  std::array<VersionKey, kMostVersions> parities{};  ///< newest committed versions of the set; said by its leader
  AreaTickets areas{};                               ///< likewise
  std::uint64_t payload_bytes = 0;                   ///< as registered now
  std::uint64_t bytes_to_flush = 0;                  ///< of the file that it writes now, or has written last
  std::uint64_t bytes_flushed = 0;
  std::uint64_t asked = 0;  ///< version
  std::uint64_t now_ns = 0;
  std::uint32_t operation = 0;
  std::uint32_t under_way = 0;
  std::uint32_t confirmed = 0;  ///< bits: the copies that are known to be of a version that was complete
  std::uint32_t reserved = 0;
};

struct Judgement {
  bool complete = false;
  bool committed = false;            ///< it was complete, as the parity of every set tells, or a copy
  std::vector<std::uint32_t> lost;   ///< ranks without a copy of their own
  std::vector<std::uint32_t> fatal;  ///< those of them that are in sets that cannot make them again
};

class Survey {
 public:
  Survey(const Series& series, std::vector<RankState> states) : series_{series}, states_{std::move(states)} {}

  [[nodiscard]] const std::vector<RankState>& states() const noexcept { return states_; }
  [[nodiscard]] const AreaTickets& areas(std::uint32_t set) const;
  /// All of which anything is left, newest first.
  [[nodiscard]] std::vector<VersionKey> versions() const;
  [[nodiscard]] Judgement judge(const VersionKey& key) const;
  [[nodiscard]] bool committed(const VersionKey& key, std::uint32_t set) const;
  [[nodiscard]] bool has_copy(const VersionKey& key, std::uint32_t rank) const;
  [[nodiscard]] bool has_partner(const VersionKey& key, std::uint32_t rank) const;
  /// Newest first.
  [[nodiscard]] std::vector<VersionKey> complete() const;
  /// The newest complete version; none without any.
  [[nodiscard]] VersionKey newest() const;
  /// The newest complete version before `key`.
  [[nodiscard]] VersionKey before(const VersionKey& key) const;
  /// What the next version is not written over: the newest complete one, and not `unusable`, which is damaged beyond
  /// repair. One that is not protected as it should be, and that nobody was told is saved, was left by a save that
  /// failed: where there is one before it, that is kept.
  [[nodiscard]] VersionKey to_keep(const VersionKey& unusable) const;
  /// What is to be restored of number `asked`, 0: the newest. No version if there is nothing at all.
  /// Code::name_not_found for another number; Code::peer_lost, naming the ranks, if what was committed cannot be had
  /// again, and not `or_older` is enough.
  [[nodiscard]] Result<VersionKey> choose(std::uint64_t asked, bool or_older) const;
  /// The longest data of a member of the set.
  [[nodiscard]] std::uint64_t longest_bytes(std::uint32_t set) const;

 private:
  [[nodiscard]] bool confirmed(const VersionKey& key) const;
  /// Whether all parity and partners' copies are there.
  [[nodiscard]] bool is_protected(const VersionKey& key) const;
  [[nodiscard]] Error all_lost() const;
  [[nodiscard]] Error lost(const VersionKey& key, const Judgement& judgement) const;

  const Series& series_;
  std::vector<RankState> states_;
};

}  // namespace psnam::checkpoint
