#include "sync/epochs.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/choice.hpp"

namespace psnam::sync {
namespace {

constexpr std::array<Choice<Epochs::Mode>, 5> kModes{{
    {"no epoch", "", Epochs::Mode::none},
    {"a fence epoch", "", Epochs::Mode::fence},
    {"an epoch of MPI_Win_start", "", Epochs::Mode::start},
    {"an epoch of MPI_Win_lock", "", Epochs::Mode::locks},
    {"an epoch of MPI_Win_lock_all", "", Epochs::Mode::lock_all},
}};

}  // namespace

Error Epochs::conflict(const char* what) const {
  return Error{Code::sync, fmt::format("{}: this process has {} open on the window", what, name_of(mode_, kModes))};
}

Epochs::Mode Epochs::mode() const {
  const std::lock_guard lock{mutex_};
  return mode_;
}

Status Epochs::check_fence() const {
  const std::lock_guard lock{mutex_};
  if (mode_ != Mode::none && mode_ != Mode::fence) return conflict("MPI_Win_fence");
  return {};
}

void Epochs::fence(bool opens) {
  const std::lock_guard lock{mutex_};
  mode_ = opens ? Mode::fence : Mode::none;
}

Status Epochs::begin_lock(std::size_t target, LockKind kind, bool unchecked) {
  const std::lock_guard lock{mutex_};
  if (mode_ == Mode::start || mode_ == Mode::lock_all) return conflict("MPI_Win_lock");
  if (locks_[target].kind != LockKind::none)
    return Error{Code::sync, fmt::format("MPI_Win_lock: target {} is locked by this process already", target)};
  mode_ = Mode::locks;
  locks_[target] = {kind, unchecked};
  ++locked_;
  return {};
}

Result<Epochs::Held> Epochs::end_lock(std::size_t target) {
  const std::lock_guard lock{mutex_};
  if (mode_ != Mode::locks || locks_[target].kind == LockKind::none)
    return Error{Code::sync,
                 fmt::format("MPI_Win_unlock: target {} is not locked by this process with MPI_Win_lock", target)};
  const Held held = std::exchange(locks_[target], Held{});
  if (--locked_ == 0) mode_ = Mode::none;
  return held;
}

Status Epochs::begin_lock_of_nobody() {
  const std::lock_guard lock{mutex_};
  if (mode_ == Mode::start || mode_ == Mode::lock_all) return conflict("MPI_Win_lock");
  mode_ = Mode::locks;
  ++locked_;
  ++nobodys_;
  return {};
}

Status Epochs::end_lock_of_nobody() {
  const std::lock_guard lock{mutex_};
  if (nobodys_ == 0) return Error{Code::sync, "MPI_Win_unlock: MPI_PROC_NULL is not locked by this process"};
  --nobodys_;
  if (--locked_ == 0) mode_ = Mode::none;
  return {};
}

Status Epochs::begin_lock_all(bool unchecked) {
  const std::lock_guard lock{mutex_};
  if (mode_ != Mode::none && mode_ != Mode::fence) return conflict("MPI_Win_lock_all");
  mode_ = Mode::lock_all;
  all_unchecked_ = unchecked;
  return {};
}

Result<bool> Epochs::end_lock_all() {
  const std::lock_guard lock{mutex_};
  if (mode_ != Mode::lock_all) return conflict("MPI_Win_unlock_all without MPI_Win_lock_all");
  mode_ = Mode::none;
  return all_unchecked_;
}

Status Epochs::check_flush_all() const {
  const std::lock_guard lock{mutex_};
  if (mode_ == Mode::lock_all || mode_ == Mode::locks) return {};
  return conflict("flush of all targets, none of which this process has locked");
}

Status Epochs::begin_start() {
  const std::lock_guard lock{mutex_};
  if (mode_ != Mode::none && mode_ != Mode::fence) return conflict("MPI_Win_start");
  mode_ = Mode::start;
  return {};
}

Status Epochs::end_start() {
  const std::lock_guard lock{mutex_};
  if (mode_ != Mode::start) return conflict("MPI_Win_complete without MPI_Win_start");
  mode_ = Mode::none;
  return {};
}

Status Epochs::begin_post() {
  const std::lock_guard lock{mutex_};
  if (posted_) return Error{Code::sync, "MPI_Win_post: this process has an exposure epoch open on the window already"};
  posted_ = true;
  return {};
}

Status Epochs::check_posted() const {
  const std::lock_guard lock{mutex_};
  if (!posted_) return Error{Code::sync, "MPI_Win_wait or MPI_Win_test without MPI_Win_post"};
  return {};
}

void Epochs::end_post() {
  const std::lock_guard lock{mutex_};
  posted_ = false;
}

Status Epochs::check_free() const {
  const std::lock_guard lock{mutex_};
  if (posted_)
    return Error{Code::sync, "MPI_Win_free: this process has an exposure epoch (MPI_Win_post) open on the window"};
  if (mode_ != Mode::none && mode_ != Mode::fence) return conflict("MPI_Win_free");
  return {};
}

}  // namespace psnam::sync
