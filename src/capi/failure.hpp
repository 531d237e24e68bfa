// How a function of the C interface fails: errno, and a message that nam_strerror() gives to the same thread.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "base/result.hpp"

namespace psnam::capi {

/// The errno that stands for `error` in nam.h.
[[nodiscard]] int errno_of(const Error& error) noexcept;
/// Makes `error` the last failure of this thread, and sets errno.
void set_failure(const Error& error) noexcept;
[[nodiscard]] const char* last_failure() noexcept;

/// A failure whose errno follows from no Code: ETIMEDOUT, ENOSYS.
[[nodiscard]] inline Error error_with(int error_number, std::string message) {
  return Error{Code::system, std::move(message), error_number};
}

/// The body of a function of the C interface: what `body` returns as a Result, or `failed`, with errno and the message.
/// Nothing is thrown past it.
template <class Value, class Body>
Value boundary(Value failed, Body&& body) noexcept {
  try {
    auto result = std::forward<Body>(body)();
    if (result) {
      if constexpr (std::is_same_v<decltype(result), Status>)
        return Value{};
      else
        return static_cast<Value>(*result);
    }
    set_failure(result.error());
  } catch (const std::bad_alloc&) {
    set_failure(Error{Code::no_memory, "the process has no memory left"});
  } catch (const std::exception& exception) {
    set_failure(Error{Code::system, exception.what()});
  }
  return failed;
}

}  // namespace psnam::capi
