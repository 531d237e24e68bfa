// Reduction operations by MPI's handle, found by one switch.
#pragma once

#include <mpi.h>

#include <optional>

#include "backends/operation.hpp"
#include "base/result.hpp"

namespace psnam::rma {

using backends::Op;

/// The operation of a predefined handle; nothing for every other one.
[[nodiscard]] inline std::optional<Op> predefined_operation(MPI_Op op) noexcept {
  switch (op) {
    case MPI_SUM:
      return Op::sum;
    case MPI_PROD:
      return Op::prod;
    case MPI_MAX:
      return Op::max;
    case MPI_MIN:
      return Op::min;
    case MPI_LAND:
      return Op::land;
    case MPI_BAND:
      return Op::band;
    case MPI_LOR:
      return Op::lor;
    case MPI_BOR:
      return Op::bor;
    case MPI_LXOR:
      return Op::lxor;
    case MPI_BXOR:
      return Op::bxor;
    case MPI_MAXLOC:
      return Op::maxloc;
    case MPI_MINLOC:
      return Op::minloc;
    case MPI_REPLACE:
      return Op::replace;
    case MPI_NO_OP:
      return Op::no_op;
    default:
      return std::nullopt;
  }
}

namespace detail {
[[nodiscard]] Error unknown_operation(MPI_Op op);
}

/// As predefined_operation(); Code::operation, with the known ones, for every other handle: accumulates take no user's
/// operations.
[[nodiscard]] inline Result<Op> operation(MPI_Op op) {
  if (const std::optional<Op> known = predefined_operation(op)) return *known;
  return detail::unknown_operation(op);
}

}  // namespace psnam::rma
