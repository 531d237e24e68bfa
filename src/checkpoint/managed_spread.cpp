// Going on with what another number of ranks, or the same number with other parts of the arrays, has saved.
#include <fmt/format.h>

#include "checkpoint/managed.hpp"
#include "checkpoint/redistribution.hpp"

namespace psnam::checkpoint {

/// Nothing of the former series is changed but what is repaired: it is what there is until this one has a version.
Result<Restored> Managed::restart_from_former(Former& former, std::uint64_t asked) {
  PSNAM_TRY(const VersionKey key, former.bring_together(asked, options_.or_older));
  if (!key) return Restored{};
  std::vector<KeptRank> kept;
  const Status read = locally([&]() -> Status {
    PSNAM_TRY(kept, former.kept());
    return {};
  });
  PSNAM_CHECK(team_.agree(read));
  PSNAM_CHECK(spread(former.series().ranks(), std::move(kept)));
  former.forget();
  floor_ = std::max(floor_, key);
  return Restored{key.number, Origin::parts};
}

Status Managed::spread(std::uint32_t former_ranks, std::vector<KeptRank> kept) {
  const std::set<std::uint64_t> any_size = object_ids();
  PSNAM_TRY(Redistribution redistribution,
            Redistribution::plan(team_, former_ranks, std::move(kept), {regions_, parts_, any_size}));
  PSNAM_CHECK(redistribution.carry_out());
  const Status unpacked = locally([&]() -> Status {
    for (const auto& [id, bytes] : redistribution.taken()) PSNAM_CHECK(objects_.at(id).unpack(bytes));
    return {};
  });
  return team_.agree(unpacked);
}

Result<std::unique_ptr<Former>> Managed::newer_files_of_others(const VersionKey& than, std::uint64_t asked) {
  std::vector<std::uint64_t> mine;
  if (team_.rank() == 0)
    for (const std::uint32_t ranks : files_->numbers_of_ranks()) mine.push_back(ranks);
  PSNAM_TRY(const auto numbers, team_.gather_words(mine));
  std::unique_ptr<Former> newest;
  VersionKey best = than;
  for (const std::uint64_t ranks : numbers[0]) {
    if (ranks == series_.ranks()) continue;
    PSNAM_TRY(auto former, Former::of_files(team_, places(), series_.name, static_cast<std::uint32_t>(ranks)));
    PSNAM_TRY(const VersionKey key, former->newest_with_files(asked));
    if (key <= best) continue;
    best = key;
    newest = std::move(former);
  }
  return newest;
}

}  // namespace psnam::checkpoint
