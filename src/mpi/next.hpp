// The functions below ours: for each wrapped MPI_X the next MPI_X and the next PMPI_X in the search order of the
// dynamic linker. Usually both are the MPI library's, and the table holds PMPI_X for both. If another PMPI tool that
// wraps X sits below, the next MPI_X is the tool's: then our MPI_X only hands on, the tool calls PMPI_X, and our PMPI_X
// does the work. A tool wraps some functions only, so that is decided for each: both orders of stacking work.
#pragma once

#include <mpi.h>

#include "rma/real.hpp"

// clang-format off
#define PSNAM_WRAPPED_FUNCTIONS(X)                                                                                      \
  X(Init) X(Init_thread) X(Finalize) X(Error_class) X(Type_free)                                                        \
  X(Win_allocate) X(Win_allocate_c) X(Win_create_dynamic) X(Win_free) X(Win_set_info) X(Win_get_info) X(Win_get_attr)   \
  X(Win_shared_query) X(Win_shared_query_c) X(Win_attach) X(Win_detach) X(Win_fence)                                    \
  X(Put) X(Put_c) X(Get) X(Get_c)                                                                                       \
  X(Accumulate) X(Accumulate_c) X(Get_accumulate) X(Get_accumulate_c) X(Fetch_and_op) X(Compare_and_swap)               \
  X(Rput) X(Rput_c) X(Rget) X(Rget_c) X(Raccumulate) X(Raccumulate_c) X(Rget_accumulate) X(Rget_accumulate_c)           \
  X(Win_post) X(Win_start) X(Win_complete) X(Win_wait) X(Win_test) X(Win_lock) X(Win_unlock) X(Win_lock_all)            \
  X(Win_unlock_all) X(Win_flush) X(Win_flush_all) X(Win_flush_local) X(Win_flush_local_all) X(Win_sync)                 \
  X(Comm_connect) X(Comm_free) X(Comm_disconnect) X(Comm_test_inter) X(Comm_remote_size) X(Comm_remote_group)           \
  X(Publish_name) X(Lookup_name) X(Unpublish_name)
// clang-format on

namespace psnam::mpi {

/// How MPICH's Fortran bindings, all three, ask for an attribute of a window: not by MPI_Win_get_attr. See fortran.cpp.
using FortranWinGetAttr = int (*)(MPI_Win win, int keyval, void* value, int* flag, int type);

struct Next {
#define PSNAM_NEXT_FIELD(name) decltype(&PMPI_##name) name = nullptr;
  PSNAM_WRAPPED_FUNCTIONS(PSNAM_NEXT_FIELD)
#undef PSNAM_NEXT_FIELD
  FortranWinGetAttr fortran_win_get_attr = nullptr;
};

/// The entry of a call: under its own name or its profiling name.
enum class Level { mpi, pmpi };

/// Fills the tables from the dynamic linker; ends the program with a message if there is no MPI library below.
/// Returns whether another tool's MPI_ functions lie between ours and the MPI library's.
[[nodiscard]] bool resolve(Real& real, Next& next_mpi, Next& next_pmpi);

}  // namespace psnam::mpi
