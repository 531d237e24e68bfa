#include "checkpoint/former.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/log.hpp"
#include "checkpoint/file_survey.hpp"
#include "checkpoint/names.hpp"
#include "checkpoint/uses.hpp"

namespace psnam::checkpoint {
namespace {

constexpr std::uint32_t kNobody = ~std::uint32_t{0};

/// Where the best copy of a rank is.
struct Best {
  VersionKey key;
  std::uint32_t process = kNobody;
};

}  // namespace

Result<std::unique_ptr<Former>> Former::open(const Team& team, const FormerPlaces& places, Series series) {
  std::unique_ptr<Former> made{new Former{team, places, std::move(series)}};
  PSNAM_CHECK(made->find_copies());
  PSNAM_CHECK(made->find_areas());
  return made;
}

Result<std::unique_ptr<Former>> Former::of_files(const Team& team, const FormerPlaces& places, std::string name,
                                                 std::uint32_t ranks) {
  Series series;
  series.name = std::move(name);
  series.set_of.resize(ranks);
  std::unique_ptr<Former> made{new Former{team, places, std::move(series)}};
  const auto processes = static_cast<std::uint32_t>(team.size());
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    made->keeper_.push_back(rank % processes);
    if (made->keeper_.back() == static_cast<std::uint32_t>(team.rank())) made->wards_[rank];
  }
  return made;
}

// ---- Who keeps what ----

/// Of the node, as one of its processes finds them: rank, number and stamp of each.
Result<std::vector<std::uint64_t>> Former::copies_here() const {
  std::vector<std::uint64_t> words;
  PSNAM_CHECK(release_leftovers(*places_.store));
  PSNAM_TRY(const auto reports, places_.store->allocations());
  std::vector<std::string> names;
  for (const auto& report : reports) names.push_back(report.allocation.name);
  std::ranges::sort(names);
  for (std::uint32_t rank = 0; rank < series_.ranks(); ++rank) {
    for (const CopyKind kind : {CopyKind::own, CopyKind::partner}) {
      for (int index = 0; index < static_cast<int>(series_.kept); ++index) {
        if (!std::ranges::binary_search(names, copy_name(kind, series_.id, rank, index))) continue;
        PSNAM_TRY(const LocalCopy copy,
                  LocalCopy::open(places_.store, {series_.id, series_.ranks(), rank}, index, kind));
        if (const VersionKey key = copy.version()) words.insert(words.end(), {rank, key.number, key.stamp});
      }
    }
  }
  return words;
}

/// The processes of the node with the newest copy keep a rank by turns; what is nowhere is kept by all by turns.
void Former::choose_keepers(const std::vector<std::vector<std::uint64_t>>& found) {
  std::vector<Best> best(series_.ranks());
  for (std::uint32_t process = 0; process < found.size(); ++process) {
    for (std::size_t at = 0; at < found[process].size(); at += 3) {
      Best& one = best[found[process][at]];
      const VersionKey key{found[process][at + 1], found[process][at + 2]};
      if (key > one.key) one = {key, process};
    }
  }
  std::map<format::Uuid, std::vector<std::uint32_t>> processes_on;
  for (std::uint32_t process = 0; process < places_.nodes.size(); ++process)
    processes_on[places_.nodes[process]].push_back(process);
  std::map<format::Uuid, std::size_t> turns;
  std::uint32_t turn = 0;
  for (const Best& one : best) {
    if (one.process == kNobody) {
      keeper_.push_back(turn++ % static_cast<std::uint32_t>(places_.nodes.size()));
      continue;
    }
    const format::Uuid& node = places_.nodes[one.process];
    const auto& processes = processes_on[node];
    keeper_.push_back(processes[turns[node]++ % processes.size()]);
  }
}

Status Former::find_copies() {
  const auto me = static_cast<std::size_t>(team_.rank());
  const bool is_first =
      std::ranges::find(places_.nodes, places_.nodes[me]) - places_.nodes.begin() == static_cast<std::ptrdiff_t>(me);
  std::vector<std::uint64_t> mine;
  const Status looked = locally([&]() -> Status {
    if (!is_first) return {};
    PSNAM_TRY(mine, copies_here());
    return {};
  });
  PSNAM_CHECK(team_.agree(looked));
  PSNAM_TRY(const auto found, team_.gather_words(mine));
  choose_keepers(found);
  const Status opened = locally([&] { return open_wards(); });
  return team_.agree(opened);
}

