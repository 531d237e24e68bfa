// The assertions of the fence, as predicates with names.
#pragma once

#include <mpi.h>

#include "base/result.hpp"

namespace psnam::sync {

class FenceAssertions {
 public:
  /// Code::assertion for a bit that MPI does not define for MPI_Win_fence; the message names the value.
  [[nodiscard]] static Result<FenceAssertions> parse(int bits);

  /// This fence only closes: no operation follows until another one.
  [[nodiscard]] bool opens_no_epoch() const noexcept { return (bits_ & MPI_MODE_NOSUCCEED) != 0; }
  /// This fence only opens: no operation was issued since the last one.
  [[nodiscard]] bool closes_no_epoch() const noexcept { return (bits_ & MPI_MODE_NOPRECEDE) != 0; }
  /// The own region was not written by local stores since the last fence.
  [[nodiscard]] bool no_local_stores() const noexcept { return (bits_ & MPI_MODE_NOSTORE) != 0; }
  /// The own region will not be written by puts or accumulates until the next fence.
  [[nodiscard]] bool no_incoming_puts() const noexcept { return (bits_ & MPI_MODE_NOPUT) != 0; }
  [[nodiscard]] int bits() const noexcept { return bits_; }

 private:
  explicit FenceAssertions(int bits) noexcept : bits_{bits} {}
  int bits_;
};

}  // namespace psnam::sync
