// A series of managed checkpoints as it lies there, for people who look: which versions there are, where each rank's
// copy is, what is damaged. What is on other nodes is not seen.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/inventory.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/seen_memory.hpp"
#include "checkpoint/survey.hpp"
#include "parity/area.hpp"

namespace psnam::checkpoint {

struct SeenCopy {
  const FoundPart* part;
  SeenMemory memory;
  CopyOwner owner;
  VersionKey version;               ///< none while it is written, or if it is damaged
  std::uint64_t payload_bytes = 0;  ///< of the version
  std::string damage;               ///< why it is none, where that is not in order

  [[nodiscard]] CopyView view() const noexcept { return {memory.bytes(), owner}; }
  [[nodiscard]] std::uint32_t rank() const noexcept { return owner.rank; }
  /// Fills in the last three, as they are now.
  Status look();
  /// The version that is there now; none if there is none.
  [[nodiscard]] Result<VersionKey> version_now() const;
};

struct SeenArea {
  const FoundPart* part;
  SeenMemory memory;
  parity::Area area;

  [[nodiscard]] std::uint32_t set() const noexcept { return part->number; }
};

/// A committed version in the parity of a set.
struct SeenParity {
  const SeenArea* area;
  parity::Version version;
};

/// What somebody begins and has not ended.
struct UnderWay {
  std::uint64_t number = 0;
  std::uint32_t sets = 0;  ///< in which it was begun
};

class SeenSeries {
 public:
  /// `found` has its page, and stays as long as this.
  static Result<std::unique_ptr<SeenSeries>> open(const FoundSeries& found);

  [[nodiscard]] const FoundSeries& found() const noexcept { return found_; }
  [[nodiscard]] const Series& series() const noexcept { return *found_.series; }
  [[nodiscard]] const std::vector<SeenCopy>& copies() const noexcept { return copies_; }
  [[nodiscard]] const std::vector<SeenArea>& areas() const noexcept { return areas_; }
  /// What is not as it was written, as far as headers tell: one sentence each.
  [[nodiscard]] std::vector<std::string> damage() const;

  [[nodiscard]] const SeenCopy* copy_of(std::uint32_t rank, const VersionKey& key) const;
  [[nodiscard]] std::optional<SeenParity> parity_of(std::uint32_t set, const VersionKey& key) const;
  [[nodiscard]] std::vector<UnderWay> under_way() const;

  /// As the ranks of a job would say it, if all of them saw what is here.
  [[nodiscard]] Survey survey() const;
  /// Versions of which all parity is committed, or every copy is here; newest first.
  [[nodiscard]] std::vector<VersionKey> versions() const;

 private:
  explicit SeenSeries(const FoundSeries& found) : found_{found} {}
  void open_copy(const FoundPart& part);
  void open_area(const FoundPart& part);

  const FoundSeries& found_;
  std::vector<SeenCopy> copies_;
  std::vector<SeenArea> areas_;
  std::vector<std::string> unreadable_;
};

/// Brings what tells of versions, so that versions() and slots() of it say what is there.
Result<parity::Area> look_at_area(const SeenMemory& memory);

}  // namespace psnam::checkpoint
