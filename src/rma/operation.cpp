#include "rma/operation.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace psnam::rma {

Error detail::unknown_operation(MPI_Op op) {
  std::string message = op == MPI_OP_NULL ? "MPI_OP_NULL" : fmt::format("operation {:#x}", static_cast<unsigned>(op));
  message += " is not a predefined operation; known are";
  const char* separator = " ";
  for (std::size_t known = 0; known < backends::kOps; ++known) {
    message.append(separator).append(name(static_cast<Op>(known)));
    separator = ", ";
  }
  return Error{Code::operation, std::move(message)};
}

}  // namespace psnam::rma
