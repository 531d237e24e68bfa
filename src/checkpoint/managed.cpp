#include "checkpoint/managed.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/pulled.hpp"
#include "checkpoint/uses.hpp"
#include "format/checkpoint_page.hpp"
#include "parity/encode.hpp"
#include "parity/team.hpp"

namespace psnam::checkpoint {
namespace {

/// What a rank says of itself when a series is opened. Plain bytes.
struct Arrival {
  format::Uuid nam;
  format::Uuid node;
  std::uint32_t parities = 0;
  std::uint32_t set_size = 0;
  std::uint32_t to_files = 0;
  std::array<char, format::kCheckpointNameBytes> name{};
};

Status check(const std::vector<Arrival>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].name != all[0].name)
      return Error{Code::invalid_argument,
                   fmt::format("the checkpoints are called \"{}\" on rank 0 and \"{}\" on rank {}", all[0].name.data(),
                               all[rank].name.data(), rank)};
    if (all[rank].parities != all[0].parities || all[rank].set_size != all[0].set_size)
      return Error{Code::invalid_argument,
                   fmt::format("{} parities and sets of {} on rank 0, {} and {} on rank {}", all[0].parities,
                               all[0].set_size, all[rank].parities, all[rank].set_size, rank)};
    if (all[rank].to_files != all[0].to_files)
      return Error{Code::invalid_argument,
                   fmt::format("versions are written to files on rank {} and not on rank {}",
                               all[0].to_files != 0 ? 0 : rank, all[0].to_files != 0 ? rank : 0)};
    if (all[rank].nam != all[0].nam)
      return Error{Code::unreachable, fmt::format("the NAM of rank {} is not that of rank 0: parity of several nodes "
                                                  "needs a manager, which PSNAM_MANAGER names on all ranks",
                                                  rank)};
  }
  return {};
}

Status check(const ManagedOptions& options) {
  if (options.name.empty() || options.name.size() >= format::kCheckpointNameBytes)
    return Error{Code::invalid_argument, fmt::format("checkpoints need a name of 1 to {} bytes; this one has {}",
                                                     format::kCheckpointNameBytes - 1, options.name.size())};
  if (options.parities < 1 || options.parities >= format::kParityMaxPieces)
    return Error{Code::invalid_argument,
                 fmt::format("{} parities: 1 to {} are possible", options.parities, format::kParityMaxPieces - 1)};
  return {};
}

Status check(const Series& series, const ManagedOptions& options, std::uint32_t ranks) {
  if (series.ranks() != ranks)
    return Error{Code::invalid_argument, fmt::format("the checkpoints \"{}\" are of {} ranks, this job has {}: restart "
                                                     "on another number of ranks is not possible",
                                                     series.name, series.ranks(), ranks)};
  if (series.parities != options.parities)
    return Error{Code::invalid_argument, fmt::format("the checkpoints \"{}\" have {} parities, {} are asked for",
                                                     series.name, series.parities, options.parities)};
  const std::uint32_t sets = count_sets(ranks, options.set_size, options.parities);
  if (series.sets != sets)
    return Error{Code::invalid_argument,
                 fmt::format("the checkpoints \"{}\" have {} sets; sets of {} ranks would be {}", series.name,
                             series.sets, options.set_size, sets)};
  return {};
}

std::uint64_t now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

Result<std::unique_ptr<Managed>> Managed::open(const Team& team, ServicePointer nam, ServicePointer store,
                                               const ManagedOptions& options) {
  PSNAM_CHECK(team.agree(check(options)));
  std::unique_ptr<Managed> made{new Managed{team, std::move(nam), std::move(store), options}};
  PSNAM_CHECK(made->open_series());
  const Status opened = locally([&] { return made->open_parts(); });
  PSNAM_CHECK(team.agree(opened));
  return made;
}

