// Going back to a version: each rank's copy is made whole first, from the parity where it is lost or damaged; then the
// regions get what is in it. So the version is as safe as before as soon as it is restored.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/managed.hpp"
#include "checkpoint/pulled.hpp"
#include "parity/rebuild.hpp"

namespace psnam::checkpoint {
namespace {

/// What a rank says of its copy. Plain bytes.
struct Condition {
  std::uint64_t damaged_blocks = 0;
  std::uint32_t missing = 0;
  std::uint32_t reserved = 0;
};

/// The sets in which something is to be made again.
std::vector<std::uint32_t> sets_in_need(const Series& series, const std::vector<Condition>& all) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t set = 0; set < series.sets; ++set)
    if (std::ranges::any_of(series.ranks_of(set), [&](std::uint32_t rank) {
          return all[rank].missing != 0 || all[rank].damaged_blocks != 0;
        }))
      sets.push_back(set);
  return sets;
}

}  // namespace

Result<Restored> Managed::restart(std::uint64_t version) {
  PSNAM_TRY(const Survey found, survey(Asked::restart, version));
  auto key = found.choose(version, options_.or_older);
  if (key && *key) return restart_from(found, *key, options_.or_older && version == 0);
  if (files_) {
    PSNAM_TRY(const VersionKey loaded, load_files(found, version));
    if (loaded) {
      // Every rank has a copy now.
      PSNAM_TRY(const Survey now, survey(Asked::restart, version));
      PSNAM_TRY(Restored restored, restart_from(now, loaded, false));
      if (!found.has_copy(loaded, rank())) restored.origin = Origin::file;
      return restored;
    }
  }
  PSNAM_CHECK(std::move(key).status());
  return Restored{};
}

Result<Restored> Managed::restart_from(const Survey& survey, VersionKey key, bool or_older) {
  auto origin = make_whole(survey, key);
  // Its damage was seen only when it was read.
  while (!origin && or_older && survey.before(key)) {
    log::warn("version {} is given up: {}", key.number, origin.error().message);
    key = survey.before(key);
    origin = make_whole(survey, key);
  }
  if (!origin) return origin.take_error();
  PSNAM_CHECK(give_out(key));
  if (key == survey.newest()) PSNAM_CHECK(protect(survey, key));
  return Restored{key.number, *origin};
}

/// After it, every rank has a copy of the version.
Result<Origin> Managed::make_whole(const Survey& survey, const VersionKey& key) {
  Condition mine;
  const LocalCopy* const copy = copy_of(key);
  if (copy == nullptr)
    mine.missing = 1;
  else
    mine.damaged_blocks = copy->view().count_damaged();
  PSNAM_TRY(const auto all, team_.gather(mine));
  for (std::uint32_t one = 0; one < all.size(); ++one) {
    if (all[one].damaged_blocks == 0) continue;
    if (team_.rank() == 0)
      log::warn("version {}: {} blocks of the copy of rank {} are damaged", key.number, all[one].damaged_blocks, one);
    if (!survey.committed(key, series_.set_of[one]))
      return Error{Code::corrupt,
                   fmt::format("version {}: {} blocks of the copy of rank {} are damaged, and its set has "
                               "no parity of it",
                               key.number, all[one].damaged_blocks, one)};
  }
  const auto sets = sets_in_need(series_, all);
  if (!sets.empty()) PSNAM_CHECK(rebuild(survey, key, sets));
  if (mine.missing != 0) return Origin::rebuilt;
  return mine.damaged_blocks != 0 ? Origin::repaired : Origin::own;
}

Status Managed::rebuild(const Survey& survey, const VersionKey& key, const std::vector<std::uint32_t>& sets) {
  const bool takes_part = std::ranges::find(sets, set()) != sets.end();
  const bool is_lost = !survey.has_copy(key, rank());
  std::optional<ParityPlace> place;
  std::optional<CopyView> view;
  std::span<std::byte> payload;
  parity::Attempt attempt;
  const Status prepared = locally([&]() -> Status {
    if (!takes_part) return {};
    place = areas_->find(key);
    if (!place) return Error{Code::corrupt, fmt::format("the parity of version {} is gone", key.number)};
    const std::uint64_t bytes = place->version.sizes[series_.member(rank())];
    if (is_lost) {
      PSNAM_TRY(view, copy_to_overwrite(survey.before(key)).make_room(bytes, series_.block_bytes));
      payload = view->room(bytes, series_.block_bytes);
    } else {
      payload = copy_of(key)->view().payload();
    }
    return {};
  });
  PSNAM_CHECK(team_.agree(prepared));
  PSNAM_TRY(const bool pulled, any_unmapped(place ? place->memory : nullptr));
  if (takes_part && leads())
    attempt = pulled ? pulled_attempt(place->version.number) : place->memory->area().begin_rebuild(place->version);
  PSNAM_TRY(const auto attempts, team_.gather(attempt));
  const Status rebuilt = locally([&]() -> Status {
    if (!takes_part) return {};
    parity::Area& area = place->memory->area();
    parity::RebuildReport report;
    const parity::MemberBuffer buffer{series_.member(rank()), payload, is_lost};
    const parity::Attempt& begun = attempts[leader_of(set())];
    const parity::Deadline until = deadline(*place->memory);
    PSNAM_CHECK(pulled ? rebuild_pulled(*place->memory, begun, buffer, until, report)
                       : parity::rebuild_member(area, begun, place->version, buffer, until, report));
    if (is_lost)
      view->commit(key, payload.size(), series_.block_bytes, area.checksums(place->version.slot, buffer.member));
    return {};
  });
  return team_.agree(rebuilt);
}

Status Managed::give_out(const VersionKey& key) {
  std::map<std::uint64_t, Saved> saved;
  const Status read = locally([&]() -> Status {
    const LocalCopy* const copy = copy_of(key);
    if (copy == nullptr) return Error{Code::corrupt, fmt::format("the copy of version {} is gone", key.number)};
    PSNAM_TRY(saved, read_table(copy->view().payload()));
    return check_regions(saved, regions_);
  });
  PSNAM_CHECK(team_.agree(read));
  unpack(saved, regions_);
  return {};
}

/// Sets whose parity of the version was lost, or never committed, get it now.
Status Managed::protect(const Survey& survey, const VersionKey& key) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t one = 0; one < series_.sets; ++one)
    if (!survey.committed(key, one)) sets.push_back(one);
  if (sets.empty()) return {};
  areas_->settle(key);
  PSNAM_TRY(Round round, begin(survey, key, sets));
  const bool takes_part = std::ranges::find(sets, set()) != sets.end();
  Status done = locally([&]() -> Status {
    if (!takes_part) return {};
    round.copy = copy_of(key)->view();
    PSNAM_CHECK(carry_out(round));
    areas_->adopt(round.memory);
    return {};
  });
  return team_.agree(done);
}

}  // namespace psnam::checkpoint
