// Our errors as MPI error codes: the class by one table, the text by the MPI library's user-defined codes.
#pragma once

#include <mpi.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>

#include "base/result.hpp"
#include "rma/real.hpp"

namespace psnam::mpi {

/// The MPI error class of a code.
[[nodiscard]] int class_of(Code code) noexcept;

/// Error codes whose text is the message of an Error.
///
/// The MPI library takes user-defined text only for user-defined classes, so the codes belong to one such class, and
/// our MPI_Error_class gives the standard class they stand for. There are kCodes codes, used in turn: a program that
/// keeps an error code over that many other errors finds a newer text.
class ErrorCodes {
 public:
  static constexpr std::size_t kCodes = 512;

  explicit ErrorCodes(const Real& real) noexcept : real_{real} {}

  /// An MPI error code for `error`. Thread-safe.
  [[nodiscard]] int code_for(const Error& error);
  /// The class that one of our codes stands for, or 0. Thread-safe.
  [[nodiscard]] int find_class(int code) noexcept;

 private:
  struct Slot {
    int code = 0;
    int mpi_class = 0;
    std::string text;
  };

  const Real& real_;
  std::mutex mutex_;
  std::array<Slot, kCodes> slots_;
  std::size_t used_ = 0;
  std::size_t next_ = 0;
  int user_class_ = 0;
};

}  // namespace psnam::mpi
