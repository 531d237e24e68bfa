// nam_ext.h: sets made, found again and ended by all processes of a communicator.
#include <fmt/format.h>

#include <cerrno>
#include <limits>

#include "base/log.hpp"
#include "capi/failure.hpp"
#include "capi/operations.hpp"
#include "capi/process.hpp"
#include "nam_team.h"

namespace psnam::capi {
namespace {

/// What the root tells the others of the allocation.
struct Shared {
  nam_allocation_t record{};
  std::uint64_t max_bytes = 0;
  std::uint64_t ranks = 0;
  format::Uuid store;
};

/// How a set is asked for.
struct Asked {
  const char* function;
  std::uint64_t value;
  std::uint64_t factor;
  int root;
  int what;
};

Result<std::uint64_t> wanted_bytes(const Asked& asked, const std::vector<Arguments>& all) {
  const Arguments& root = all[static_cast<std::size_t>(asked.root)];
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if ((all[rank].value != 0 && all[rank].value != root.value) ||
        (all[rank].factor != 0 && all[rank].factor != root.factor))
      return Error{Code::size,
                   fmt::format("{}: rank {} asks for {} x {} bytes and the root for {} x {}", asked.function, rank,
                               all[rank].value, all[rank].factor, root.value, root.factor)};
  if (root.factor != 0 && root.value > std::numeric_limits<std::size_t>::max() / root.factor)
    return Error{Code::no_memory, fmt::format("{}: {} times {} bytes are more than an address can tell", asked.function,
                                              root.value, root.factor)};
  return root.value * root.factor;
}

SetRecord record_of_new(std::uint64_t bytes, const std::vector<Arguments>& all) {
  SetRecord record;
  record.size_bytes = bytes;
  record.ranks = all.size();
  record.max_bytes = bytes / all.size();
  for (const Arguments& one : all) record.global_ranks.push_back(one.global_rank);
  return record;
}

/// The sets of this user, once again.
Result<std::vector<SetRecord>> load() {
  PSNAM_TRY(const auto store, process().store());
  PSNAM_TRY(auto found, find_sets(store));
  process().records().set(found);
  return found;
}

/// The root's part: the allocation, new or found again, and what is to be known of it.
Status begin_at_root(const Asked& asked, std::uint64_t bytes, SetRecord& record,
                     std::shared_ptr<Allocation>& allocation) {
  PSNAM_TRY(const auto home, process().store());
  if ((asked.what & NAM_PRIVATE_CONNECT) == 0) {
    const bool persistent = (asked.what & NAM_PRIVATE_PERSISTENT) != 0;
    const std::string name = persistent ? new_set_name(record) : "";
    PSNAM_TRY(allocation, Allocation::allocate(home, bytes, 0, name));
    record.nam_index = allocation->record().nam_index;
    record.address = allocation->id();
    record.challenge = allocation->details().challenge;
    return {};
  }
  PSNAM_TRY(const auto sets, load());
  for (const SetRecord& set : sets)
    if (set.challenge == asked.value) record = set;
  if (record.challenge != asked.value)
    return Error{Code::name_not_found, fmt::format("{}: no set of challenge {:016x} among the {} of this user",
                                                   asked.function, asked.value, sets.size())};
  nam_allocation_t wanted{};
  wanted.nam_index = record.nam_index;
  wanted.challenge = record.challenge;
  wanted.address = record.address;
  wanted.size = record.size_bytes;
  PSNAM_TRY(allocation, Allocation::connect(home, wanted));
  if (allocation->details().kind == format::AllocationKind::checkpoint)
    return Error{Code::invalid_argument,
                 fmt::format("{}: the set of challenge {:016x} is one of checkpoints", asked.function, asked.value)};
  return {};
}

/// The others' part.
Status connect(const Shared& shared, int root, std::shared_ptr<Allocation>& allocation) {
  PSNAM_TRY(const auto home, process().store());
  if (const format::NodeRecord here = home->node(); here.store != shared.store)
    return Error{Code::unreachable, fmt::format("the store here, {} on {}, is not that of rank {}: a set over several "
                                                "stores needs a manager, which PSNAM_MANAGER names on all ranks",
                                                here.path, here.host, root)};
  PSNAM_TRY(allocation, Allocation::connect(home, shared.record));
  return {};
}

/// Root's allocation to all others. Collective; each has its own afterwards, or none has.
Status share(const Team& team, int root, Shared& shared, std::shared_ptr<Allocation>& allocation) {
  if (team.rank() == root) {
    const Status mine = locally([&]() -> Status {
      PSNAM_TRY(const auto home, process().store());
      shared.record = allocation->record();
      shared.store = home->node().store;
      return {};
    });
    PSNAM_CHECK(team.agree(mine));
  } else {
    PSNAM_CHECK(team.agree({}));
  }
  PSNAM_CHECK(team.broadcast(shared, root));
  return team.agree(locally([&]() -> Status {
    if (team.rank() == root) return {};
    return connect(shared, root, allocation);
  }));
}

/// Last step of a persistent set: from here on it outlives the job. The file is a convenience; the catalog knows.
Status keep(const SetRecord& record, Allocation& allocation) {
  PSNAM_CHECK(allocation.keep());
  Status written = [&]() -> Status {
    PSNAM_TRY(const auto folder, records_folder());
    return write_record(folder, record);
  }();
  if (!written) log::warn("set {:016x} is in the catalog only: {}", record.challenge, written.error().message);
  return {};
}

Result<nam_ext_allocation_t*> handle_of(const Team& team, int root, SetRecord record,
                                        std::shared_ptr<Allocation> allocation) {
  nam_ext_allocation_t handle{};
  handle.max_bytes = record.max_bytes;
  handle.ranks = static_cast<std::int32_t>(record.ranks);
  handle.rank = team.rank();
  handle.allocation = process().allocations().add(allocation->record(), allocation);
  return process().sets().add(
      handle, std::make_shared<Set>(team, std::move(allocation), handle.allocation, std::move(record), root));
}

Result<nam_ext_allocation_t*> make(const Team& team, const Asked& asked) {
  PSNAM_TRY(const auto all, team.compare(asked.function, {.operation = static_cast<std::int32_t>(Operation::make),
                                                          .root = asked.root,
                                                          .what = asked.what,
                                                          .value = asked.value,
                                                          .factor = asked.factor}));
  const bool fresh = (asked.what & NAM_PRIVATE_CONNECT) == 0;
  std::uint64_t bytes = 0;
  SetRecord record;
  if (fresh) {
    PSNAM_TRY(bytes, wanted_bytes(asked, all));
    record = record_of_new(bytes, all);
  }
  std::shared_ptr<Allocation> allocation;
  const Status mine = locally([&]() -> Status {
    if (team.rank() != asked.root) return {};
    return begin_at_root(asked, bytes, record, allocation);
  });
  PSNAM_CHECK(team.agree(mine));
  Shared shared{.record = {}, .max_bytes = record.max_bytes, .ranks = record.ranks, .store = {}};
  PSNAM_CHECK(share(team, asked.root, shared, allocation));
  record.challenge = shared.record.challenge;
  record.address = shared.record.address;
  record.size_bytes = shared.record.size;
  record.max_bytes = shared.max_bytes;
  record.ranks = shared.ranks;
  const Status kept = locally([&]() -> Status {
    if (team.rank() == asked.root && (asked.what & NAM_PRIVATE_PERSISTENT) != 0) return keep(record, *allocation);
    return {};
  });
  PSNAM_CHECK(team.agree(kept));
  if ((asked.what & NAM_PRIVATE_PERSISTENT) != 0) allocation->was_kept();
  return handle_of(team, asked.root, std::move(record), std::move(allocation));
}

Status synchronise(const Team& team, nam_allocation_t* record, int root) {
  PSNAM_TRY(const auto all, team.compare("nam_sync_allocation",
                                         {.operation = static_cast<std::int32_t>(Operation::sync), .root = root}));
  std::shared_ptr<Allocation> allocation;
  const Status mine = locally([&]() -> Status {
    if (record == nullptr) return Error{Code::invalid_argument, "nam_sync_allocation: the record is NULL"};
    if (team.rank() == root) {
      PSNAM_TRY(allocation, process().allocation("nam_sync_allocation", record));
    } else if (process().allocations().find(record)) {
      return Error{Code::busy, "nam_sync_allocation: the record to write to stands for an allocation in use here"};
    }
    return {};
  });
  PSNAM_CHECK(team.agree(mine));
  Shared shared;
  PSNAM_CHECK(share(team, root, shared, allocation));
  if (team.rank() == root) return {};
  *record = allocation->record();
  process().allocations().add(record, std::move(allocation));
  return {};
}

Status end_set(nam_ext_allocation_t* handle) {
  if (const auto checkpoints = process().checkpoints().find(handle)) return end_checkpoints(handle, *checkpoints);
  PSNAM_TRY(const auto set, process().set("nam_free_all", handle));
  const Team& team = set->team();
  PSNAM_TRY(const auto all, team.compare("nam_free_all", {.operation = static_cast<std::int32_t>(Operation::free)}));
  // If it cannot be released, nobody has lost it.
  const Status mine = locally([&]() -> Status {
    if (team.rank() != set->root()) return {};
    const bool persistent = set->allocation().persistent();
    PSNAM_CHECK(set->allocation().release());
    const auto folder = records_folder();
    if (persistent && folder) return remove_record(*folder, set->record().challenge);
    return {};
  });
  PSNAM_CHECK(team.agree(mine));
  const Status closed = set->allocation().close();
  nam_allocation_t freed = set->allocation().record();
  freed.status = NAM_STATUS_FREED;
  process().allocations().remove(set->handle(), freed);
  process().sets().remove(handle, {});
  Status verdict = team.agree(closed);
  team.release();
  return verdict;
}

Result<int> remove_all() {
  PSNAM_TRY(const auto home, process().store());
  PSNAM_TRY(const auto sets, load());
  int removed = 0;
  Status first;
  const auto folder = records_folder();
  for (const SetRecord& set : sets) {
    const auto nam = nam_of(home, set.nam_index);
    Status gone = nam ? (*nam)->free_allocation(set.address, false).status() : Status{nam.error()};
    if (gone && folder) gone = remove_record(*folder, set.challenge);
    if (gone)
      ++removed;
    else if (first)
      first = std::move(gone);
  }
  process().records().set({});
  if (!first) return first.take_error();
  return removed;
}

Result<int> describe(int index, nam_ext_record_t* record) {
  if (record == nullptr) return Error{Code::buffer, "nam_get_ext_record: the structure's address is NULL"};
  const auto records = process().records().get();
  if (index < 0 || static_cast<std::size_t>(index) >= records.size())
    return Error{Code::invalid_argument, fmt::format("nam_get_ext_record: record {} of {}", index, records.size())};
  const SetRecord& found = records[static_cast<std::size_t>(index)];
  *record = {.nam_index = found.nam_index,
             .ranks = static_cast<std::int32_t>(found.ranks),
             .challenge = found.challenge,
             .address = found.address,
             .size = found.size_bytes,
             .max_bytes = found.max_bytes};
  return 0;
}

}  // namespace
}  // namespace psnam::capi

