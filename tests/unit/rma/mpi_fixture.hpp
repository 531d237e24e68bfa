// The real MPI functions by linking, and MPI itself, for the tests of src/rma.
#pragma once

#include <mpi.h>

#include <utility>

#include "rma/real.hpp"

namespace psnam::rma::testing {

[[nodiscard]] inline Real linked_real() {
  Real real;
#define PSNAM_LINKED(name) real.name = &PMPI_##name;
  PSNAM_REAL_FUNCTIONS(PSNAM_LINKED)
#undef PSNAM_LINKED
  return real;
}

/// The communicator that main() made for datatype checks, with MPI_ERRORS_RETURN.
[[nodiscard]] MPI_Comm probe_communicator();

/// A datatype that frees itself.
class OwnedType {
 public:
  explicit OwnedType(MPI_Datatype type = MPI_DATATYPE_NULL) : type_{type} {}
  OwnedType(OwnedType&& other) noexcept : type_{std::exchange(other.type_, MPI_DATATYPE_NULL)} {}
  OwnedType& operator=(OwnedType&& other) noexcept {
    std::swap(type_, other.type_);
    return *this;
  }
  OwnedType(const OwnedType&) = delete;
  OwnedType& operator=(const OwnedType&) = delete;
  ~OwnedType() {
    if (type_ != MPI_DATATYPE_NULL) MPI_Type_free(&type_);
  }
  [[nodiscard]] MPI_Datatype get() const noexcept { return type_; }

 private:
  MPI_Datatype type_;
};

/// The type that `create(..., &type)` makes, committed.
template <class Create, class... Args>
[[nodiscard]] OwnedType made(Create create, Args... args) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  create(args..., &type);
  MPI_Type_commit(&type);
  return OwnedType{type};
}

}  // namespace psnam::rma::testing
