// Who wants to know of the fences of a window: the inline function psnam_job_watch_window() of psnam_job.h makes each
// of them a safe point of a job. It finds watch_fences() through a structure whose address stands in MPI_INFO_ENV.
#pragma once

#include <mpi.h>

#include <string>

namespace psnam::mpi {

/// What is called after a fence.
struct FenceHook {
  void (*function)(void*) = nullptr;
  void* argument = nullptr;
};

/// After each fence of `win` that succeeds, until the window is freed; a null function: nothing any more.
int watch_fences(MPI_Win win, void (*function)(void*), void* argument) noexcept;
/// The window is about to be freed: its handle is given to the next one.
void end_watch(MPI_Win win) noexcept;

/// The key in MPI_INFO_ENV, and its value, under which psnam_job.h finds this.
[[nodiscard]] const char* fence_key() noexcept;
[[nodiscard]] std::string fence_functions();

}  // namespace psnam::mpi
