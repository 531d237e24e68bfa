#include "mpi/fence_hooks.hpp"

#include <fmt/format.h>

#include <memory>
#include <new>

#include "mpi/process.hpp"
#include "psnam_job.h"

namespace psnam::mpi {
namespace {

constexpr psnam_private_fence_functions kFunctions{sizeof(psnam_private_fence_functions), watch_fences};

}  // namespace

int watch_fences(MPI_Win win, void (*function)(void*), void* argument) noexcept {
  end_watch(win);
  if (function == nullptr) return MPI_SUCCESS;
  try {
    auto hook = std::make_unique<FenceHook>(FenceHook{function, argument});
    process().fence_hooks().insert(win, hook.get());
    static_cast<void>(hook.release());  // freed by end_watch
    return MPI_SUCCESS;
  } catch (const std::bad_alloc&) {
    return MPI_ERR_NO_MEM;
  }
}

void end_watch(MPI_Win win) noexcept { const std::unique_ptr<FenceHook> ended{process().fence_hooks().erase(win)}; }

const char* fence_key() noexcept { return PSNAM_INFO_FENCE; }

std::string fence_functions() { return fmt::format("{}", static_cast<const void*>(&kFunctions)); }

}  // namespace psnam::mpi
