#include "checkpoint/parity_set.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/pulled.hpp"
#include "parity/team.hpp"

namespace psnam::checkpoint {
namespace {

/// What each process says when a round begins.
struct Opening {
  std::uint64_t bytes = 0;
  std::uint64_t allocation_id = 0;
  std::uint32_t available = 0;
  std::uint32_t under_way = 0;
  std::uint32_t mapped = 1;
};

bool any_unmapped(const std::vector<Opening>& all) {
  return std::ranges::any_of(all, [](const Opening& one) { return one.mapped == 0; });
}

/// What process 0 says of an area.
struct Shared {
  AreaTicket ticket;
  format::Uuid store;
};

Status check_idle(const std::vector<Opening>& all) {
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank].under_way != 0)
      return Error{Code::busy, fmt::format("rank {} has not waited for its last checkpoint or restart", rank)};
  return {};
}

std::uint64_t newest_number(const parity::Area& area) {
  const auto versions = area.versions();
  return versions.empty() ? 0 : versions.front().number;
}

std::vector<std::size_t> lost_ranks(const std::vector<Opening>& all) {
  std::vector<std::size_t> lost;
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank].available == 0) lost.push_back(rank);
  return lost;
}

Status check_lost(const std::vector<std::size_t>& lost, std::size_t processes, std::uint32_t parities) {
  if (lost.size() <= parities) return {};
  return Error{
      Code::peer_lost,
      fmt::format("{} of {} processes have lost their data (ranks {}): {} {} rebuild {} of them at most", lost.size(),
                  processes, fmt::join(lost, ", "), parities, parities == 1 ? "parity can" : "parities can", parities)};
}

Status check_sizes(const parity::Version& version, const std::vector<Opening>& all) {
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank].bytes != version.sizes[rank])
      return Error{Code::size,
                   fmt::format("rank {} has a buffer of {} bytes; in version {} of the checkpoint it had {}", rank,
                               all[rank].bytes, version.number, version.sizes[rank])};
  return {};
}

}  // namespace

parity::AreaSpec ParitySet::area_spec(std::uint64_t capacity_bytes) const {
  return {.members = static_cast<std::uint32_t>(team_.size()),
          .parities = spec_.parities,
          .capacity_bytes = capacity_bytes,
          .id = spec_.id,
          .name = spec_.name};
}

Result<std::unique_ptr<ParitySet>> ParitySet::create(const Team& team, ServicePointer nam, const SetSpec& spec,
                                                     std::unique_ptr<AreaRecords> records) {
  std::unique_ptr<ParitySet> set{new ParitySet{team, std::move(nam), spec, std::move(records)}};
  PSNAM_TRY(set->memory_, set->allocate(spec.capacity_bytes));
  Status kept = locally([&]() -> Status {
    if (!set->leads()) return {};
    PSNAM_CHECK(set->memory_->keep());
    set->records_->kept(set->memory_->record());
    return {};
  });
  PSNAM_CHECK(team.agree(kept));
  return set;
}

Result<std::unique_ptr<ParitySet>> ParitySet::reuse(const Team& team, ServicePointer nam,
                                                    const std::vector<AreaTicket>& areas,
                                                    std::unique_ptr<AreaRecords> records) {
  std::unique_ptr<ParitySet> set{new ParitySet{team, nam, {}, std::move(records)}};
  const auto newest = [&]() -> Result<std::shared_ptr<AreaMemory>> {
    std::vector<std::shared_ptr<AreaMemory>> readable;
    Status unreadable;
    for (const AreaTicket& ticket : areas) {
      auto memory = AreaMemory::connect(nam, ticket);
      if (!memory) {
        log::warn("parity in allocation {} cannot be used: {}", ticket.allocation_id, memory.error().message);
        unreadable = memory.take_error();
      } else {
        readable.push_back(std::move(*memory));
      }
    }
    if (readable.empty() && !unreadable) return unreadable.take_error();
    const auto found =
        std::ranges::max_element(readable, {}, [](const auto& one) { return newest_number(one->area()); });
    if (found == readable.end()) return Error{Code::name_not_found, "there is no such set of checkpoints"};
    const auto best = *found;
    if (best->area().shape().members != static_cast<std::uint32_t>(team.size()))
      return Error{Code::invalid_argument, fmt::format("the set \"{}\" is of {} processes, not of {}",
                                                       best->area().name(), best->area().shape().members, team.size())};
    // Left by a job that ended while it moved into a larger area.
    readable.erase(found);
    for (const auto& left : readable) set->let_go(*left);
    return best;
  };
  PSNAM_TRY(set->memory_, set->share(set->leads() ? newest() : std::shared_ptr<AreaMemory>{}));
  const parity::Area& area = set->memory_->area();
  set->spec_ = {.parities = area.shape().parities,
                .capacity_bytes = area.shape().capacity_bytes,
                .name = area.name(),
                .id = area.id()};
  return set;
}

