// The parity of one set of a series: the area that is written to, and smaller ones before it as long as only those have
// versions that are kept. The leader of the set, its first rank, makes and releases areas; the others follow.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/area_memory.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/survey.hpp"
#include "checkpoint/version_key.hpp"

namespace psnam::checkpoint {

using AreaPointer = std::shared_ptr<AreaMemory>;

/// A committed version, and where it is.
struct ParityPlace {
  AreaPointer memory;
  parity::Version version;
};

class SetAreas {
 public:
  SetAreas(ServicePointer nam, const Series& series, std::uint32_t set, bool leads)
      : nam_{std::move(nam)}, series_{series}, set_{set}, leads_{leads} {}

  /// Leader: what earlier jobs have left.
  Status find();
  /// What the areas have is looked at anew, where they are not mapped.
  Status refresh();
  /// Leader: for the others.
  [[nodiscard]] AreaTickets tickets() const;
  /// The others: the same areas as the leader.
  Status follow(const AreaTickets& leader);

  /// The newest committed versions of all areas; as many as are kept at most.
  [[nodiscard]] std::array<VersionKey, kMostVersions> versions() const;
  [[nodiscard]] std::optional<ParityPlace> find(const VersionKey& key) const;

  /// `newest` is complete: the leader drops what is newer, and areas go of which no version is kept when the next one
  /// is saved.
  void settle(const VersionKey& newest);
  /// What a version of that size is to be written to: the present area, or else null.
  [[nodiscard]] AreaPointer fitting(std::uint64_t longest_bytes) const;
  /// Leader: a new area.
  Result<AreaPointer> allocate(std::uint64_t longest_bytes);
  Result<AreaPointer> connect(const AreaTicket& ticket);
  /// A version in `memory` is committed.
  void adopt(const AreaPointer& memory);
  /// Leader: all areas go.
  Status remove();

 private:
  Result<std::vector<AreaPointer>> connect_all();
  /// Of all areas, newest first.
  [[nodiscard]] std::vector<VersionKey> all_versions() const;
  static void drop(AreaMemory& memory, const parity::Version& version);
  void let_go(const AreaPointer& memory) const;

  ServicePointer nam_;
  const Series& series_;
  std::uint32_t set_;
  bool leads_;
  std::vector<AreaPointer> areas_;  ///< the one that is written to first
};

/// The key of a version in its note, and back.
[[nodiscard]] parity::Note note_of(const VersionKey& key);
[[nodiscard]] VersionKey key_of(const parity::Version& version);

}  // namespace psnam::checkpoint
