// Synchronisation calls.
#include "mpi/route.hpp"

namespace psnam::mpi {

template <Level L>
int Win_fence_at(int assertions, MPI_Win win) noexcept {
  win::Window* const window = our_window<L, &Next::Win_fence>(win);
  if (window == nullptr) return hand_on<L, &Next::Win_fence>(assertions, win);
  return run_on_window(win, [&] { return window->fence(assertions); });
}

/// A synchronisation call that PSNAM windows do not take: refused on them, handed on otherwise.
template <Level L, auto Function, class... Args>
int refuse_sync_at(const char* name, MPI_Win win, Args... args) noexcept {
  if (our_window<L, Function>(win) == nullptr) return hand_on<L, Function>(args...);
  return refuse(win, name, "use MPI_Win_fence");
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Win_fence, (int assertions, MPI_Win win), (assertions, win))

#define PSNAM_EXPORT_REFUSED_SYNC(name, params, ...)                                                       \
  extern "C" __attribute__((visibility("default"))) int MPI_##name params {                                \
    return psnam::mpi::refuse_sync_at<psnam::mpi::Level::mpi, &psnam::mpi::Next::name>("MPI_" #name, win,  \
                                                                                       __VA_ARGS__);       \
  }                                                                                                        \
  extern "C" __attribute__((visibility("default"))) int PMPI_##name params {                               \
    return psnam::mpi::refuse_sync_at<psnam::mpi::Level::pmpi, &psnam::mpi::Next::name>("MPI_" #name, win, \
                                                                                        __VA_ARGS__);      \
  }

PSNAM_EXPORT_REFUSED_SYNC(Win_post, (MPI_Group group, int assertions, MPI_Win win), group, assertions, win)
PSNAM_EXPORT_REFUSED_SYNC(Win_start, (MPI_Group group, int assertions, MPI_Win win), group, assertions, win)
PSNAM_EXPORT_REFUSED_SYNC(Win_complete, (MPI_Win win), win)
PSNAM_EXPORT_REFUSED_SYNC(Win_wait, (MPI_Win win), win)
PSNAM_EXPORT_REFUSED_SYNC(Win_test, (MPI_Win win, int* flag), win, flag)
PSNAM_EXPORT_REFUSED_SYNC(Win_lock, (int lock_type, int rank, int assertions, MPI_Win win), lock_type, rank, assertions,
                          win)
PSNAM_EXPORT_REFUSED_SYNC(Win_unlock, (int rank, MPI_Win win), rank, win)
PSNAM_EXPORT_REFUSED_SYNC(Win_lock_all, (int assertions, MPI_Win win), assertions, win)
PSNAM_EXPORT_REFUSED_SYNC(Win_unlock_all, (MPI_Win win), win)
PSNAM_EXPORT_REFUSED_SYNC(Win_flush, (int rank, MPI_Win win), rank, win)
PSNAM_EXPORT_REFUSED_SYNC(Win_flush_all, (MPI_Win win), win)
PSNAM_EXPORT_REFUSED_SYNC(Win_flush_local, (int rank, MPI_Win win), rank, win)
PSNAM_EXPORT_REFUSED_SYNC(Win_flush_local_all, (MPI_Win win), win)
PSNAM_EXPORT_REFUSED_SYNC(Win_sync, (MPI_Win win), win)
