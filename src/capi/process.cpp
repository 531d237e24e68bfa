#include "capi/process.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <atomic>

#include "base/log.hpp"
#include "base/options.hpp"
#include "nam/embedded.hpp"

namespace psnam::capi {
namespace {

std::atomic<Process*> current{nullptr};

/// What the parent had is left alone, never destroyed: its store is the parent's, and another thread of the parent may
/// have held any of its locks at the fork.
void begin_anew_in_child() { current.store(new Process{true}); }

Process* make_process() {
  auto made = std::make_unique<Process>();
  if (::pthread_atfork(nullptr, nullptr, begin_anew_in_child) != 0) throw std::bad_alloc{};
  current.store(made.get());
  return made.release();
}

}  // namespace

Process& process() {
  static Process* const first = make_process();
  Process* const now = current.load(std::memory_order_acquire);
  return now != nullptr ? *now : *first;
}

Result<std::shared_ptr<nam::Service>> Process::store() {
  const std::lock_guard lock{mutex_};
  if (store_) return store_;
  PSNAM_TRY(const Options options, parse_options(environment_variable));
  log::set_level(options.log_level);
  timeout_ = options.timeout;
  PSNAM_TRY(store_, nam::open_shared(options, true));
  return store_;
}

Status Process::finalize() {
  // What a set holds is among the allocations. Its communicator stays: freeing it would be collective.
  sets_.clear({});
  checkpoints_.clear({});
  jobs_.clear({});
  managed_.clear({});
  Status first;
  nam_allocation_t freed{};
  freed.status = NAM_STATUS_FREED;
  for (const auto& allocation : allocations_.clear(freed)) {
    Status closed = allocation->close();
    if (!closed && first) first = std::move(closed);
  }
  const std::lock_guard lock{mutex_};
  store_.reset();
  return first;
}

Error Process::no_handle(const char* function, const void* handle) const {
  if (handle == nullptr) return Error{Code::invalid_argument, fmt::format("{}: the handle is NULL", function)};
  return Error{Code::invalid_argument,
               fmt::format("{}: {} is no handle of this process: it was freed, or copied, or never made or connected "
                           "here{}",
                           function, handle, forked_ ? "; a child has none of the handles of its parent" : "")};
}

Result<std::shared_ptr<Allocation>> Process::allocation(const char* function, const nam_allocation_t* handle) const {
  auto found = handle != nullptr ? allocations_.find(handle) : nullptr;
  if (!found) return no_handle(function, handle);
  return found;
}

Result<std::shared_ptr<Set>> Process::set(const char* function, const nam_ext_allocation_t* handle) const {
  auto found = handle != nullptr ? sets_.find(handle) : nullptr;
  if (found) return found;
  if (handle != nullptr && checkpoints_.find(handle))
    return Error{Code::invalid_argument, fmt::format("{}: the handle is of a set of checkpoints", function)};
  return no_handle(function, handle);
}

Result<std::shared_ptr<CheckpointSet>> Process::checkpoint_set(const char* function,
                                                               const nam_ext_allocation_t* handle) const {
  auto found = handle != nullptr ? checkpoints_.find(handle) : nullptr;
  if (found) return found;
  if (handle != nullptr && sets_.find(handle))
    return Error{Code::invalid_argument,
                 fmt::format("{}: the handle is of an allocation, not of a set of checkpoints", function)};
  return no_handle(function, handle);
}

std::chrono::milliseconds Process::timeout() const {
  const std::lock_guard lock{mutex_};
  return timeout_;
}

}  // namespace psnam::capi
