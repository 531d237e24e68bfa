#include "checkpoint/managed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/log.hpp"
#include "checkpoint/pulled.hpp"
#include "parity/encode.hpp"
#include "parity/team.hpp"

namespace psnam::checkpoint {
namespace {

std::uint64_t now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

Managed::~Managed() {
  if (background_ && background_->thread.joinable()) background_->thread.join();
  await_file();
}

Status Managed::add(std::uint64_t id, std::span<std::byte> bytes, Part part) {
  if (round_) return Error{Code::busy, fmt::format("region {}: a version is being saved", id)};
  if (bytes.data() == nullptr && !bytes.empty())
    return Error{Code::buffer, fmt::format("region {}: {} bytes at null", id, bytes.size())};
  PSNAM_CHECK(check(part));
  PSNAM_CHECK(check_sum(id, bytes.size()));
  if (!regions_.emplace(id, bytes).second)
    return Error{Code::name_exists,
                 fmt::format("region {} is registered already, with {} bytes", id, regions_.at(id).size())};
  if (part.share != Share::own) parts_[id] = std::move(part);
  return {};
}

/// Sums of sizes are computed everywhere and never checked again.
Status Managed::check_sum(std::uint64_t id, std::uint64_t bytes) const {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  std::uint64_t sum = 0;
  for (const auto& [other, region] : regions_)
    if (other != id) sum += region.size();
  if (bytes <= kMost && sum <= kMost - bytes) return {};
  return Error{Code::invalid_argument,
               fmt::format("region {}: {} bytes, beside {} of others, are more than any memory has", id, bytes, sum)};
}

Status Managed::add_object(std::uint64_t id, Object object, Share share) {
  PSNAM_CHECK(add(id, {}, {.share = share}));
  objects_[id] = std::move(object);
  return {};
}

Status Managed::remove(std::uint64_t id) {
  if (round_) return Error{Code::busy, fmt::format("region {}: a version is being saved", id)};
  if (regions_.erase(id) == 0) return Error{Code::name_not_found, fmt::format("region {} is not registered", id)};
  parts_.erase(id);
  objects_.erase(id);
  return {};
}

std::set<std::uint64_t> Managed::object_ids() const {
  std::set<std::uint64_t> ids;
  for (const auto& [id, object] : objects_) ids.insert(id);
  return ids;
}

/// Their bytes are regions of the version that is saved next.
Status Managed::pack_objects() {
  for (const auto& [id, object] : objects_) {
    PSNAM_TRY(const auto bytes, object.pack());
    PSNAM_CHECK(check_sum(id, bytes.size()));
    regions_[id] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  }
  return {};
}

parity::Deadline Managed::deadline(const AreaMemory& memory) const {
  // As slow as a gigabyte in 4 s at worst.
  constexpr std::uint64_t kBytesInAMillisecond = 256 << 10;
  const std::uint64_t bytes = memory.record().size_bytes * series_.ranks() / series_.sets;
  return std::chrono::steady_clock::now() + options_.timeout + std::chrono::milliseconds{bytes / kBytesInAMillisecond};
}

Result<Survey> Managed::survey(Asked what, std::uint64_t version, Status ready) {
  RankState mine{.asked = version,
                 .now_ns = now_ns(),
                 .operation = static_cast<std::uint32_t>(what),
                 .under_way = round_ ? 1U : 0U};
  for (std::size_t index = 0; index < copies_.size(); ++index) mine.copies[index] = copies_[index].version();
  for (std::size_t index = 0; index < copies_.size(); ++index)
    if (mine.copies[index] && copies_[index].view().confirmed()) mine.confirmed |= 1U << index;
  mine.payload_bytes = layout().payload_bytes();
  if (flush_) {
    mine.bytes_to_flush = flush_->bytes();
    mine.bytes_flushed = flush_->bytes_written();
  }
  if (areas_ && leads()) {
    if (ready) ready = locally([&] { return areas_->refresh(); });
    mine.parities = areas_->versions();
    mine.areas = areas_->tickets();
  }
  PSNAM_TRY(auto all, team_.gather(mine, ready));
  for (std::size_t one = 0; one < all.size(); ++one) {
    if (all[one].operation != all[0].operation || all[one].asked != all[0].asked)
      return Error{Code::invalid_argument,
                   fmt::format("rank {} is in another function than rank 0, or asks for version "
                               "{} and not for {}",
                               one, all[one].asked, all[0].asked)};
    if (all[one].under_way != 0)
      return Error{Code::busy, fmt::format("rank {} has not waited for the version that it saves", one)};
  }
  PSNAM_CHECK(hear_partners(all));
  Survey found{series_, std::move(all)};
  const Status followed = locally([&]() -> Status {
    if (!areas_ || leads()) return {};
    return areas_->follow(found.areas(set()));
  });
  // The leader may let go of an area only when the others have found it.
  PSNAM_CHECK(team_.agree(followed));
  return found;
}

Status Managed::take_room_for_parity(Round& round, const Survey& survey, bool takes_part, const Status& ready) {
  /// What a rank says of it. Plain bytes.
  struct Room {
    std::uint32_t missing;
    std::uint32_t unmapped;
  };
  const std::uint64_t longest = survey.longest_bytes(set());
  AreaPointer& memory = round.memory;
  if (ready) memory = areas_->fitting(longest);
  const auto room = [&] { return Room{takes_part && !memory, memory && !memory->mapped()}; };
  PSNAM_TRY(auto rooms, team_.gather(room(), ready));
  if (std::ranges::any_of(rooms, [](const Room& one) { return one.missing != 0; })) {
    AreaTicket ticket;
    const Status allocated = locally([&]() -> Status {
      if (!takes_part || memory || !leads()) return {};
      PSNAM_TRY(memory, areas_->allocate(longest));
      ticket = memory->ticket();
      return {};
    });
    PSNAM_TRY(const auto tickets, team_.gather(ticket, allocated));
    const Status connected = locally([&]() -> Status {
      if (!takes_part || memory) return {};
      PSNAM_TRY(memory, areas_->connect(tickets[leader_of(set())]));
      return {};
    });
    PSNAM_TRY(rooms, team_.gather(room(), connected));
  }
  round.pulled =
      std::ranges::any_of(series_.ranks_of(set()), [&](std::uint32_t one) { return rooms[one].unmapped != 0; });
  return {};
}

Status Managed::begin(Round& round, const Survey& survey, const std::vector<std::uint32_t>& sets, const Status& ready) {
  const bool takes_part = std::ranges::find(sets, set()) != sets.end();
  for (const RankState& state : survey.states()) round.all_bytes += state.payload_bytes;
  if (!areas_) return team_.agree(ready);
  PSNAM_CHECK(take_room_for_parity(round, survey, takes_part, ready));
  const Status begun = locally([&]() -> Status {
    if (!takes_part || !leads()) return {};
    if (round.pulled) {
      round.attempt = pulled_attempt(round.key.number);
      return {};
    }
    PSNAM_TRY(round.attempt, round.memory->area().begin(round.key.number, note_of(round.key)));
    return {};
  });
  PSNAM_TRY(const auto attempts, team_.gather(round.attempt, begun));
  round.attempt = attempts[leader_of(set())];
  return {};
}

LocalCopy* Managed::copy_of(const VersionKey& key) {
  const auto found = std::ranges::find(copies_, key, &LocalCopy::version);
  return found == copies_.end() ? nullptr : &*found;
}

LocalCopy& Managed::to_overwrite(std::vector<LocalCopy>& copies, const std::vector<VersionKey>& complete) {
  const auto worth = [&](const LocalCopy& copy) {
    const VersionKey key = copy.version();
    return std::pair{std::ranges::find(complete, key) != complete.end(), key};
  };
  return *std::ranges::min_element(copies, {}, worth);
}

Status Managed::prepare_save(std::uint64_t version) {
  Status packed = round_ ? Status{} : locally([&] { return pack_objects(); });
  PSNAM_TRY(const Survey found, survey(Asked::save, version, std::move(packed)));
  const VersionKey keep = found.to_keep(unusable_);
  // What a save that failed has left is no version, and its number may be given again.
  const VersionKey newest = std::max({keep, floor_, unusable_});
  if (version != 0 && version <= newest.number)
    return Error{Code::invalid_argument, fmt::format("version {} cannot be saved: version {} is complete, and numbers "
                                                     "grow",
                                                     version, newest.number)};
  await_file();
  PSNAM_CHECK(remove_old_files());
  Round round;
  round.key = {.number = version != 0 ? version : newest.number + 1,
               .stamp = std::max({found.states()[0].now_ns, newest.stamp + 1, found.newest().stamp + 1})};
  round.before = found.complete();
  // What is newer a save that failed has left.
  std::erase_if(round.before, [&](const VersionKey& key) { return key > keep; });
  if (areas_) areas_->settle(keep);
  const Status ready = locally([&]() -> Status {
    round.layout = layout();
    LocalCopy& copy = to_overwrite(copies_, round.before);
    PSNAM_TRY(round.copy, copy.make_room(round.layout->payload_bytes(), series_.block_bytes));
    return {};
  });
  std::vector<std::uint32_t> all_sets;
  for (std::uint32_t one = 0; one < series_.sets; ++one) all_sets.push_back(one);
  PSNAM_CHECK(begin(round, found, all_sets, ready));
  round_.emplace(std::move(round));
  return {};
}

Status Managed::start(std::uint64_t version) {
  PSNAM_CHECK(prepare_save(version));
  auto background = std::make_unique<Background>();
  Background& state = *background;
  const auto work = [this, &state] {
    state.status = locally([this] { return carry_out(*round_); });
    state.complete.store(true, std::memory_order_release);
  };
  background_ = std::move(background);
  try {
    state.thread = std::thread{work};
  } catch (const std::system_error& error) {
    // The others have begun: what they wait for is done now.
    log::warn("a version is saved without a thread of its own: {}", error.what());
    work();
  }
  return {};
}

/// The copy is committed before the set hears of it: what the parity vouches for is there.
Status Managed::carry_out(const Round& round) {
  const auto payload =
      round.layout ? round.copy->room(round.layout->payload_bytes(), series_.block_bytes) : round.copy->payload();
  if (!round.memory) {
    copy_alone(round, payload);
    return {};
  }
  const parity::Deadline deadline = this->deadline(*round.memory);
  if (round.pulled) return carry_out_pulled(round, payload, deadline);
  PSNAM_CHECK(encode(round, payload, deadline));
  if (round.layout)
    round.copy->commit(round.key, payload.size(), series_.block_bytes,
                       round.memory->area().checksums(round.attempt.slot, series_.member(rank())));
  return commit(round, deadline);
}

/// Without parity: the copy and its checksums, which are what comes back.
std::vector<std::uint32_t> Managed::copy_alone(const Round& round, std::span<std::byte> payload) {
  round.layout->pack(payload.data());
  const auto pieces = round.layout->pieces(payload.data());
  auto checksums = parity::copy_member(
      {.member = series_.member(rank()), .bytes = payload.first(round.layout->packed_bytes()), .further = pieces},
      series_.block_bytes);
  round.copy->commit(round.key, payload.size(), series_.block_bytes, checksums.data());
  return checksums;
}

Status Managed::encode(const Round& round, std::span<std::byte> payload, parity::Deadline deadline) {
  parity::Area& area = round.memory->area();
  const std::uint32_t member = series_.member(rank());
  if (round.copies) return parity::encode_mapped(area, round.attempt, member, round.copies->members, deadline);
  if (!round.layout) return parity::encode_member(area, round.attempt, {.member = member, .bytes = payload}, deadline);
  round.layout->pack(payload.data());
  const auto pieces = round.layout->pieces(payload.data());
  return parity::encode_member(
      area, round.attempt, {.member = member, .bytes = payload.first(round.layout->packed_bytes()), .further = pieces},
      deadline);
}

Status Managed::commit(const Round& round, parity::Deadline deadline) {
  parity::Area& area = round.memory->area();
  const parity::Team others{area, round.attempt};
  const std::uint32_t member = series_.member(rank());
  others.arrive(member, parity::Stage::checked);
  others.notify();
  if (member != 0) return others.await_first(parity::Stage::ready, deadline);
  Status committed = others.await_all(parity::Stage::checked, deadline);
  if (committed) committed = area.commit(round.attempt, deadline);
  // A new area outlives the job from here on.
  if (committed && round.memory->record().consistency != format::Consistency::persistent)
    committed = round.memory->keep();
  if (!committed) return others.give_up(member, committed.take_error());
  others.arrive(0, parity::Stage::ready);
  others.notify();
  return {};
}

bool Managed::complete() const noexcept {
  return !background_ || background_->complete.load(std::memory_order_acquire);
}

Result<std::uint64_t> Managed::wait() {
  if (!background_) return Error{Code::request, "no version is being saved"};
  if (background_->thread.joinable()) background_->thread.join();
  Status mine = std::move(background_->status);
  background_.reset();
  return conclude(std::move(mine));
}

/// A version is complete when every set has it.
Result<std::uint64_t> Managed::conclude(Status mine) {
  const Round round = std::move(*round_);
  round_.reset();
  if (mine && round.memory) areas_->adopt(round.memory);
  PSNAM_CHECK(team_.agree(mine));
  PSNAM_CHECK(send_to_partners(round.key, round.before, std::vector<bool>(series_.ranks(), true)));
  PSNAM_CHECK(confirm(round.key));
  PSNAM_CHECK(replace_former());
  write_file(round.key, round.all_bytes);
  return round.key.number;
}

/// Collective. The version is complete on all ranks: should too much of it be lost one day, that is not taken for a
/// version that never was.
Status Managed::confirm(const VersionKey& key) {
  if (const LocalCopy* const copy = copy_of(key)) copy->view().confirm();
  series_.newest = key.number;
  const Status told = locally([&] { return page_ ? page_->confirm(key.number) : Status{}; });
  return team_.agree(told);
}

/// Without a thread of its own, which takes as long to make and to wait for as small data take to save.
Result<std::uint64_t> Managed::save(std::uint64_t version) {
  PSNAM_CHECK(prepare_save(version));
  return conclude(locally([this] { return carry_out(*round_); }));
}

Result<ManagedInfo> Managed::query() {
  PSNAM_TRY(const Survey here, survey(Asked::query, 0));
  std::optional<Survey> before;
  if (former_) {
    PSNAM_TRY(Survey survey, former_->survey());
    before.emplace(std::move(survey));
  }
  const Survey& found = before ? *before : here;
  const VersionKey newest = found.newest();
  ManagedInfo info{.sets = series_.sets,
                   .set = set(),
                   .member = series_.member(rank()),
                   .members = static_cast<std::uint32_t>(series_.ranks_of(set()).size()),
                   .parities = series_.parities,
                   .complete = {},
                   .payload_bytes = here.states()[rank()].payload_bytes,
                   .parity_bytes = 0,
                   .bytes_to_flush = 0,
                   .bytes_flushed = 0,
                   .lost = {}};
  for (const VersionKey& key : found.complete()) info.complete.push_back(key.number);
  for (const RankState& state : here.states()) {
    info.bytes_to_flush += state.bytes_to_flush;
    info.bytes_flushed += state.bytes_flushed;
  }
  if (newest) {
    info.lost = found.judge(newest).lost;
    const auto place = areas_ ? areas_->find(newest) : std::nullopt;
    if (place) info.parity_bytes = place->memory->record().size_bytes;
  }
  return info;
}

Status Managed::close() {
  PSNAM_CHECK(survey(Asked::idle, 0).status());
  await_file();
  return remove_old_files();
}

Status Managed::end() {
  PSNAM_CHECK(survey(Asked::end, 0).status());
  const Status released = locally([&]() -> Status {
    await_file();
    if (files_) PSNAM_CHECK(files_->remove_all());
    if (files_) files_->remove_unfinished();
    if (files_ && team_.rank() == 0) files_->remove_of_others({~std::uint64_t{0}, 0});
    for (LocalCopy& copy : copies_) PSNAM_CHECK(copy.remove());
    for (auto& [rank, copies] : wards_)
      for (LocalCopy& copy : copies) PSNAM_CHECK(copy.remove());
    return areas_ && leads() ? areas_->remove() : Status{};
  });
  PSNAM_CHECK(team_.agree(released));
  // The former one ends first: it is the one that is found as long as both are there.
  PSNAM_CHECK(replace_former());
  // Ranks may have been on other nodes before.
  PSNAM_CHECK(clean({}));
  const Status removed = locally([&]() -> Status { return page_ ? page_->remove() : Status{}; });
  return team_.agree(removed);
}

}  // namespace psnam::checkpoint
