// Checks of buffers and displacements that all operations share.
#pragma once

#include <cstdint>

#include "backends/layout.hpp"
#include "base/result.hpp"

namespace psnam::win {

/// Code::buffer if `address` is null though `bytes` are to be moved. With MPI_BOTTOM and a type of absolute addresses,
/// which lead beyond the first page, null is right.
[[nodiscard]] Status check_buffer(const char* what, const void* address, const backends::Layout& layout,
                                  std::uint64_t bytes);

/// Code::range if the product does not fit.
[[nodiscard]] Result<std::int64_t> displacement_bytes(std::int64_t displacement, std::uint64_t unit);

}  // namespace psnam::win
