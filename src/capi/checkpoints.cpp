// nam_ext.h: checkpoints by parity on the NAM. What is collective in a call is over when it returns; the rest of the
// asynchronous forms is done by a thread that knows no communicator.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "base/log.hpp"
#include "capi/failure.hpp"
#include "capi/operations.hpp"
#include "capi/process.hpp"
#include "nam_team.h"

namespace psnam::capi {
namespace {

using checkpoint::ParitySet;
using checkpoint::Round;

struct AskedSet {
  const char* function;
  const char* name;
  int parities;
  std::uint64_t bytes;
  int root;
  int nam_index;
  int what;
};

std::array<std::uint8_t, 16> new_id() {
  const format::Uuid uuid = format::random_uuid();
  std::array<std::uint8_t, 16> id{};
  std::ranges::copy(uuid.bytes, id.begin());
  return id;
}

Status check(const AskedSet& asked, const std::vector<Arguments>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank].factor != all[0].factor)
      return Error{Code::invalid_argument, fmt::format("{}: {} parities on rank 0 and {} on rank {}", asked.function,
                                                       static_cast<std::int64_t>(all[0].factor),
                                                       static_cast<std::int64_t>(all[rank].factor), rank)};
  const bool connects = (asked.what & NAM_PRIVATE_CONNECT) != 0;
  if (!connects && asked.parities < 1)
    return Error{Code::invalid_argument, fmt::format("{}: {} parities; at least 1", asked.function, asked.parities)};
  const std::size_t length = asked.name == nullptr ? 0 : std::char_traits<char>::length(asked.name);
  if (length >= format::kParityNameBytes)
    return Error{Code::invalid_argument, fmt::format("{}: a name of {} bytes; at most {}", asked.function, length,
                                                     format::kParityNameBytes - 1)};
  return {};
}

Result<std::unique_ptr<ParitySet>> open(const Team& team, const AskedSet& asked, std::vector<Arguments> all) {
  ServicePointer nam;
  const Status reached = locally([&]() -> Status {
    PSNAM_CHECK(check(asked, all));
    PSNAM_TRY(const auto home, process().store());
    PSNAM_TRY(nam, nam_of(home, asked.nam_index));
    return {};
  });
  PSNAM_CHECK(team.agree(reached));
  std::vector<std::int32_t> global_ranks;
  for (const Arguments& one : all) global_ranks.push_back(one.global_rank);
  const std::string name = asked.name == nullptr ? "" : asked.name;
  if ((asked.what & NAM_PRIVATE_CONNECT) == 0)
    return ParitySet::create(team, nam,
                             {.parities = static_cast<std::uint32_t>(asked.parities),
                              .capacity_bytes = std::ranges::max(all, {}, &Arguments::value).value,
                              .name = name,
                              .id = new_id()},
                             area_records(std::move(global_ranks)));
  std::vector<checkpoint::AreaTicket> areas;
  const Status looked = locally([&]() -> Status {
    if (team.rank() != 0) return {};
    PSNAM_TRY(areas, find_areas(nam, {.ranks = all.size(), .name = name}));
    return {};
  });
  PSNAM_CHECK(team.agree(looked));
  return ParitySet::reuse(team, nam, areas, area_records(std::move(global_ranks)));
}

Result<nam_ext_allocation_t*> make(const Team& team, const AskedSet& asked) {
  PSNAM_TRY(auto all, team.compare(asked.function, {.operation = static_cast<std::int32_t>(Operation::make_checkpoints),
                                                    .root = asked.root,
                                                    .what = asked.what,
                                                    .value = asked.bytes,
                                                    .factor = static_cast<std::uint64_t>(asked.parities)}));
  PSNAM_TRY(auto parity, open(team, asked, std::move(all)));
  nam_ext_allocation_t handle{};
  handle.max_bytes = parity->capacity_bytes();
  handle.ranks = team.size();
  handle.rank = team.rank();
  return process().checkpoints().add(handle, std::make_shared<CheckpointSet>(std::move(parity), process().timeout()));
}

/// A checkpoint or restart that goes on in a thread of its own.
class InBackground final : public UnderWay {
 public:
  template <class Body>
  explicit InBackground(Body body)
      : thread_{[this, body = std::move(body)]() mutable {
          status_ = locally(body);
          complete_.store(true, std::memory_order_release);
        }} {}

  [[nodiscard]] bool complete() const override { return complete_.load(std::memory_order_acquire); }
  [[nodiscard]] Status finish() override {
    thread_.join();
    return std::move(status_);
  }

 private:
  std::atomic<bool> complete_{false};
  Status status_;
  std::jthread thread_;  // last: it uses the others
};

/// A buffer of a program, and what is to become of it.
struct Task {
  const char* function;
  Operation operation;
  void* buffer;
  std::size_t bytes;
  bool available;
};

void tell(const Team& team, const parity::RebuildReport& report) {
  for (const auto& bad : report.repaired)
    log::warn("version {}: {} was damaged and is whole again", report.version,
              parity::describe(bad, static_cast<std::uint32_t>(team.size())));
}

