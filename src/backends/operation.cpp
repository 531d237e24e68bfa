#include "backends/operation.hpp"

#include <array>

namespace psnam::backends {
namespace {

// In the order of Op.
constexpr std::array<std::string_view, kOps> kNames{"MPI_SUM",    "MPI_PROD",   "MPI_MAX",     "MPI_MIN",  "MPI_LAND",
                                                    "MPI_BAND",   "MPI_LOR",    "MPI_BOR",     "MPI_LXOR", "MPI_BXOR",
                                                    "MPI_MAXLOC", "MPI_MINLOC", "MPI_REPLACE", "MPI_NO_OP"};

}  // namespace

std::string_view name(Op op) noexcept { return kNames[static_cast<std::size_t>(op)]; }

}  // namespace psnam::backends
