#include "sync/assertions.hpp"

#include <fmt/format.h>

namespace psnam::sync {

Result<FenceAssertions> FenceAssertions::parse(int bits) {
  constexpr int kKnown = MPI_MODE_NOSTORE | MPI_MODE_NOPUT | MPI_MODE_NOPRECEDE | MPI_MODE_NOSUCCEED;
  if ((bits & ~kKnown) != 0)
    return Error{
        Code::assertion,
        fmt::format(
            "assert = {}: MPI_Win_fence knows MPI_MODE_NOSTORE ({}), MPI_MODE_NOPUT ({}), MPI_MODE_NOPRECEDE ({}) "
            "and MPI_MODE_NOSUCCEED ({})",
            bits, MPI_MODE_NOSTORE, MPI_MODE_NOPUT, MPI_MODE_NOPRECEDE, MPI_MODE_NOSUCCEED)};
  return FenceAssertions{bits};
}

}  // namespace psnam::sync