/// The collective part. What is left to do is returned, for any thread.
Result<std::function<Status()>> begin(const Task& task, const nam_ext_allocation_t* handle) {
  PSNAM_TRY(auto set, process().checkpoint_set(task.function, handle));
  const Team& team = set->parity().team();
  PSNAM_CHECK(team.compare(task.function, {.operation = static_cast<std::int32_t>(task.operation)}).status());
  const bool has_buffer = task.buffer != nullptr || task.bytes == 0;
  PSNAM_CHECK(team.agree(
      has_buffer ? Status{}
                 : Error{Code::buffer, fmt::format("{}: the buffer of {} bytes is NULL", task.function, task.bytes)}));
  auto* const data = static_cast<std::byte*>(task.buffer);
  if (task.operation == Operation::checkpoint) {
    PSNAM_TRY(Round round, set->parity().begin_checkpoint(task.bytes));
    return std::function<Status()>{[set, round = std::move(round), data, bytes = task.bytes] {
      return set->parity().checkpoint(round, {data, bytes}, nullptr, set->deadline());
    }};
  }
  PSNAM_TRY(Round round, set->parity().begin_restart(task.bytes, task.available));
  return std::function<Status()>{[set, round = std::move(round), data, task] {
    parity::RebuildReport report;
    Status done = set->parity().restart(round, {data, task.bytes}, task.available, set->deadline(), report);
    tell(set->parity().team(), report);
    return done;
  }};
}

Status do_now(const Task& task, const nam_ext_allocation_t* handle) {
  PSNAM_TRY(const auto rest, begin(task, handle));
  return rest();
}

Status start(const Task& task, const nam_ext_allocation_t* handle, nam_async_request_t* request) {
  if (request == nullptr) return Error{Code::invalid_argument, fmt::format("{}: the request is NULL", task.function)};
  *request = NAM_ASYNC_REQUEST_NULL;
  PSNAM_TRY(auto rest, begin(task, handle));
  request->state = process().transfers().insert(std::make_shared<InBackground>(std::move(rest)));
  request->bytes = static_cast<ssize_t>(task.bytes);
  return {};
}

void let_go(nam_ext_allocation_t* handle, const Team& team) {
  process().checkpoints().remove(handle, {});
  team.release();
}

void drop(nam_ext_allocation_t* handle, int what) {
  const auto set = process().checkpoints().find(handle);
  if (!set) return;
  const Team team = set->parity().team();
  Status gone;
  if ((what & NAM_PRIVATE_CONNECT) == 0) gone = set->parity().end();
  if (!gone) log::warn("a set of checkpoints stays: {}", gone.error().message);
  let_go(handle, team);
}

}  // namespace

Status end_checkpoints(nam_ext_allocation_t* handle, CheckpointSet& set) {
  const Team team = set.parity().team();
  PSNAM_CHECK(team.compare("nam_free_all", {.operation = static_cast<std::int32_t>(Operation::free)}).status());
  PSNAM_CHECK(set.parity().end());
  let_go(handle, team);
  return {};
}

}  // namespace psnam::capi

using psnam::Result;
using psnam::Status;
using psnam::capi::boundary;
using psnam::capi::Operation;
using psnam::capi::process;

extern "C" {

nam_ext_allocation_t* nam_private_make_checkpoints(const nam_private_team_t* team, const char* function,
                                                   const char* name, int parities, uint64_t bytes, int root,
                                                   int nam_index, int what) {
  return boundary(static_cast<nam_ext_allocation_t*>(nullptr), [&]() -> Result<nam_ext_allocation_t*> {
    PSNAM_CHECK(psnam::checkpoint::Team::check(team));
    auto made =
        psnam::capi::make(psnam::checkpoint::Team{*team}, {function, name, parities, bytes, root, nam_index, what});
    if (!made) team->release(team->communicator);
    return made;
  });
}

int nam_private_nams(int32_t* indices, int room) {
  return boundary(-1, [&]() -> Result<int> {
    PSNAM_TRY(const auto home, process().store());
    PSNAM_TRY(const auto nams, home->nams());
    int count = 0;
    for (const auto& nam : nams)
      if (nam.reachable && count < room) indices[count++] = static_cast<int32_t>(nam.index);
    return count;
  });
}

void nam_private_drop_checkpoints(nam_ext_allocation_t* ext, int what) {
  boundary(0, [&]() -> Status {
    psnam::capi::drop(ext, what);
    return {};
  });
}

int nam_checkpoint_sync(const void* buf, size_t bytes, nam_ext_allocation_t* ext) {
  return boundary(-1, [&] {
    return psnam::capi::do_now({"nam_checkpoint_sync", Operation::checkpoint, const_cast<void*>(buf), bytes, true},
                               ext);
  });
}

int nam_restart_sync(void* buf, size_t bytes, int data_avail, nam_ext_allocation_t* ext) {
  return boundary(-1, [&] {
    return psnam::capi::do_now({"nam_restart_sync", Operation::restart, buf, bytes, data_avail != 0}, ext);
  });
}

int nam_private_start_checkpoint(const void* buf, size_t bytes, nam_ext_allocation_t* ext,
                                 nam_async_request_t* request) {
  return boundary(-1, [&] {
    return psnam::capi::start({"nam_checkpoint_async", Operation::checkpoint, const_cast<void*>(buf), bytes, true}, ext,
                              request);
  });
}

int nam_private_start_restart(void* buf, size_t bytes, int data_avail, nam_ext_allocation_t* ext,
                              nam_async_request_t* request) {
  return boundary(-1, [&] {
    return psnam::capi::start({"nam_restart_async", Operation::restart, buf, bytes, data_avail != 0}, ext, request);
  });
}

}  // extern "C"
