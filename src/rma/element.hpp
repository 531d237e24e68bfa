// The element that a datatype of MPI is, by its handle.
#pragma once

#include <mpi.h>

#include <cstddef>

#include "backends/element.hpp"

namespace psnam::rma {

using backends::Element;
using backends::Kind;

/// How many predefined types there are, and their handles, some of which may be MPI_DATATYPE_NULL.
[[nodiscard]] std::size_t predefined_type_count() noexcept;
[[nodiscard]] MPI_Datatype predefined_type(std::size_t row) noexcept;

/// The element that a predefined type of `bytes` bytes of data is; of kind `mixed` for a handle or a size unknown here.
[[nodiscard]] Element predefined_element(MPI_Datatype type, std::size_t bytes) noexcept;
/// The same for the types that MPI_Type_create_f90_integer, _real and _complex make.
[[nodiscard]] Element f90_element(int combiner, std::size_t bytes) noexcept;

}  // namespace psnam::rma
