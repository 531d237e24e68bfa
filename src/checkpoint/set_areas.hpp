// The parity of one set of a series: the area that is written to, and the smaller one before it as long as only that
// has the newest complete version. The leader of the set, its first rank, makes and releases areas; the others follow.
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

  /// Committed versions of both.
  [[nodiscard]] std::array<VersionKey, 4> versions() const;
  [[nodiscard]] std::optional<ParityPlace> find(const VersionKey& key) const;

  /// `newest` is complete: the leader drops what is newer, and what is not needed any more goes.
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
  static void drop(AreaMemory& memory, const parity::Version& version);
  void let_go(const AreaPointer& memory) const;

  ServicePointer nam_;
  const Series& series_;
  std::uint32_t set_;
  bool leads_;
  AreaPointer current_, previous_;
};

/// The key of a version in its note, and back.
[[nodiscard]] parity::Note note_of(const VersionKey& key);
[[nodiscard]] VersionKey key_of(const parity::Version& version);

}  // namespace psnam::checkpoint
