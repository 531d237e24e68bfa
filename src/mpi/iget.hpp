// MPIX_Iget and its companions, and what the ends of windows and of MPI mean for them.
//
// A program reaches them by the inline functions of include/psnam.h, which find them through a structure whose address
// stands in MPI_INFO_ENV, or by their names, which the library exports for programs in other languages.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <string>

extern "C" {
struct psnam_private_iget_request;  // as in psnam.h: never defined
}

namespace psnam::mpi {

/// As the program holds it: a ticket of the table of gets.
using IgetHandle = ::psnam_private_iget_request*;

int iget_start(MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_type, int target_rank, MPI_Win win,
               IgetHandle* request) noexcept;
int iget_wait(IgetHandle request) noexcept;
int iget_test(IgetHandle request, int* flag) noexcept;
int iget_data(IgetHandle request, const void** pointer, MPI_Count* bytes) noexcept;
int iget_free(IgetHandle* request) noexcept;

/// The key in MPI_INFO_ENV, and its value, under which psnam.h finds these functions.
[[nodiscard]] const char* iget_key() noexcept;
[[nodiscard]] std::string iget_functions();

/// How many requests on `win` have not been freed.
[[nodiscard]] std::size_t live_gets(MPI_Win win);
/// A window of the MPI library is about to be freed: requests on it stay, without it.
void end_gets_of(MPI_Win win) noexcept;
/// A window of ours goes although requests on it live, because a process of it has died: whether there are any, so that
/// its memory has to stay mapped.
[[nodiscard]] bool abandon_gets_of(MPI_Win win) noexcept;

}  // namespace psnam::mpi
