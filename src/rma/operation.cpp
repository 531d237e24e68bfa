#include "rma/operation.hpp"

#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace psnam::rma {
namespace {

// In the order of Op.
constexpr std::array<std::string_view, kOps> kNames{"MPI_SUM",    "MPI_PROD",   "MPI_MAX",     "MPI_MIN",  "MPI_LAND",
                                                    "MPI_BAND",   "MPI_LOR",    "MPI_BOR",     "MPI_LXOR", "MPI_BXOR",
                                                    "MPI_MAXLOC", "MPI_MINLOC", "MPI_REPLACE", "MPI_NO_OP"};

}  // namespace

std::string_view name(Op op) noexcept { return kNames[static_cast<std::size_t>(op)]; }

Error detail::unknown_operation(MPI_Op op) {
  std::string message = op == MPI_OP_NULL ? "MPI_OP_NULL" : fmt::format("operation {:#x}", static_cast<unsigned>(op));
  message += " is not a predefined operation; known are";
  const char* separator = " ";
  for (const std::string_view known : kNames) {
    message.append(separator).append(known);
    separator = ", ";
  }
  return Error{Code::operation, std::move(message)};
}

}  // namespace psnam::rma
