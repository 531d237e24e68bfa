// MPI_Win_allocate: making a window, collectively, as a whole or not at all.
#pragma once

#include <mpi.h>

#include <memory>

#include "base/result.hpp"
#include "win/context.hpp"
#include "win/window.hpp"

namespace psnam::win {

struct CreateRequest {
  MPI_Aint size = 0;
  MPI_Aint displacement_unit = 1;
  MPI_Info info = MPI_INFO_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
};

/// The window, or null if no rank asks for a PSNAM window, or an error: the same one on all ranks. A window whose keys
/// only a part of the ranks sets is an error on all: hence this is called, collectively, for windows that will be the
/// MPI library's too.
[[nodiscard]] Result<std::unique_ptr<Window>> create_window(Context& context, const CreateRequest& request);

}  // namespace psnam::win
