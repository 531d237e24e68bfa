// From an MPI datatype to its Layout, by asking the MPI library how the type was made.
#pragma once

#include "backends/layout.hpp"
#include "base/result.hpp"
#include "rma/real.hpp"

namespace psnam::rma {

using backends::Layout;

/// The layout, with what it is built of, of one element of `type`, a valid handle (TypeTable checks that), committed or
/// not. Every constructor of MPI-4.0 in its int and its large-count form. Code::datatype when it reaches beyond 64
/// bits, Code::no_memory when it has more irregular pieces than RunList holds, Code::mpi when the MPI library refuses a
/// query, Code::unsupported for a constructor unknown here or when the MPI library's size or bounds of the type
/// contradict its own description of it. Thread-safe; time and memory grow with the number of runs, not of bytes.
[[nodiscard]] Result<Layout> flatten(const Real& real, MPI_Datatype type);

}  // namespace psnam::rma
