// A series of another number of ranks than this job has. Its data are brought together by the processes of this job:
// each former rank has a keeper, a process on a node that still has a copy of it, or any process if no node has; the
// keeper stands for the rank where copies are made whole from the others and the parity.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/condition.hpp"
#include "checkpoint/files.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/redistribution.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/set_areas.hpp"
#include "checkpoint/survey.hpp"
#include "checkpoint/team.hpp"

namespace psnam::checkpoint {

/// What a former series is looked for with.
struct FormerPlaces {
  ServicePointer nam, store;
  std::vector<format::Uuid> nodes;  ///< of the processes of this job
  std::string folder;               ///< of files; empty: none
  std::chrono::milliseconds timeout{0};
};

class Former {
 public:
  /// Collective.
  static Result<std::unique_ptr<Former>> open(const Team& team, const FormerPlaces& places, Series series);
  /// One of which no memory is left, of that many ranks. Collective.
  static Result<std::unique_ptr<Former>> of_files(const Team& team, const FormerPlaces& places, std::string name,
                                                  std::uint32_t ranks);
  Former(const Former&) = delete;
  Former& operator=(const Former&) = delete;

  [[nodiscard]] const Series& series() const noexcept { return series_; }
  /// Collective: what there is.
  Result<Survey> survey();
  /// Collective. The newest version of which every rank has a copy or a file, of number `asked` if that is not 0; none
  /// if there is none.
  Result<VersionKey> newest_with_files(std::uint64_t asked);
  /// Collective. The data of every rank in version `asked`, 0: the newest, are with their keepers after it; no version
  /// if there is nothing. The errors are those of Survey::choose().
  Result<VersionKey> bring_together(std::uint64_t asked, bool or_older);
  /// After it: what this process keeps.
  [[nodiscard]] Result<std::vector<KeptRank>> kept() const;
  /// What was brought together is not needed any more.
  void forget();

 private:
  /// A former rank that this process keeps.
  struct Ward {
    std::vector<LocalCopy> copies;  ///< two of its own, and two of its partner
    std::vector<std::byte> bytes;   ///< of a file, or rebuilt
    std::span<std::byte> payload;   ///< of the version that was brought together
  };

  Former(const Team& team, FormerPlaces places, Series series)
      : team_{team}, places_{std::move(places)}, series_{std::move(series)} {}

  Status find_copies();
  Result<std::vector<std::uint64_t>> copies_here() const;
  void choose_keepers(const std::vector<std::vector<std::uint64_t>>& found);
  Status open_wards();
  Status find_areas();
  [[nodiscard]] std::uint32_t leader_of(std::uint32_t set) const { return series_.ranks_of(set).front(); }
  [[nodiscard]] bool leads(std::uint32_t set) const { return wards_.contains(leader_of(set)); }
  [[nodiscard]] RankState state_of(std::uint32_t rank) const;
  [[nodiscard]] Files files_of(std::uint32_t rank) const;

  Status make_whole(const Survey& survey, const VersionKey& key);
  Status rebuild(const VersionKey& key, const std::vector<std::uint32_t>& sets, const std::vector<Condition>& all);
  Result<std::map<std::uint32_t, parity::Attempt>> prepare(const VersionKey& key,
                                                           const std::vector<std::uint32_t>& sets,
                                                           const std::vector<Condition>& all);
  Status rebuild_ward(const VersionKey& key, std::uint32_t rank, const parity::Attempt& attempt, bool is_lost);
  Status load_files(const VersionKey& key);

  Team team_;
  FormerPlaces places_;
  Series series_;
  std::vector<std::uint32_t> keeper_;        ///< of each former rank
  std::map<std::uint32_t, Ward> wards_;      ///< by former rank
  std::map<std::uint32_t, SetAreas> areas_;  ///< of the sets that they are in
};

}  // namespace psnam::checkpoint
