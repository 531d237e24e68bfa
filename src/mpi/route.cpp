#include "mpi/route.hpp"

#include <fmt/format.h>

namespace psnam::mpi {

int missing_function() noexcept {
  log::error("the MPI library does not have the function that was called");
  return MPI_ERR_UNSUPPORTED_OPERATION;
}

bool has_ended() noexcept {
  const Runtime* const runtime = process().existing_runtime();
  int finalized = 0;
  return runtime != nullptr && runtime->real().Finalized(&finalized) == MPI_SUCCESS && finalized != 0;
}

int raise_on_window(MPI_Win window, Error error) noexcept {
  Runtime& runtime = process().runtime();
  log::info("{}", error.message);
  const int code = runtime.errors().code_for(error);
  if (!error.already_raised) runtime.real().Win_call_errhandler(window, code);
  return code;
}

int raise_on_comm(MPI_Comm comm, Error error) noexcept {
  Runtime& runtime = process().runtime();
  log::info("{}", error.message);
  const int code = runtime.errors().code_for(error);
  if (!error.already_raised) runtime.real().Comm_call_errhandler(comm, code);
  return code;
}

int refuse(MPI_Win window, const char* function, const char* instead) noexcept {
  return run_on_window(window, [&]() -> Status {
    return Error{Code::unsupported,
                 fmt::format("{} is not available on PSNAM windows in this version; {}", function, instead)};
  });
}

}  // namespace psnam::mpi
