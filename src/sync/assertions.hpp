// The assertions of the synchronisation calls, as predicates with names.
#pragma once

#include <mpi.h>

#include "base/result.hpp"

namespace psnam::sync {

class Assertions {
 public:
  /// Those of each call; Code::assertion for a bit that MPI does not define for it, naming the value and the known
  /// ones.
  [[nodiscard]] static Result<Assertions> of_fence(int bits);
  [[nodiscard]] static Result<Assertions> of_lock(int bits);
  [[nodiscard]] static Result<Assertions> of_post(int bits);
  [[nodiscard]] static Result<Assertions> of_start(int bits);

  /// A fence that only closes: no operation follows until another one.
  [[nodiscard]] bool opens_no_epoch() const noexcept { return (bits_ & MPI_MODE_NOSUCCEED) != 0; }
  /// A lock that nobody else holds or asks for in a conflicting way; a post or start whose partners are known to match.
  [[nodiscard]] bool needs_no_check() const noexcept { return (bits_ & MPI_MODE_NOCHECK) != 0; }
  [[nodiscard]] int bits() const noexcept { return bits_; }

 private:
  explicit Assertions(int bits) noexcept : bits_{bits} {}
  [[nodiscard]] static Result<Assertions> parse(const char* call, int bits, int known);
  int bits_;
};

}  // namespace psnam::sync
