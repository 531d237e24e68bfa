// What all wrappers share: whose the call is, how it is handed on, and how an error leaves.
#pragma once

#include <exception>
#include <new>

#include "base/log.hpp"
#include "mpi/process.hpp"

namespace psnam::mpi {

/// The window of `handle`, if it is ours and the call of `Function` is to be worked on at this level.
template <Level L, auto Function>
[[nodiscard]] inline win::Window* our_window(MPI_Win handle) noexcept {
  win::Window* const window = process().find_window(handle);
  if (window == nullptr) [[likely]]
    return nullptr;
  return process().works_when_resolved<L, Function>() ? window : nullptr;
}

template <Level L, auto Function>
[[nodiscard]] inline win::Connection* our_connection(MPI_Comm handle) noexcept {
  win::Connection* const connection = process().find_connection(handle);
  return connection != nullptr && process().works_when_resolved<L, Function>() ? connection : nullptr;
}

int missing_function() noexcept;

/// Whether MPI_Finalize has been called. A call after it is the MPI library's to complain of.
[[nodiscard]] bool has_ended() noexcept;

/// A pointer to a C function as one that throws nothing: else a noexcept caller could not jump to it.
template <class Function>
struct Nothrow;
template <class Result, class... Params>
struct Nothrow<Result (*)(Params...)> {
  using Pointer = Result (*)(Params...) noexcept;
};
template <class Function>
[[nodiscard]] inline auto nothrow(Function function) noexcept {
  return reinterpret_cast<typename Nothrow<Function>::Pointer>(function);
}

/// The first call that is handed on, or one of a function that the MPI library does not have.
template <Level L, auto Function, class... Args>
[[gnu::noinline, gnu::cold]] int hand_on_first(Args... args) noexcept {
  const auto next = process().next(L).*Function;
  return next != nullptr ? nothrow(next)(args...) : missing_function();
}

/// Hands the call on to the next function. With the parameters of the calling function in their order it is a jump, so
/// that a call on a foreign window costs a look into the table and no stack frame.
template <Level L, auto Function, class... Args>
inline int hand_on(Args... args) noexcept {
  const Next* const table = process().existing_next(L);
  if (table == nullptr || table->*Function == nullptr) [[unlikely]]
    return hand_on_first<L, Function>(args...);
  return nothrow(table->*Function)(args...);
}

/// Calls the error handler of the window or communicator, unless the MPI library has done so, and gives the code.
int raise_on_window(MPI_Win window, Error error) noexcept;
int raise_on_comm(MPI_Comm comm, Error error) noexcept;

/// The Status that `body` returns; an exception, which means a bug or no memory, becomes one too.
template <class Body>
[[nodiscard]] Status guarded(Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Error{Code::no_memory, "the process has no memory left"};
  } catch (const std::exception& exception) {
    return Error{Code::system, std::string{"internal error: "} + exception.what()};
  }
}

/// Runs `body` on behalf of a window or communicator and raises its error there.
template <class Body>
int run_on_window(MPI_Win window, Body&& body) noexcept {
  Status status = guarded(body);
  return status ? MPI_SUCCESS : raise_on_window(window, status.take_error());
}
template <class Body>
int run_on_comm(MPI_Comm comm, Body&& body) noexcept {
  Status status = guarded(body);
  return status ? MPI_SUCCESS : raise_on_comm(comm, status.take_error());
}

/// The answer to a call that PSNAM windows do not take.
int refuse(MPI_Win window, const char* function, const char* instead) noexcept;

}  // namespace psnam::mpi

// Defines MPI_<name> and PMPI_<name> with the parameters `params`, both by the template `name##_at<Level>` called with
// `args`.
#define PSNAM_EXPORT(name, params, args)                                     \
  extern "C" __attribute__((visibility("default"))) int MPI_##name params {  \
    return psnam::mpi::name##_at<psnam::mpi::Level::mpi> args;               \
  }                                                                          \
  extern "C" __attribute__((visibility("default"))) int PMPI_##name params { \
    return psnam::mpi::name##_at<psnam::mpi::Level::pmpi> args;              \
  }