Status Managed::open_series() {
  Arrival mine{.nam = nam_->node().store,
               .node = store_->node().store,
               .parities = options_.parities,
               .set_size = options_.set_size,
               .to_files = options_.folder.empty() ? 0U : 1U};
  std::ranges::copy(options_.name, mine.name.begin());
  PSNAM_TRY(const auto all, team_.gather(mine));
  PSNAM_CHECK(check(all));
  std::vector<format::Uuid> nodes;
  for (const Arrival& one : all) nodes.push_back(one.node);
  // Rank 0 decides; the others are told.
  const Status decided = locally([&]() -> Status {
    if (team_.rank() != 0) return {};
    PSNAM_TRY(page_, find_or_make(nodes));
    series_ = page_->series();
    return check(series_, options_, static_cast<std::uint32_t>(team_.size()));
  });
  PSNAM_CHECK(team_.agree(decided));
  struct Said {
    format::Uuid id;
    std::uint32_t sets, parities, block_bytes;
  } said{series_.id, series_.sets, series_.parities, series_.block_bytes};
  PSNAM_CHECK(team_.broadcast(said, 0));
  series_.id = said.id;
  series_.name = options_.name;
  series_.sets = said.sets;
  series_.parities = said.parities;
  series_.block_bytes = said.block_bytes;
  series_.set_of.resize(all.size());
  for (std::uint32_t& set_of_rank : series_.set_of) PSNAM_CHECK(team_.broadcast(set_of_rank, 0));
  return {};
}

Result<std::unique_ptr<SeriesPage>> Managed::find_or_make(const std::vector<format::Uuid>& nodes) {
  PSNAM_TRY(auto page, SeriesPage::find(nam_, options_.name));
  if (page) return page;
  Series series{.id = format::random_uuid(),
                .name = options_.name,
                .sets = count_sets(static_cast<std::uint32_t>(nodes.size()), options_.set_size, options_.parities),
                .parities = options_.parities,
                .block_bytes = parity::kDefaultBlockBytes,
                .set_of = {}};
  series.set_of = deal_out(nodes, series.sets);
  return SeriesPage::create(nam_, std::move(series));
}

Status Managed::open_parts() {
  PSNAM_CHECK(release_leftovers(*store_));
  for (int index = 0; index < 2; ++index) {
    PSNAM_TRY(LocalCopy copy, LocalCopy::open(store_, {series_.id, series_.ranks(), rank()}, index));
    copies_.push_back(std::move(copy));
  }
  areas_.emplace(nam_, series_, set(), leads());
  if (!options_.folder.empty()) files_.emplace(options_.folder, series_.name, series_.ranks(), rank());
  if (leads()) return areas_->find();
  return {};
}

Managed::~Managed() {
  if (background_) background_->thread.join();
  await_file();
}

Status Managed::add(std::uint64_t id, std::span<std::byte> bytes) {
  if (round_) return Error{Code::busy, fmt::format("region {}: a version is being saved", id)};
  if (bytes.data() == nullptr && !bytes.empty())
    return Error{Code::buffer, fmt::format("region {}: {} bytes at null", id, bytes.size())};
  if (!regions_.emplace(id, bytes).second)
    return Error{Code::name_exists,
                 fmt::format("region {} is registered already, with {} bytes", id, regions_.at(id).size())};
  return {};
}

Status Managed::remove(std::uint64_t id) {
  if (round_) return Error{Code::busy, fmt::format("region {}: a version is being saved", id)};
  if (regions_.erase(id) == 0) return Error{Code::name_not_found, fmt::format("region {} is not registered", id)};
  return {};
}

parity::Deadline Managed::deadline(const AreaMemory& memory) const {
  // As slow as a gigabyte in 4 s at worst.
  constexpr std::uint64_t kBytesInAMillisecond = 256 << 10;
  const std::uint64_t bytes = memory.record().size_bytes * series_.ranks() / series_.sets;
  return std::chrono::steady_clock::now() + options_.timeout + std::chrono::milliseconds{bytes / kBytesInAMillisecond};
}

