// What there is of checkpoints in a NAM and in the stores that are at hand, for people who look: series of managed
// checkpoints with their parts, and libNAM's sets. Nothing is changed, and no job is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/area_memory.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/uses.hpp"

namespace psnam::checkpoint {

/// An allocation that belongs to a series or set, and where it is.
struct FoundPart {
  ServicePointer service;
  std::string place;  ///< for people
  nam::AllocationReport report;
  std::uint32_t number = 0;  ///< copy: the rank; area: the set

  [[nodiscard]] const format::AllocationRecord& record() const noexcept { return report.allocation; }
  /// Not so an area of which a job has not committed the first version yet: it goes with the job.
  [[nodiscard]] bool kept() const noexcept { return record().consistency == format::Consistency::persistent; }
};

/// A series of managed checkpoints; without a page, what is left of one.
struct FoundSeries {
  std::string name;  ///< empty: not known
  std::string id;    ///< 32 characters; empty: not known
  std::uint32_t uid = 0;
  std::optional<FoundPart> page;
  std::optional<Series> series;  ///< as the page says
  std::string problem;           ///< why there is none
  std::vector<FoundPart> copies;
  std::vector<FoundPart> areas;

  /// By jobs that have its page, or, where that is not here, what there is of it: they are used together.
  [[nodiscard]] std::size_t jobs() const;
};

/// A set of libNAM: its areas, of which there are two only if a job died while it moved into a larger one.
struct FoundSet {
  std::string name;  ///< may be empty
  std::array<std::uint8_t, 16> id{};
  std::uint32_t uid = 0;
  std::uint32_t members = 0, parities = 0;
  std::vector<FoundPart> areas;  ///< at least one
  std::string problem;           ///< why nothing else is known

  [[nodiscard]] std::size_t jobs() const;
};

struct Inventory {
  std::vector<FoundSeries> series;  ///< by name
  std::vector<FoundSet> sets;       ///< by the number of the allocation

  /// What the calling user may see. Series are looked for in `nam`, sets in all NAMs beside it too, copies in all of
  /// them and in `stores`.
  static Result<Inventory> take(const ServicePointer& nam, const std::vector<ServicePointer>& stores);
};

/// The series, or what is left of it, goes: areas, copies, and the page as the last. Code::busy while a job has it,
/// unless `force`. True if all memory is gone already.
Result<bool> remove(const FoundSeries& series, bool force);
Result<bool> remove(const FoundSet& set, bool force);

}  // namespace psnam::checkpoint