Status Former::open_wards() {
  for (std::uint32_t rank = 0; rank < series_.ranks(); ++rank) {
    if (keeper_[rank] != static_cast<std::uint32_t>(team_.rank())) continue;
    Ward& ward = wards_[rank];
    for (const CopyKind kind : {CopyKind::own, CopyKind::partner}) {
      for (int index = 0; index < static_cast<int>(series_.kept); ++index) {
        PSNAM_TRY(LocalCopy copy, LocalCopy::open(places_.store, {series_.id, series_.ranks(), rank}, index, kind));
        ward.copies.push_back(std::move(copy));
      }
    }
  }
  return {};
}

Status Former::find_areas() {
  if (series_.parities == 0) return {};
  const Status found = locally([&]() -> Status {
    for (const auto& [rank, ward] : wards_) {
      const std::uint32_t set = series_.set_of[rank];
      const auto [place, is_new] = areas_.try_emplace(set, places_.nam, series_, set, leads(set));
      if (is_new && leads(set)) PSNAM_CHECK(place->second.find());
    }
    return {};
  });
  return team_.agree(found);
}

// ---- What there is ----

RankState Former::state_of(std::uint32_t rank) const {
  RankState state;
  const auto& copies = wards_.at(rank).copies;
  for (std::size_t index = 0; index < copies.size(); ++index)
    (index < series_.kept ? state.copies : state.partners)[index % series_.kept] = copies[index].version();
  const std::uint32_t set = series_.set_of[rank];
  const auto areas = areas_.find(set);
  if (areas != areas_.end() && leader_of(set) == rank) {
    state.parities = areas->second.versions();
    state.areas = areas->second.tickets();
  }
  return state;
}

Result<Survey> Former::survey() {
  std::map<std::uint32_t, RankState> mine;
  for (const auto& [rank, ward] : wards_) mine[rank] = state_of(rank);
  PSNAM_TRY(auto all, team_.hear(mine, series_.ranks()));
  Survey found{series_, std::move(all)};
  const Status followed = locally([&]() -> Status {
    for (auto& [set, areas] : areas_)
      if (!leads(set)) PSNAM_CHECK(areas.follow(found.areas(set)));
    return {};
  });
  PSNAM_CHECK(team_.agree(followed));
  return found;
}

Files Former::files_of(std::uint32_t rank) const { return {places_.folder, series_.name, series_.ranks(), rank}; }

Result<VersionKey> Former::newest_with_files(std::uint64_t asked) {
  if (places_.folder.empty()) return VersionKey{};
  PSNAM_TRY(const Survey found, survey());
  std::map<std::uint32_t, FileState> mine;
  for (const auto& [rank, ward] : wards_) mine[rank] = FileState::of(files_of(rank));
  PSNAM_TRY(const auto files, team_.hear(mine, series_.ranks()));
  const auto candidates = versions_with_files(found, files, asked, true);
  return candidates.empty() ? VersionKey{} : candidates.front();
}

// ---- Bringing it together ----

Result<VersionKey> Former::bring_together(std::uint64_t asked, bool or_older) {
  PSNAM_TRY(const Survey found, survey());
  auto key = found.choose(asked, or_older);
  while (key && *key) {
    Status whole = make_whole(found, *key);
    if (whole) return key;
    const VersionKey older = found.before(*key);
    if (!or_older || asked != 0 || !older) return whole.take_error();
    log::warn("version {} is given up: {}", key->number, whole.error().message);
    key = older;
  }
  PSNAM_TRY(const VersionKey in_files, newest_with_files(asked));
  if (!in_files) return key;
  const Status loaded = locally([&] { return load_files(in_files); });
  PSNAM_CHECK(team_.agree(loaded));
  return in_files;
}

Status Former::load_files(const VersionKey& key) {
  for (auto& [rank, ward] : wards_) {
    const auto copy = std::ranges::find(ward.copies, key, &LocalCopy::version);
    if (copy != ward.copies.end()) {
      ward.payload = copy->view().payload();
      if (copy->view().count_damaged() == 0) continue;
    }
    CopyOwner owner;
    PSNAM_TRY(ward.bytes, files_of(rank).read(key, owner));
    ward.payload = CopyView{ward.bytes, owner}.payload();
  }
  return {};
}

Result<std::vector<KeptRank>> Former::kept() const {
  std::vector<KeptRank> all;
  for (const auto& [rank, ward] : wards_) {
    PSNAM_TRY(auto saved, read_table(ward.payload));
    all.push_back({rank, std::move(saved)});
  }
  return all;
}

void Former::forget() {
  for (auto& [rank, ward] : wards_) {
    ward.payload = {};
    ward.bytes = {};
  }
}

}  // namespace psnam::checkpoint
