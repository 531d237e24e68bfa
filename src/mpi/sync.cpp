// Synchronisation calls.
#include "mpi/fence_hooks.hpp"
#include "mpi/route.hpp"

namespace psnam::mpi {

/// A call on a window: `body(window)` if it is ours, else handed on with `args`.
template <Level L, auto Function, class Body, class... Args>
int synchronise(MPI_Win win, Body&& body, Args... args) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(args...);
  return run_on_window(win, [&] { return body(*window); });
}

template <Level L>
int plain_fence(int assertions, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_fence>(
      win, [=](win::Window& w) { return w.fence(assertions); }, assertions, win);
}

/// The fence of a window, of whoever's, that somebody watches.
template <Level L>
[[gnu::noinline]] int watched_fence(int assertions, MPI_Win win, const FenceHook& hook) noexcept {
  const int rc = plain_fence<L>(assertions, win);
  if (rc == MPI_SUCCESS && process().works<L, &Next::Win_fence>()) hook.function(hook.argument);
  return rc;
}

template <Level L>
int Win_fence_at(int assertions, MPI_Win win) noexcept {
  const FenceHook* const hook = process().fence_hooks().find(win);
  if (hook == nullptr) [[likely]]
    return plain_fence<L>(assertions, win);
  return watched_fence<L>(assertions, win, *hook);
}

template <Level L>
int Win_post_at(MPI_Group group, int assertions, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_post>(
      win, [=](win::Window& w) { return w.post(group, assertions); }, group, assertions, win);
}

template <Level L>
int Win_start_at(MPI_Group group, int assertions, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_start>(
      win, [=](win::Window& w) { return w.start(group, assertions); }, group, assertions, win);
}

template <Level L>
int Win_complete_at(MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_complete>(
      win, [](win::Window& w) { return w.complete(); }, win);
}

template <Level L>
int Win_wait_at(MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_wait>(
      win, [](win::Window& w) { return w.wait(); }, win);
}

template <Level L>
int Win_test_at(MPI_Win win, int* flag) noexcept {
  const auto test = [=](win::Window& w) -> Status {
    PSNAM_TRY(const bool done, w.test());
    *flag = done ? 1 : 0;
    return {};
  };
  return synchronise<L, &Next::Win_test>(win, test, win, flag);
}

template <Level L>
int Win_lock_at(int type, int rank, int assertions, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_lock>(
      win, [=](win::Window& w) { return w.lock(type, rank, assertions); }, type, rank, assertions, win);
}

template <Level L>
int Win_unlock_at(int rank, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_unlock>(
      win, [=](win::Window& w) { return w.unlock(rank); }, rank, win);
}

template <Level L>
int Win_lock_all_at(int assertions, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_lock_all>(
      win, [=](win::Window& w) { return w.lock_all(assertions); }, assertions, win);
}

template <Level L>
int Win_unlock_all_at(MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_unlock_all>(
      win, [](win::Window& w) { return w.unlock_all(); }, win);
}

template <Level L>
int Win_flush_at(int rank, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_flush>(
      win, [=](win::Window& w) { return w.flush(rank, false); }, rank, win);
}

template <Level L>
int Win_flush_all_at(MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_flush_all>(
      win, [](win::Window& w) { return w.flush_all(false); }, win);
}

template <Level L>
int Win_flush_local_at(int rank, MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_flush_local>(
      win, [=](win::Window& w) { return w.flush(rank, true); }, rank, win);
}

template <Level L>
int Win_flush_local_all_at(MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_flush_local_all>(
      win, [](win::Window& w) { return w.flush_all(true); }, win);
}

template <Level L>
int Win_sync_at(MPI_Win win) noexcept {
  return synchronise<L, &Next::Win_sync>(
      win, [](win::Window& w) { return w.sync(); }, win);
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Win_fence, (int assertions, MPI_Win win), (assertions, win))
PSNAM_EXPORT(Win_post, (MPI_Group group, int assertions, MPI_Win win), (group, assertions, win))
PSNAM_EXPORT(Win_start, (MPI_Group group, int assertions, MPI_Win win), (group, assertions, win))
PSNAM_EXPORT(Win_complete, (MPI_Win win), (win))
PSNAM_EXPORT(Win_wait, (MPI_Win win), (win))
PSNAM_EXPORT(Win_test, (MPI_Win win, int* flag), (win, flag))
PSNAM_EXPORT(Win_lock, (int lock_type, int rank, int assertions, MPI_Win win), (lock_type, rank, assertions, win))
PSNAM_EXPORT(Win_unlock, (int rank, MPI_Win win), (rank, win))
PSNAM_EXPORT(Win_lock_all, (int assertions, MPI_Win win), (assertions, win))
PSNAM_EXPORT(Win_unlock_all, (MPI_Win win), (win))
PSNAM_EXPORT(Win_flush, (int rank, MPI_Win win), (rank, win))
PSNAM_EXPORT(Win_flush_all, (MPI_Win win), (win))
PSNAM_EXPORT(Win_flush_local, (int rank, MPI_Win win), (rank, win))
PSNAM_EXPORT(Win_flush_local_all, (MPI_Win win), (win))
PSNAM_EXPORT(Win_sync, (MPI_Win win), (win))
