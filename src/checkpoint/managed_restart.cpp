// Going back to a version: each rank's copy is made whole first, from the parity where it is lost or damaged; then the
// regions get what is in it. So the version is as safe as before as soon as it is restored.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/condition.hpp"
#include "checkpoint/managed.hpp"
#include "checkpoint/pulled.hpp"
#include "parity/rebuild.hpp"

namespace psnam::checkpoint {
Result<Restored> Managed::restart(std::uint64_t version) {
  PSNAM_TRY(const Survey found, survey(Asked::restart, version));
  if (former_) return restart_from_former(*former_, version);
  auto key = found.choose(version, options_.or_older);
  if (key && *key) return restart_from(found, *key, options_.or_older && version == 0);
  if (files_) {
    PSNAM_TRY(const auto candidates, versions_in_files(found, version));
    PSNAM_TRY(const auto others,
              newer_files_of_others(candidates.empty() ? VersionKey{} : candidates.front(), version));
    if (others) return restart_from_former(*others, version);
    PSNAM_TRY(const VersionKey loaded, load_files(found, candidates));
    if (loaded) {
      // Every rank has a copy now.
      PSNAM_TRY(const Survey now, survey(Asked::restart, version));
      PSNAM_TRY(Restored restored, restart_from(now, loaded, false));
      if (!found.has_copy(loaded, rank()) && restored.origin != Origin::parts) restored.origin = Origin::file;
      return restored;
    }
  }
  PSNAM_CHECK(std::move(key).status());
  return Restored{};
}

Result<Restored> Managed::restart_from(const Survey& survey, VersionKey key, bool or_older) {
  // Damage is seen only when all of a copy is read. The next version may be written over one that is beyond repair.
  const auto try_out = [&] {
    auto made = make_whole(survey, key);
    if (!made && made.error().code == Code::corrupt) unusable_ = std::max(unusable_, key);
    return made;
  };
  auto origin = try_out();
  while (!origin && or_older && survey.before(key)) {
    log::warn("version {} is given up: {}", key.number, origin.error().message);
    key = survey.before(key);
    origin = try_out();
  }
  if (!origin) return origin.take_error();
  // Before anything is given out: where this fails no region was touched.
  const VersionKey newest = survey.newest();
  if (key == newest || (newest == unusable_ && key == survey.before(newest))) {
    PSNAM_CHECK(protect(survey, key));
    PSNAM_CHECK(protect_with_partners(survey, key));
  }
  PSNAM_TRY(const bool other_parts, give_out(key));
  return Restored{key.number, other_parts ? Origin::parts : *origin};
}

/// After it, every rank has a copy of the version.
Result<Origin> Managed::make_whole(const Survey& survey, const VersionKey& key) {
  Condition mine;
  const LocalCopy* const copy = copy_of(key);
  if (copy == nullptr)
    mine.missing = 1;
  else
    mine.damaged_blocks = copy->view().count_damaged();
  PSNAM_TRY(auto all, team_.gather(mine));
  PSNAM_TRY(const bool fetched, fetch_from_partners(survey, key, all));
  PSNAM_CHECK(check_damage(series_, survey, key, all, team_.rank() == 0));
  const auto sets = sets_in_need(series_, all);
  if (!sets.empty()) PSNAM_CHECK(rebuild(survey, key, sets));
  if (fetched) return Origin::partner;
  if (mine.missing != 0) return Origin::rebuilt;
  return mine.damaged_blocks != 0 ? Origin::repaired : Origin::own;
}

Status Managed::rebuild(const Survey& survey, const VersionKey& key, const std::vector<std::uint32_t>& sets) {
  const bool takes_part = std::ranges::find(sets, set()) != sets.end();
  Rebuild work;
  PSNAM_CHECK(team_.agree(locally([&] { return takes_part ? prepare_rebuild(work, survey, key) : Status{}; })));
  PSNAM_TRY(work.pulled, any_unmapped(work.place ? work.place->memory : nullptr));
  PSNAM_TRY(work.copies, map_set(work.copy, work.payload));
  parity::Attempt attempt;
  if (takes_part && leads()) {
    const ParityPlace& place = *work.place;
    attempt = work.pulled ? pulled_attempt(place.version.number) : place.memory->area().begin_rebuild(place.version);
  }
  PSNAM_TRY(const auto attempts, team_.gather(attempt));
  return team_.agree(
      locally([&] { return takes_part ? carry_out_rebuild(work, key, attempts[leader_of(set())]) : Status{}; }));
}

Status Managed::prepare_rebuild(Rebuild& work, const Survey& survey, const VersionKey& key) {
  work.place = areas_->find(key);
  if (!work.place) return Error{Code::corrupt, fmt::format("the parity of version {} is gone", key.number)};
  work.is_lost = !survey.has_copy(key, rank());
  if (!work.is_lost) {
    work.copy = copy_of(key);
    work.payload = work.copy->view().payload();
    return {};
  }
  const std::uint64_t bytes = work.place->version.sizes[series_.member(rank())];
  LocalCopy& copy = to_overwrite(copies_, survey.complete());
  PSNAM_TRY(const CopyView view, copy.make_room(bytes, series_.block_bytes));
  work.copy = &copy;
  work.payload = view.room(bytes, series_.block_bytes);
  return {};
}

Status Managed::carry_out_rebuild(const Rebuild& work, const VersionKey& key, const parity::Attempt& attempt) {
  AreaMemory& memory = *work.place->memory;
  const parity::Version& version = work.place->version;
  const parity::MemberBuffer mine{series_.member(rank()), work.payload, work.is_lost};
  const parity::Deadline until = deadline(memory);
  parity::RebuildReport report;
  Status rebuilt;
  if (work.pulled)
    rebuilt = rebuild_pulled(memory, attempt, mine, until, report);
  else if (work.copies)
    rebuilt = parity::rebuild_mapped(memory.area(), attempt, version, mine.member, work.copies->members, mine.lost,
                                     until, report);
  else
    rebuilt = parity::rebuild_member(memory.area(), attempt, version, mine, until, report);
  if (rebuilt && work.is_lost)
    work.copy->view().commit(key, work.payload.size(), series_.block_bytes,
                             memory.area().checksums(version.slot, mine.member));
  return rebuilt;
}

Result<bool> Managed::give_out(const VersionKey& key) {
  std::map<std::uint64_t, Saved> saved;
  bool same_parts = true;
  const Status read = locally([&]() -> Status {
    const LocalCopy* const copy = copy_of(key);
    if (copy == nullptr) return Error{Code::corrupt, fmt::format("the copy of version {} is gone", key.number)};
    PSNAM_TRY(saved, read_table(copy->view().payload()));
    for (const auto& [id, part] : parts_) {
      const auto before = saved.find(id);
      const bool is_part = before != saved.end() && before->second.part.share == Share::part;
      same_parts = same_parts && (!is_part || before->second.part == part);
    }
    return {};
  });
  PSNAM_CHECK(team_.agree(read));
  PSNAM_TRY(const bool same_everywhere, team_.everywhere(same_parts));
  if (!same_everywhere) {
    std::vector<KeptRank> kept;
    kept.push_back({rank(), std::move(saved)});
    PSNAM_CHECK(spread(series_.ranks(), std::move(kept)));
    return true;
  }
  PSNAM_CHECK(team_.agree(check_regions(saved, regions_, object_ids())));
  const Status unpacked = locally([&] { return unpack_objects(saved); });
  PSNAM_CHECK(team_.agree(unpacked));
  for (const auto& [id, object] : objects_) saved.erase(id);
  unpack(saved, regions_);
  return false;
}

Status Managed::unpack_objects(const std::map<std::uint64_t, Saved>& saved) {
  for (const auto& [id, object] : objects_) {
    const Saved& one = saved.at(id);
    std::vector<std::byte> bytes(one.whole.begin(), one.whole.end());
    bytes.insert(bytes.end(), one.rest.begin(), one.rest.end());
    PSNAM_CHECK(object.unpack(bytes));
  }
  return {};
}

/// Sets whose parity of the version was lost, or never committed, get it now.
Status Managed::protect(const Survey& survey, const VersionKey& key) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t one = 0; one < series_.sets; ++one)
    if (!survey.committed(key, one)) sets.push_back(one);
  if (sets.empty() || !areas_) return {};
  areas_->settle(key);
  Round round;
  round.key = key;
  PSNAM_CHECK(begin(round, survey, sets, {}));
  const bool takes_part = std::ranges::find(sets, set()) != sets.end();
  const LocalCopy* const copy = takes_part ? copy_of(key) : nullptr;
  PSNAM_TRY(round.copies, map_set(copy, copy != nullptr ? copy->view().payload() : std::span<std::byte>{}));
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
