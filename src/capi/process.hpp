// What libnam.so keeps for the process it lives in: the store, opened on first use, and the handles.
//
// A child of fork() begins with nothing: neither the store nor a handle of its parent is touched in it, because the
// catalog counts the parent as the user.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include "base/result.hpp"
#include "base/ticket_table.hpp"
#include "capi/allocation.hpp"
#include "capi/checkpoint_set.hpp"
#include "capi/handles.hpp"
#include "capi/jobs.hpp"
#include "capi/managed.hpp"
#include "capi/records.hpp"
#include "capi/set.hpp"
#include "nam.h"
#include "nam/store.hpp"
#include "psnam_checkpoint_team.h"
#include "psnam_job_team.h"

namespace psnam::capi {

/// What a program has begun and not waited for.
class UnderWay {
 public:
  virtual ~UnderWay() = default;
  /// Whether finish() returns at once.
  [[nodiscard]] virtual bool complete() const = 0;
  /// What became of it, once it is complete. Called once.
  [[nodiscard]] virtual Status finish() = 0;
};

class Process {
 public:
  Process() = default;
  explicit Process(bool forked) noexcept : forked_{forked} {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Opened on first use, and made where there is none. Thread-safe.
  Result<std::shared_ptr<nam::Service>> store();
  /// Ends all handles and everything that this process uses.
  Status finalize();

  [[nodiscard]] Handles<nam_allocation_t, Allocation>& allocations() noexcept { return allocations_; }
  [[nodiscard]] Handles<nam_ext_allocation_t, Set>& sets() noexcept { return sets_; }
  [[nodiscard]] Handles<nam_ext_allocation_t, CheckpointSet>& checkpoints() noexcept { return checkpoints_; }
  [[nodiscard]] Handles<psnam_checkpoint_t, ManagedCheckpoint>& managed() noexcept { return managed_; }
  [[nodiscard]] Handles<psnam_job_t, RunningJob>& jobs() noexcept { return jobs_; }
  [[nodiscard]] LoadedRecords& records() noexcept { return records_; }
  [[nodiscard]] TicketTable<UnderWay>& transfers() noexcept { return transfers_; }

  /// What `handle` stands for. Code::invalid_argument for what is none, in the name of `function`.
  Result<std::shared_ptr<Allocation>> allocation(const char* function, const nam_allocation_t* handle) const;
  /// Code::invalid_argument for a set of checkpoints too, and the other way round.
  Result<std::shared_ptr<Set>> set(const char* function, const nam_ext_allocation_t* handle) const;
  Result<std::shared_ptr<CheckpointSet>> checkpoint_set(const char* function, const nam_ext_allocation_t* handle) const;
  /// How long others may let this process wait. Known once the store is open.
  [[nodiscard]] std::chrono::milliseconds timeout() const;

 private:
  [[nodiscard]] Error no_handle(const char* function, const void* handle) const;

  const bool forked_ = false;
  mutable std::mutex mutex_;
  std::chrono::milliseconds timeout_{0};
  std::shared_ptr<nam::Service> store_;
  Handles<nam_allocation_t, Allocation> allocations_;
  Handles<nam_ext_allocation_t, Set> sets_;
  Handles<nam_ext_allocation_t, CheckpointSet> checkpoints_;
  Handles<psnam_checkpoint_t, ManagedCheckpoint> managed_;
  Handles<psnam_job_t, RunningJob> jobs_;
  LoadedRecords records_;
  TicketTable<UnderWay> transfers_;
};

/// That of the calling process.
[[nodiscard]] Process& process();

}  // namespace psnam::capi