Result<Survey> Managed::survey(Asked what, std::uint64_t version) {
  RankState mine{.asked = version,
                 .now_ns = now_ns(),
                 .operation = static_cast<std::uint32_t>(what),
                 .under_way = round_ ? 1U : 0U};
  for (std::size_t index = 0; index < copies_.size(); ++index) mine.copies[index] = copies_[index].version();
  mine.payload_bytes = Layout{regions_, series_.block_bytes}.payload_bytes();
  Status looked = locally([&] { return leads() ? areas_->refresh() : Status{}; });
  PSNAM_CHECK(team_.agree(looked));
  if (leads()) {
    mine.parities = areas_->versions();
    mine.areas = areas_->tickets();
  }
  PSNAM_TRY(auto all, team_.gather(mine));
  for (std::size_t one = 0; one < all.size(); ++one) {
    if (all[one].operation != all[0].operation || all[one].asked != all[0].asked)
      return Error{Code::invalid_argument,
                   fmt::format("rank {} is in another function than rank 0, or asks for version "
                               "{} and not for {}",
                               one, all[one].asked, all[0].asked)};
    if (all[one].under_way != 0)
      return Error{Code::busy, fmt::format("rank {} has not waited for the version that it saves", one)};
  }
  Survey found{series_, std::move(all)};
  const Status followed = locally([&]() -> Status {
    if (leads()) return {};
    return areas_->follow(found.areas(set()));
  });
  PSNAM_CHECK(team_.agree(followed));
  return found;
}

Result<AreaPointer> Managed::room_for_parity(const Survey& survey, bool takes_part) {
  const std::uint64_t longest = survey.longest_bytes(set());
  AreaPointer memory = areas_->fitting(longest);
  AreaTicket ticket;
  const Status allocated = locally([&]() -> Status {
    if (!takes_part || memory || !leads()) return {};
    PSNAM_TRY(memory, areas_->allocate(longest));
    ticket = memory->ticket();
    return {};
  });
  PSNAM_CHECK(team_.agree(allocated));
  PSNAM_TRY(const auto tickets, team_.gather(ticket));
  const Status connected = locally([&]() -> Status {
    if (!takes_part || memory) return {};
    PSNAM_TRY(memory, areas_->connect(tickets[leader_of(set())]));
    return {};
  });
  PSNAM_CHECK(team_.agree(connected));
  return memory;
}

Result<Managed::Round> Managed::begin(const Survey& survey, const VersionKey& key, std::vector<std::uint32_t> sets) {
  const bool takes_part = std::ranges::find(sets, set()) != sets.end();
  Round round{.key = key, .memory = {}, .attempt = {}, .layout = {}, .copy = {}};
  PSNAM_TRY(round.memory, room_for_parity(survey, takes_part));
  PSNAM_TRY(round.pulled, any_unmapped(round.memory));
  Status begun = locally([&]() -> Status {
    if (!takes_part || !leads()) return {};
    if (round.pulled) {
      round.attempt = pulled_attempt(key.number);
      return {};
    }
    PSNAM_TRY(round.attempt, round.memory->area().begin(key.number, note_of(key)));
    return {};
  });
  PSNAM_CHECK(team_.agree(begun));
  PSNAM_TRY(const auto attempts, team_.gather(round.attempt));
  round.attempt = attempts[leader_of(set())];
  return round;
}

LocalCopy* Managed::copy_of(const VersionKey& key) {
  const auto found = std::ranges::find(copies_, key, &LocalCopy::version);
  return found == copies_.end() ? nullptr : &*found;
}

LocalCopy& Managed::copy_to_overwrite(const VersionKey& keep) {
  if (copies_[0].version() == keep) return copies_[1];
  if (copies_[1].version() == keep) return copies_[0];
  return copies_[0].version() <= copies_[1].version() ? copies_[0] : copies_[1];
}

