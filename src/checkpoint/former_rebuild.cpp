// The data of former ranks that are lost or damaged are made again, each by its keeper. The engine wants every member
// of a set to work at the same time, so a process with several of them has a thread for each.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "checkpoint/former.hpp"
#include "parity/rebuild.hpp"

namespace psnam::checkpoint {

Status Former::make_whole(const Survey& survey, const VersionKey& key) {
  std::map<std::uint32_t, Condition> mine;
  const Status looked = locally([&]() -> Status {
    for (auto& [rank, ward] : wards_) {
      ward.payload = {};
      mine[rank] = {.damaged_blocks = 0, .missing = 1};
      for (const LocalCopy& copy : ward.copies) {
        if (copy.version() != key) continue;
        mine[rank] = {.damaged_blocks = copy.view().count_damaged(), .missing = 0};
        ward.payload = copy.view().payload();
        // Of its own and its partner's, one that is whole.
        if (mine[rank].whole()) break;
      }
    }
    return {};
  });
  PSNAM_CHECK(team_.agree(looked));
  PSNAM_TRY(const auto all, team_.hear(mine, series_.ranks()));
  PSNAM_CHECK(check_damage(series_, survey, key, all, team_.rank() == 0));
  const auto sets = sets_in_need(series_, all);
  return sets.empty() ? Status{} : rebuild(key, sets, all);
}

/// Room for what is lost, and the attempts that this process begins.
Result<std::map<std::uint32_t, parity::Attempt>> Former::prepare(const VersionKey& key,
                                                                 const std::vector<std::uint32_t>& sets,
                                                                 const std::vector<Condition>& all) {
  std::map<std::uint32_t, parity::Attempt> attempts;
  for (auto& [rank, ward] : wards_) {
    const std::uint32_t set = series_.set_of[rank];
    if (std::ranges::find(sets, set) == sets.end()) continue;
    const auto place = areas_.at(set).find(key);
    if (!place) return Error{Code::corrupt, fmt::format("the parity of version {} is gone", key.number)};
    if (!place->memory->mapped())
      return Error{Code::unsupported,
                   fmt::format("version {} was saved by {} ranks, and some of their data have to be computed from its "
                               "parity, which is not mapped here: only a job of as many ranks can do that over the "
                               "fabric",
                               key.number, series_.ranks())};
    if (all[rank].missing != 0) {
      ward.bytes.resize(place->version.sizes[series_.member(rank)]);
      ward.payload = ward.bytes;
    }
    if (leader_of(set) == rank) attempts[rank] = place->memory->area().begin_rebuild(place->version);
  }
  return attempts;
}

Status Former::rebuild(const VersionKey& key, const std::vector<std::uint32_t>& sets,
                       const std::vector<Condition>& all) {
  std::map<std::uint32_t, parity::Attempt> mine;
  const Status prepared = locally([&]() -> Status {
    PSNAM_TRY(mine, prepare(key, sets, all));
    return {};
  });
  PSNAM_CHECK(team_.agree(prepared));
  PSNAM_TRY(const auto attempts, team_.hear(mine, series_.ranks()));
  std::map<std::uint32_t, Status> results;
  const Status worked = locally([&]() -> Status {
    std::vector<std::jthread> threads;
    for (const auto& [rank, ward] : wards_) {
      if (std::ranges::find(sets, series_.set_of[rank]) == sets.end()) continue;
      Status& result = results[rank];
      const parity::Attempt& attempt = attempts[leader_of(series_.set_of[rank])];
      threads.emplace_back([this, &key, &result, &attempt, rank = rank, is_lost = all[rank].missing != 0] {
        result = locally([&] { return rebuild_ward(key, rank, attempt, is_lost); });
      });
    }
    return {};
  });
  PSNAM_CHECK(team_.agree(worked));
  Status first;
  for (auto& [rank, result] : results)
    if (first && !result) first = std::move(result);
  return team_.agree(first);
}

Status Former::rebuild_ward(const VersionKey& key, std::uint32_t rank, const parity::Attempt& attempt, bool is_lost) {
  // As slow as a gigabyte in 4 s at worst.
  constexpr std::uint64_t kBytesInAMillisecond = 256 << 10;
  const auto place = areas_.at(series_.set_of[rank]).find(key);
  if (!place) return Error{Code::corrupt, fmt::format("the parity of version {} is gone", key.number)};
  const std::uint64_t bytes = place->memory->record().size_bytes * series_.ranks() / series_.sets;
  const auto deadline =
      std::chrono::steady_clock::now() + places_.timeout + std::chrono::milliseconds{bytes / kBytesInAMillisecond};
  parity::RebuildReport report;
  return parity::rebuild_member(place->memory->area(), attempt, place->version,
                                {series_.member(rank), wards_.at(rank).payload, is_lost}, deadline, report);
}

}  // namespace psnam::checkpoint
