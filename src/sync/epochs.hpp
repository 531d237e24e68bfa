// Which epochs a process has open on a window, and what it may therefore do. MPI-4.0, chapter 12.5.
//
// A process has at most one of: a fence epoch, a start epoch, locks of single targets, a lock of all. It may have a
// post (exposure) epoch beside any of them. A fence that was not told MPI_MODE_NOSUCCEED opens a fence epoch; a lock or
// start after it ends that epoch, because the program then meant the fence as the last one.
//
// Thread-safe: the calls of one process come from any of its threads. Whether an operation is allowed is not asked here
// but of the permission words that the window keeps for its fast path; this class says what they have to be.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/result.hpp"

namespace psnam::sync {

enum class LockKind : std::uint8_t { none, shared, exclusive };

class Epochs {
 public:
  explicit Epochs(std::size_t targets) : locks_(targets) {}

  enum class Mode { none, fence, start, locks, lock_all };

  [[nodiscard]] Mode mode() const;

  /// Whether a fence may be made now: Code::sync within a lock or start epoch.
  Status check_fence() const;
  void fence(bool opens);

  /// Code::sync if the target is locked already, or all are, or a start epoch is open.
  Status begin_lock(std::size_t target, LockKind kind, bool unchecked);
  /// How the target was locked; Code::sync if it was not.
  struct Held {
    LockKind kind = LockKind::none;
    bool unchecked = false;  ///< with MPI_MODE_NOCHECK: no lock was taken
  };
  Result<Held> end_lock(std::size_t target);
  /// The same for MPI_PROC_NULL, which may be locked several times.
  Status begin_lock_of_nobody();
  Status end_lock_of_nobody();
  Status begin_lock_all(bool unchecked);
  /// Whether the lock was unchecked.
  Result<bool> end_lock_all();
  /// Whether all targets may be flushed: Code::sync outside a passive epoch.
  Status check_flush_all() const;

  Status begin_start();
  Status end_start();
  Status begin_post();
  Status check_posted() const;
  void end_post();

  /// Whether the window may be freed: Code::sync with an epoch open that has to be closed first.
  Status check_free() const;

 private:
  [[nodiscard]] Error conflict(const char* what) const;

  mutable std::mutex mutex_;
  Mode mode_ = Mode::none;
  bool posted_ = false;
  std::size_t locked_ = 0;   ///< locks of single targets, MPI_PROC_NULL included
  std::size_t nobodys_ = 0;  ///< those of MPI_PROC_NULL
  std::vector<Held> locks_;
  bool all_unchecked_ = false;
};

}  // namespace psnam::sync