Result<std::shared_ptr<AreaMemory>> ParitySet::allocate(std::uint64_t capacity_bytes) {
  return share(leads() ? AreaMemory::allocate(nam_, area_spec(capacity_bytes), records_->name_for(capacity_bytes))
                       : std::shared_ptr<AreaMemory>{});
}

Result<std::shared_ptr<AreaMemory>> ParitySet::share(Result<std::shared_ptr<AreaMemory>> made) {
  PSNAM_CHECK(team_.agree(made ? Status{} : Status{made.error()}));
  Shared shared;
  if (leads()) shared = {(*made)->ticket(), nam_->node().store};
  PSNAM_CHECK(team_.broadcast(shared, 0));
  Status connected = locally([&]() -> Status {
    if (leads()) return {};
    if (const format::NodeRecord here = nam_->node(); here.store != shared.store)
      return Error{Code::unreachable, fmt::format("the NAM here, {} on {}, is not that of rank 0: parity of several "
                                                  "nodes needs a manager, which PSNAM_MANAGER names on all ranks",
                                                  here.path, here.host)};
    PSNAM_TRY(*made, AreaMemory::connect(nam_, shared.ticket));
    return {};
  });
  PSNAM_CHECK(team_.agree(connected));
  return made;
}

std::uint64_t ParitySet::capacity_bytes() const {
  const std::lock_guard lock{mutex_};
  return memory_->area().shape().capacity_bytes;
}

format::AllocationRecord ParitySet::record() const {
  const std::lock_guard lock{mutex_};
  return memory_->record();
}

Result<std::uint64_t> ParitySet::largest_bytes() const {
  PSNAM_TRY(const auto summary, nam_->summary());
  const std::uint64_t free = std::min(summary.capacity_bytes - std::min(summary.capacity_bytes, summary.reserved_bytes),
                                      summary.file_system_free_bytes);
  const auto fits = [&](std::uint64_t bytes) {
    const auto needed = parity::bytes_needed(static_cast<std::uint32_t>(team_.size()), bytes, spec_.parities);
    return needed && *needed <= free;
  };
  std::uint64_t most = 0;
  for (std::uint64_t step = std::uint64_t{1} << 39; step != 0; step /= 2)
    if (fits(most + step)) most += step;
  return std::max(most, capacity_bytes());
}

Result<Round> ParitySet::begin_checkpoint(std::uint64_t bytes, const parity::Note& note) {
  Round round;
  Opening mine{.bytes = bytes};
  {
    const std::lock_guard lock{mutex_};
    mine.under_way = under_way_ ? 1 : 0;
    round.memory = memory_;
  }
  mine.allocation_id = round.memory->record().id;
  mine.mapped = round.memory->mapped() ? 1 : 0;
  PSNAM_TRY(const auto all, team_.gather(mine));
  PSNAM_CHECK(check_idle(all));
  // A process that failed in the last round may not know the area that the others went on with.
  if (std::ranges::any_of(all, [&](const Opening& one) { return one.allocation_id != all[0].allocation_id; })) {
    PSNAM_TRY(round.memory, share(round.memory));
  }
  const std::uint64_t longest = std::ranges::max(all, {}, &Opening::bytes).bytes;
  round.pulled = any_unmapped(all);
  round.note = note;
  if (longest > round.memory->area().shape().capacity_bytes) {
    round.replaced = round.memory;
    PSNAM_TRY(round.memory, allocate(longest));
  }
  Status begun = locally([&]() -> Status { return leads() ? lead_begin(round) : Status{}; });
  PSNAM_CHECK(team_.agree(begun));
  PSNAM_CHECK(team_.broadcast(round.attempt, 0));
  const std::lock_guard lock{mutex_};
  under_way_ = true;
  return round;
}

Status ParitySet::lead_begin(Round& round) {
  AreaMemory& last = round.replaced ? *round.replaced : *round.memory;
  PSNAM_CHECK(last.refresh());
  const std::uint64_t version = newest_number(last.area()) + 1;
  if (!round.pulled) {
    PSNAM_TRY(round.attempt, round.memory->area().begin(version, round.note));
    return {};
  }
  round.attempt = pulled_attempt(version);
  if (!round.replaced) return {};
  // The others hear from the service that the version is committed, and not from this process: it is there to stay
  // then. Whoever dies before leaves two areas, of which the older has the newest version.
  PSNAM_CHECK(round.memory->keep());
  records_->kept(round.memory->record());
  return {};
}

Status ParitySet::lead_commit(const Round& round, parity::Deadline deadline) {
  PSNAM_CHECK(round.memory->area().commit(round.attempt, deadline));
  if (!round.replaced) return {};
  PSNAM_CHECK(round.memory->keep());
  records_->kept(round.memory->record());
  let_go(*round.replaced);
  return {};
}

