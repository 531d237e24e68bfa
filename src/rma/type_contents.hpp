// How an MPI datatype was made: constructor, arguments and inner types, in one form for int and large-count types.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "rma/real.hpp"

namespace psnam::rma {

/// Code::mpi for a query that the MPI library refused.
[[nodiscard]] Status mpi_status(const Real& real, int return_code, const char* function, MPI_Datatype type);

class TypeContents {
 public:
  [[nodiscard]] static Result<TypeContents> of(const Real& real, MPI_Datatype type);

  TypeContents(TypeContents&& other) noexcept;
  TypeContents& operator=(TypeContents&&) = delete;
  TypeContents(const TypeContents&) = delete;
  TypeContents& operator=(const TypeContents&) = delete;
  /// Frees the inner types that are derived ones.
  ~TypeContents();

  [[nodiscard]] int combiner() const noexcept { return combiner_; }
  /// A type of the MPI library, not made from others.
  [[nodiscard]] bool basic() const noexcept;
  /// The constructor's arguments in the order of its C binding, arrays with all their elements, without the inner
  /// types.
  [[nodiscard]] const std::vector<std::int64_t>& numbers() const noexcept { return numbers_; }
  [[nodiscard]] const std::vector<MPI_Datatype>& types() const noexcept { return types_; }

 private:
  TypeContents(const Real& real, int combiner) noexcept : real_{&real}, combiner_{combiner} {}

  const Real* real_;
  int combiner_;
  std::vector<std::int64_t> numbers_;
  std::vector<MPI_Datatype> types_;
};

}  // namespace psnam::rma