Status Managed::start(std::uint64_t version) {
  PSNAM_TRY(const Survey found, survey(Asked::save, version));
  const VersionKey newest = found.newest();
  if (version != 0 && version <= newest.number)
    return Error{Code::invalid_argument, fmt::format("version {} cannot be saved: version {} is complete, and numbers "
                                                     "grow",
                                                     version, newest.number)};
  const VersionKey key{.number = version != 0 ? version : newest.number + 1,
                       .stamp = std::max(found.states()[0].now_ns, newest.stamp + 1)};
  await_file();
  areas_->settle(newest);
  std::vector<std::uint32_t> all_sets;
  for (std::uint32_t one = 0; one < series_.sets; ++one) all_sets.push_back(one);
  PSNAM_TRY(Round round, begin(found, key, std::move(all_sets)));
  const Status prepared = locally([&]() -> Status {
    round.layout.emplace(regions_, series_.block_bytes);
    LocalCopy& copy = copy_to_overwrite(newest);
    PSNAM_TRY(round.copy, copy.make_room(round.layout->payload_bytes(), series_.block_bytes));
    return {};
  });
  PSNAM_CHECK(team_.agree(prepared));
  round_.emplace(std::move(round));
  auto background = std::make_unique<Background>();
  Background& state = *background;
  state.thread = std::thread{[this, &state] {
    state.status = locally([this] { return carry_out(*round_); });
    state.complete.store(true, std::memory_order_release);
  }};
  background_ = std::move(background);
  return {};
}

/// The copy is committed before the set hears of it: what the parity vouches for is there.
Status Managed::carry_out(const Round& round) {
  const parity::Deadline deadline = this->deadline(*round.memory);
  const auto payload =
      round.layout ? round.copy->room(round.layout->payload_bytes(), series_.block_bytes) : round.copy->payload();
  if (round.pulled) return carry_out_pulled(round, payload, deadline);
  PSNAM_CHECK(encode(round, payload, deadline));
  if (round.layout)
    round.copy->commit(round.key, payload.size(), series_.block_bytes,
                       round.memory->area().checksums(round.attempt.slot, series_.member(rank())));
  return commit(round, deadline);
}

Status Managed::encode(const Round& round, std::span<std::byte> payload, parity::Deadline deadline) {
  parity::Area& area = round.memory->area();
  const std::uint32_t member = series_.member(rank());
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
  background_->thread.join();
  Status mine = std::move(background_->status);
  background_.reset();
  return conclude(std::move(mine));
}

/// A version is complete when every set has it.
Result<std::uint64_t> Managed::conclude(Status mine) {
  const Round round = std::move(*round_);
  round_.reset();
  if (mine) areas_->adopt(round.memory);
  PSNAM_CHECK(team_.agree(mine));
  write_file(round.key);
  return round.key.number;
}

Result<std::uint64_t> Managed::save(std::uint64_t version) {
  PSNAM_CHECK(start(version));
  return wait();
}

Result<ManagedInfo> Managed::query() {
  PSNAM_TRY(const Survey found, survey(Asked::query, 0));
  const VersionKey newest = found.newest();
  ManagedInfo info{.sets = series_.sets,
                   .set = set(),
                   .member = series_.member(rank()),
                   .members = static_cast<std::uint32_t>(series_.ranks_of(set()).size()),
                   .parities = series_.parities,
                   .newest = newest.number,
                   .older = found.before(newest).number,
                   .payload_bytes = found.states()[rank()].payload_bytes,
                   .parity_bytes = 0,
                   .lost = {}};
  if (newest) {
    info.lost = found.judge(newest).lost;
    if (const auto place = areas_->find(newest)) info.parity_bytes = place->memory->record().size_bytes;
  }
  return info;
}

Status Managed::check_idle() { return survey(Asked::idle, 0).status(); }

Status Managed::end() {
  PSNAM_CHECK(survey(Asked::end, 0).status());
  const Status released = locally([&]() -> Status {
    await_file();
    if (files_) PSNAM_CHECK(files_->remove_all());
    for (LocalCopy& copy : copies_) PSNAM_CHECK(copy.remove());
    return leads() ? areas_->remove() : Status{};
  });
  PSNAM_CHECK(team_.agree(released));
  const Status removed = locally([&]() -> Status { return page_ ? page_->remove() : Status{}; });
  return team_.agree(removed);
}

}  // namespace psnam::checkpoint