void ParitySet::let_go(AreaMemory& left) {
  if (const Status gone = left.release(); gone)
    records_->gone(left.record());
  else
    log::warn("the area of allocation {} stays: {}", left.record().id, gone.error().message);
}

/// The area of a round that has succeeded is that of the set.
void ParitySet::adopt(const Round& round) {
  const std::lock_guard lock{mutex_};
  memory_ = round.memory;
}

Status ParitySet::checkpoint(const Round& round, std::span<const std::byte> data, std::byte* copy_to,
                             parity::Deadline deadline) {
  Status done = locally([&] {
    return round.pulled ? checkpoint_pulled(round, {member(), data, copy_to}, deadline)
                        : checkpoint_together(round, {member(), data, copy_to}, deadline);
  });
  if (done) adopt(round);
  const std::lock_guard lock{mutex_};
  under_way_ = false;
  return done;
}

Status ParitySet::checkpoint_together(const Round& round, const parity::MemberData& data, parity::Deadline deadline) {
  parity::Area& area = round.memory->area();
  const parity::Team others{area, round.attempt};
  PSNAM_CHECK(parity::encode_member(area, round.attempt, data, deadline));
  if (!leads()) return others.await_first(parity::Stage::ready, deadline);
  if (Status committed = lead_commit(round, deadline); !committed)
    return others.give_up(member(), committed.take_error());
  others.arrive(0, parity::Stage::ready);
  others.notify();
  return {};
}

Status ParitySet::checkpoint_pulled(const Round& round, const parity::MemberData& data, parity::Deadline deadline) {
  const auto checksums = parity::copy_member(data, round.memory->area().shape().block_bytes);
  Status done = encode_pulled(*round.memory, round.attempt, round.note, data, checksums, deadline);
  if (!leads() || !round.replaced) return done;
  if (done) {
    let_go(*round.replaced);
  } else if (round.memory->refresh() && newest_number(round.memory->area()) == 0) {
    let_go(*round.memory);
  }
  return done;
}

Result<Round> ParitySet::begin_restart(std::uint64_t bytes, bool available) {
  Round round;
  Opening mine{.bytes = bytes, .available = available ? 1U : 0U};
  {
    const std::lock_guard lock{mutex_};
    mine.under_way = under_way_ ? 1 : 0;
    round.memory = memory_;
  }
  mine.mapped = round.memory->mapped() ? 1 : 0;
  PSNAM_TRY(const auto all, team_.gather(mine));
  PSNAM_CHECK(check_idle(all));
  round.pulled = any_unmapped(all);
  parity::Area& area = round.memory->area();
  const auto lost = lost_ranks(all);
  Status judged = locally([&]() -> Status {
    if (!leads()) return {};
    PSNAM_CHECK(round.memory->refresh());
    PSNAM_TRY(round.version, area.newest());
    PSNAM_CHECK(check_sizes(round.version, all));
    PSNAM_CHECK(check_lost(lost, all.size(), spec_.parities));
    if (!lost.empty())
      round.attempt = round.pulled ? pulled_attempt(round.version.number) : area.begin_rebuild(round.version);
    return {};
  });
  PSNAM_CHECK(team_.agree(judged));
  PSNAM_CHECK(team_.broadcast(round.attempt, 0));
  if (!lost.empty() && !round.pulled) {
    Status opened = locally([&]() -> Status {
      if (leads()) return {};
      PSNAM_TRY(round.version, area.version(round.attempt.version));
      return {};
    });
    PSNAM_CHECK(team_.agree(opened));
  }
  const std::lock_guard lock{mutex_};
  under_way_ = true;
  return round;
}

Status ParitySet::restart(const Round& round, std::span<std::byte> data, bool available, parity::Deadline deadline,
                          parity::RebuildReport& report) {
  Status done = locally([&]() -> Status {
    if (round.attempt.number == 0) return {};  // nobody has lost anything
    const parity::MemberBuffer mine{member(), data, !available};
    if (round.pulled) return rebuild_pulled(*round.memory, round.attempt, mine, deadline, report);
    return parity::rebuild_member(round.memory->area(), round.attempt, round.version, mine, deadline, report);
  });
  const std::lock_guard lock{mutex_};
  under_way_ = false;
  return done;
}

Status ParitySet::end() {
  std::uint32_t under_way = 0;
  {
    const std::lock_guard lock{mutex_};
    under_way = under_way_ ? 1 : 0;
  }
  PSNAM_TRY(const auto all, team_.gather(Opening{.under_way = under_way}));
  PSNAM_CHECK(check_idle(all));
  return team_.agree(locally([&]() -> Status {
    if (!leads()) return {};
    PSNAM_CHECK(memory_->release());
    records_->gone(memory_->record());
    return {};
  }));
}

}  // namespace psnam::checkpoint
