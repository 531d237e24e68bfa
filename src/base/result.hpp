// Result<T> and Status: the only way an operation of this library fails.
//
// Who first decides an error writes its message, with the exact cause and the values; everybody above hands it on
// unchanged. A success costs one pointer: the hot path tests it against null and allocates nothing.
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace psnam {

/// What kind of failure it was. src/mpi maps each to one MPI error class, src/cli to an exit status.
enum class Code {
  invalid_argument,   ///< a parameter that no call may have
  info_key,           ///< an info key that does not belong here
  info_value,         ///< an info value that is not one of the known ones, or differs between ranks
  size,               ///< a size that this rank may not pass
  displacement,       ///< a displacement (unit) that is not usable
  count,              ///< a negative or overflowing count
  rank,               ///< a target rank outside the window
  buffer,             ///< a buffer that is null although bytes are to be moved
  datatype,           ///< a datatype that is null, not committed, or does not match its partner
  operation,          ///< a reduction operation that is not predefined, or not allowed on the datatype
  range,              ///< an access that leaves the target region
  sync,               ///< an operation outside an epoch, or a synchronisation call that does not fit the epoch
  lock_type,          ///< a lock that is neither shared nor exclusive
  assertion,          ///< an assertion that is unknown or contradicted by the facts
  request,            ///< a request that is none, was freed, or is not complete
  access,             ///< the right to do this is missing
  no_memory,          ///< the store, the file system or the process has no room
  quota,              ///< the user has had his share
  name_not_found,     ///< no window, allocation or job of that name
  name_exists,        ///< the name is taken
  service_not_found,  ///< no service published under that name
  service_exists,     ///< the service name is taken
  busy,               ///< it has parts that are not to be lost: segments, windows, users
  unreachable,        ///< a node or manager that is needed is not part of this job or does not answer
  peer_lost,          ///< a process that was waited for has ended
  incompatible,       ///< a record or peer of a format version that this library does not speak
  corrupt,            ///< a record that is damaged
  unsupported,        ///< a valid request that this version cannot serve
  system,             ///< the operating system refused
  mpi,                ///< a call of the MPI library failed; detail holds its error code
};

struct Error {
  Code code;
  std::string message;
  int detail = 0;               ///< errno for Code::system, the MPI error code for Code::mpi, else 0
  bool already_raised = false;  ///< the MPI library has called the user's error handler for it
};

/// Success, or an Error. Moves, never copies; null inside means success.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  Status(Error error) : error_{std::make_unique<Error>(std::move(error))} {}

  [[nodiscard]] bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Error& error() const noexcept {
    assert(error_);
    return *error_;
  }
  [[nodiscard]] Error take_error() noexcept { return std::move(*error_); }

 private:
  std::unique_ptr<Error> error_;
};

/// A T, or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_{std::move(value)} {}
  Result(Error error) : error_{std::make_unique<Error>(std::move(error))} {}

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] T& operator*() noexcept { return *value_; }
  [[nodiscard]] const T& operator*() const noexcept { return *value_; }
  [[nodiscard]] T* operator->() noexcept { return &*value_; }
  [[nodiscard]] const T* operator->() const noexcept { return &*value_; }
  [[nodiscard]] const Error& error() const noexcept {
    assert(error_);
    return *error_;
  }
  [[nodiscard]] Error take_error() noexcept { return std::move(*error_); }
  /// The failure alone, for callers that do not need the value.
  [[nodiscard]] Status status() && { return ok() ? Status{} : Status{take_error()}; }

 private:
  std::optional<T> value_;
  std::unique_ptr<Error> error_;
};

}  // namespace psnam

#define PSNAM_CONCAT_(a, b) a##b
#define PSNAM_CONCAT(a, b)  PSNAM_CONCAT_(a, b)

/// Returns from the enclosing function when the Status or Result `expression` is a failure.
#define PSNAM_CHECK(expression)                                                            \
  do {                                                                                     \
    if (auto psnam_status = (expression); !psnam_status) return psnam_status.take_error(); \
  } while (false)

/// Defines `declaration` from the value of the Result `expression`, or returns its error.
#define PSNAM_TRY(declaration, expression)                                                               \
  auto PSNAM_CONCAT(psnam_result_, __LINE__) = (expression);                                             \
  if (!PSNAM_CONCAT(psnam_result_, __LINE__)) return PSNAM_CONCAT(psnam_result_, __LINE__).take_error(); \
  declaration = std::move(*PSNAM_CONCAT(psnam_result_, __LINE__))