using psnam::Code;
using psnam::Error;
using psnam::Result;
using psnam::Status;
using psnam::capi::boundary;
using psnam::capi::process;
using psnam::checkpoint::Team;

extern "C" {

nam_ext_allocation_t* nam_private_make(const nam_private_team_t* team, const char* function, uint64_t value,
                                       uint64_t factor, int root, int what) {
  return boundary(static_cast<nam_ext_allocation_t*>(nullptr), [&]() -> Result<nam_ext_allocation_t*> {
    PSNAM_CHECK(Team::check(team));
    auto made = psnam::capi::make(Team{*team}, {function, value, factor, root, what});
    if (!made) team->release(team->communicator);
    return made;
  });
}

int nam_private_sync(const nam_private_team_t* team, nam_allocation_t* allocation, int root) {
  return boundary(-1, [&]() -> Status {
    PSNAM_CHECK(Team::check(team));
    Status done = psnam::capi::synchronise(Team{*team}, allocation, root);
    team->release(team->communicator);
    return done;
  });
}

int nam_private_refuse(const char* function, const char* why) {
  return boundary(-1, [&]() -> Status { return Error{Code::invalid_argument, fmt::format("{}: {}", function, why)}; });
}

int nam_init_extended(void) {
  return boundary(-1, [] { return psnam::capi::load().status(); });
}

int nam_free_all(nam_ext_allocation_t* ext) {
  return boundary(-1, [&] { return psnam::capi::end_set(ext); });
}

uint64_t nam_get_max_bytes(const nam_ext_allocation_t* ext) {
  return boundary(uint64_t{0}, [&]() -> Result<uint64_t> {
    if (const auto checkpoints = process().checkpoints().find(ext)) return checkpoints->parity().largest_bytes();
    PSNAM_TRY(const auto set, process().set("nam_get_max_bytes", ext));
    return set->record().max_bytes;
  });
}

int nam_load_ext_allocations(void) {
  return boundary(-1, []() -> Result<int> {
    PSNAM_TRY(const auto found, psnam::capi::load());
    return static_cast<int>(found.size());
  });
}

int nam_get_ext_record(int index, nam_ext_record_t* record) {
  return boundary(-1, [&] { return psnam::capi::describe(index, record); });
}

int nam_delete_all_ext_allocations(void) {
  return boundary(-1, [] { return psnam::capi::remove_all(); });
}

}  // extern "C"
