// The synchronisation calls of a window.
//
// On mapped memory an operation is a processor instruction, complete when the call returns; those on remote memory are
// completed by a flush of it. What remains of synchronisation is: to wait for others (barrier, locks, the MPI library's
// post and start), to order memory, and to say which operations are allowed. A window with regions in the stores of
// several nodes hands each call on to the native window as well, which carries the operations between nodes.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <numeric>

#include "base/log.hpp"
#include "sync/progress.hpp"
#include "win/window.hpp"

namespace psnam::win {
namespace {

/// Some microseconds of a loop that looks for what another process writes.
constexpr unsigned kLooksBetweenProgress = 256;

/// Lets the MPI library make progress while a lock is waited for.
class Progress final : public nam::Waiter {
 public:
  explicit Progress(const Real& real) noexcept : real_{real} {}
  void poll() noexcept override { sync::make_progress(real_); }

 private:
  const Real& real_;
};

Result<sync::LockKind> lock_kind(int type) {
  if (type == MPI_LOCK_SHARED) return sync::LockKind::shared;
  if (type == MPI_LOCK_EXCLUSIVE) return sync::LockKind::exclusive;
  return Error{Code::lock_type,
               fmt::format("lock_type = {}: known are MPI_LOCK_SHARED ({}) and MPI_LOCK_EXCLUSIVE ({})", type,
                           MPI_LOCK_SHARED, MPI_LOCK_EXCLUSIVE)};
}

nam::LockKind store_kind(sync::LockKind kind) noexcept {
  return kind == sync::LockKind::exclusive ? nam::LockKind::exclusive : nam::LockKind::shared;
}

Status checked(const Real& real, const char* call, int rc) {
  if (rc != MPI_SUCCESS) return sync::raised_mpi_error(real, call, rc);
  return {};
}

}  // namespace

void Window::allow(std::size_t target, std::uint32_t more) noexcept {
  (*parts_->regions)[target].permissions.store(allowed() | more, std::memory_order_relaxed);
}

void Window::look_around() noexcept {
  const unsigned looks = looks_.load(std::memory_order_relaxed) + 1;  // a lost count of another thread does no harm
  looks_.store(looks, std::memory_order_relaxed);
  if (looks % kLooksBetweenProgress != 0) return;
  sync::make_progress(context_.real());
  ::sched_yield();
}

void Window::forbid(std::size_t target) noexcept {
  (*parts_->regions)[target].permissions.store(0, std::memory_order_relaxed);
}

Result<SeatLocks*> Window::locks(const Seat& seat) {
  const auto index = static_cast<std::size_t>(&seat - parts_->seats.data());
  const std::lock_guard lock{locks_mutex_};
  if (locks_[index] == nullptr) {
    PSNAM_TRY(locks_[index], SeatLocks::open(seat, target_total_, parts_->rank));
    if (nam::ElementLocks* const elements = locks_[index]->elements())
      for (std::size_t rank = 0; rank < target_total_; ++rank)
        if (Target& target = (*parts_->regions)[rank]; target.seat == &seat && !target.exposed())
          target.elements.store(elements, std::memory_order_release);
  }
  return locks_[index].get();
}

Status Window::fence(int bits) {
  const auto assertions = sync::Assertions::of_fence(bits);
  if (Status fits = epochs_.check_fence(); !fits) {
    if (!parts_->relaxed_fence) return fits;
    // Locks and what they allow stay as they are: all that a fence can mean here is that the ranks meet.
    Status flushed = parts_->regions->flush();
    PSNAM_CHECK(parts_->team->barrier());
    PSNAM_CHECK(std::move(flushed));
    return assertions ? Status{} : Status{assertions.error()};
  }
  // The barrier is also made where MPI would let it be left out (MPI_MODE_NOPRECEDE): it costs less than the doubt. And
  // after an assertion that is wrong on this rank: the others wait for it.
  Status flushed = parts_->regions->flush();
  if (parts_->spans_nodes) {
    PSNAM_CHECK(checked(context_.real(), "MPI_Win_fence between nodes",
                        context_.real().Win_fence(assertions ? bits : 0, native())));
  } else {
    PSNAM_CHECK(parts_->team->barrier());
  }
  PSNAM_CHECK(std::move(flushed));
  if (!assertions) return assertions.error();
  epochs_.fence(!assertions->opens_no_epoch());
  if (assertions->opens_no_epoch())
    forbid_all();
  else
    allow_all();
  return {};
}

Result<std::vector<std::size_t>> Window::targets_of(MPI_Group group) const {
  const Real& real = context_.real();
  std::vector<std::size_t> targets;
  if (!parts_->creator) {
    // The regions belong to ranks of a job that has ended: no process of this group stands for one of them, so all are
    // meant.
    targets.resize(target_total_);
    std::iota(targets.begin(), targets.end(), std::size_t{0});
    return targets;
  }
  int count = 0;
  MPI_Group all = MPI_GROUP_NULL;
  PSNAM_CHECK(checked(real, "MPI_Group_size", real.Group_size(group, &count)));
  PSNAM_CHECK(checked(real, "MPI_Win_get_group", real.Win_get_group(native(), &all)));
  std::vector<int> ranks(static_cast<std::size_t>(count));
  std::vector<int> translated(ranks.size());
  std::iota(ranks.begin(), ranks.end(), 0);
  const int rc = real.Group_translate_ranks(group, count, ranks.data(), all, translated.data());
  real.Group_free(&all);
  PSNAM_CHECK(checked(real, "MPI_Group_translate_ranks", rc));
  for (const int rank : translated)
    if (rank >= 0) targets.push_back(static_cast<std::size_t>(rank));
  return targets;
}

Status Window::post(MPI_Group group, int bits) {
  PSNAM_TRY(const sync::Assertions assertions, sync::Assertions::of_post(bits));
  PSNAM_CHECK(epochs_.begin_post());
  Status posted =
      checked(context_.real(), "MPI_Win_post", context_.real().Win_post(group, assertions.bits(), native()));
  if (!posted) epochs_.end_post();
  return posted;
}

Status Window::start(MPI_Group group, int bits) {
  PSNAM_TRY(const sync::Assertions assertions, sync::Assertions::of_start(bits));
  PSNAM_TRY(auto targets, targets_of(group));
  PSNAM_CHECK(epochs_.begin_start());
  if (Status begun =
          checked(context_.real(), "MPI_Win_start", context_.real().Win_start(group, assertions.bits(), native()));
      !begun) {
    static_cast<void>(epochs_.end_start().ok());
    return begun;
  }
  forbid_all();
  started_ = std::move(targets);
  for (const std::size_t target : started_) allow(target);
  return {};
}

Status Window::complete() {
  PSNAM_CHECK(epochs_.end_start());
  for (const std::size_t target : started_) forbid(target);
  started_.clear();
  // The targets wait for this, whatever became of the operations.
  Status flushed = parts_->regions->flush();
  PSNAM_CHECK(checked(context_.real(), "MPI_Win_complete", context_.real().Win_complete(native())));
  return flushed;
}

Status Window::wait() {
  PSNAM_CHECK(epochs_.check_posted());
  PSNAM_CHECK(checked(context_.real(), "MPI_Win_wait", context_.real().Win_wait(native())));
  epochs_.end_post();
  return {};
}

Result<bool> Window::test() {
  PSNAM_CHECK(epochs_.check_posted());
  int flag = 0;
  PSNAM_CHECK(checked(context_.real(), "MPI_Win_test", context_.real().Win_test(native(), &flag)));
  if (flag != 0) epochs_.end_post();
  return flag != 0;
}

Status Window::lock(int type, int rank, int bits) {
  PSNAM_TRY(const sync::LockKind kind, lock_kind(type));
  PSNAM_TRY(const sync::Assertions assertions, sync::Assertions::of_lock(bits));
  if (rank == MPI_PROC_NULL) {
    PSNAM_CHECK(epochs_.begin_lock_of_nobody());
    forbid_all();
    return {};
  }
  PSNAM_TRY(Target* const target, check_rank(rank));
  const auto index = static_cast<std::size_t>(rank);
  const auto acquire = [&]() -> Status {
    if (target->exposed())
      return checked(context_.real(), "MPI_Win_lock between nodes",
                     context_.real().Win_lock(type, target->host, bits, native()));
    if (assertions.needs_no_check()) return {};
    PSNAM_TRY(SeatLocks* const locks, this->locks(*target->seat));
    Progress progress{context_.real()};
    return locks->lock(static_cast<std::uint32_t>(rank), store_kind(kind), progress);
  };
  PSNAM_CHECK(epochs_.begin_lock(index, kind, assertions.needs_no_check()));
  if (Status acquired = acquire(); !acquired) {
    static_cast<void>(epochs_.end_lock(index).ok());
    return acquired;
  }
  forbid_all();
  allow(index, Permission::flush);
  return {};
}

Status Window::unlock(int rank) {
  if (rank == MPI_PROC_NULL) return epochs_.end_lock_of_nobody();
  PSNAM_TRY(const Target* const target, check_rank(rank));
  const auto index = static_cast<std::size_t>(rank);
  PSNAM_TRY(const sync::Epochs::Held held, epochs_.end_lock(index));
  forbid(index);
  if (target->exposed())
    return checked(context_.real(), "MPI_Win_unlock between nodes", context_.real().Win_unlock(target->host, native()));
  look_around();
  Status flushed = parts_->regions->flush();
  if (!held.unchecked) {
    PSNAM_TRY(SeatLocks* const locks, this->locks(*target->seat));
    PSNAM_CHECK(locks->unlock(static_cast<std::uint32_t>(rank)));
  }
  return flushed;
}

Status Window::lock_all(int bits) {
  PSNAM_TRY(const sync::Assertions assertions, sync::Assertions::of_lock(bits));
  PSNAM_CHECK(epochs_.begin_lock_all(assertions.needs_no_check()));
  const auto acquire = [&]() -> Status {
    if (parts_->spans_nodes)
      PSNAM_CHECK(
          checked(context_.real(), "MPI_Win_lock_all between nodes", context_.real().Win_lock_all(bits, native())));
    return assertions.needs_no_check() ? Status{} : lock_all_seats();
  };
  if (Status acquired = acquire(); !acquired) {
    static_cast<void>(epochs_.end_lock_all().ok());
    return acquired;
  }
  allow_all(Permission::flush);
  return {};
}

bool Window::has_own_locks(const Seat& seat) const noexcept {
  const auto* const end = targets_ + target_total_;
  return std::any_of(targets_, end, [&](const Target& target) { return target.seat == &seat && !target.exposed(); });
}

Status Window::lock_all_seats() {
  Progress progress{context_.real()};
  std::vector<SeatLocks*> taken;
  for (const Seat& seat : parts_->seats) {
    if (!has_own_locks(seat)) continue;
    auto locks = this->locks(seat);
    Status locked = locks ? (*locks)->lock_all(progress) : Status{locks.take_error()};
    if (locked) {
      taken.push_back(*locks);
      continue;
    }
    for (SeatLocks* const other : taken)
      if (const Status unlocked = other->unlock_all(); !unlocked) log::warn("{}", unlocked.error().message);
    return locked;
  }
  return {};
}

Status Window::unlock_all_seats() {
  Status first;
  for (const Seat& seat : parts_->seats) {
    if (!has_own_locks(seat)) continue;
    PSNAM_TRY(SeatLocks* const locks, this->locks(seat));
    Status unlocked = locks->unlock_all();
    if (!unlocked && first) first = std::move(unlocked);
  }
  return first;
}

Status Window::unlock_all() {
  PSNAM_TRY(const bool unchecked, epochs_.end_lock_all());
  forbid_all();
  Status flushed = parts_->regions->flush();
  if (parts_->spans_nodes)
    PSNAM_CHECK(checked(context_.real(), "MPI_Win_unlock_all between nodes", context_.real().Win_unlock_all(native())));
  else
    look_around();
  if (!unchecked) PSNAM_CHECK(unlock_all_seats());
  return flushed;
}

Status Window::flush(int rank, bool local) {
  if (rank == MPI_PROC_NULL) return {};
  PSNAM_TRY(const Target* const target, check_rank(rank));
  const std::uint32_t permissions =
      permissions_.load(std::memory_order_relaxed) | target->permissions.load(std::memory_order_relaxed);
  if ((permissions & Permission::flush) == 0)
    return Error{Code::sync, fmt::format("flush of target {}, which this process has not locked", rank)};
  if (target->exposed()) {
    const Real& real = context_.real();
    return checked(real, "MPI_Win_flush between nodes",
                   local ? real.Win_flush_local(target->host, native()) : real.Win_flush(target->host, native()));
  }
  if (backends::RemoteMemory* const remote = target->remote.load(std::memory_order_acquire))
    PSNAM_CHECK(remote->flush());
  // The operations have happened; what follows must not be moved before them.
  std::atomic_thread_fence(std::memory_order_acq_rel);
  look_around();
  return {};
}

Status Window::flush_all(bool local) {
  if (!is_relaxed()) PSNAM_CHECK(epochs_.check_flush_all());
  Status flushed = parts_->regions->flush();
  if (parts_->spans_nodes) {
    const Real& real = context_.real();
    PSNAM_CHECK(checked(real, "MPI_Win_flush_all between nodes",
                        local ? real.Win_flush_local_all(native()) : real.Win_flush_all(native())));
    return flushed;
  }
  std::atomic_thread_fence(std::memory_order_acq_rel);
  look_around();
  return flushed;
}

Status Window::sync() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (parts_->spans_nodes)
    return checked(context_.real(), "MPI_Win_sync between nodes", context_.real().Win_sync(native()));
  look_around();
  return {};
}

}  // namespace psnam::win
