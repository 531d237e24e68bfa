// The one process-wide object: the functions below, the windows and connections by handle, and, once an MPI program has
// initialised, everything windows need.
//
// It is constant-initialised and never destroyed: preloading the library into any program runs no code at all, and a
// late MPI call of another library's destructor still finds it.
#pragma once

#include <mpi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "base/handle_table.hpp"
#include "base/options.hpp"
#include "base/result.hpp"
#include "base/ticket_table.hpp"
#include "mpi/errors.hpp"
#include "mpi/fence_hooks.hpp"
#include "mpi/next.hpp"
#include "rma/type_table.hpp"
#include "trace/histogram.hpp"
#include "win/connection.hpp"
#include "win/context.hpp"
#include "win/split_get.hpp"
#include "win/window.hpp"

namespace psnam::mpi {

/// What exists from the initialisation of MPI on.
class Runtime {
 public:
  explicit Runtime(const Real& real);

  [[nodiscard]] const Real& real() const noexcept { return real_; }
  [[nodiscard]] win::Context& context() noexcept { return *context_; }
  [[nodiscard]] rma::TypeTable& types() noexcept { return *types_; }
  [[nodiscard]] ErrorCodes& errors() noexcept { return errors_; }
  /// After MPI_Init: from now on windows are possible. Once.
  void start();
  /// Before MPI_Finalize: prints the histogram, frees what was taken from the MPI library.
  void finish(std::size_t open_windows, std::size_t open_gets);

 private:
  void refuse_windows_on_error(Status status);
  Status load_types();
  void publish_facts();

  const Real& real_;
  Options options_;
  std::once_flag started_;
  MPI_Comm internal_comm_ = MPI_COMM_NULL;  ///< this process alone, returns errors
  std::unique_ptr<rma::TypeTable> types_;
  std::unique_ptr<trace::Histogram> histogram_;
  std::unique_ptr<win::Context> context_;
  ErrorCodes errors_;
};

class Process {
 public:
  constexpr Process() noexcept = default;

  [[nodiscard]] win::Window* find_window(MPI_Win handle) const noexcept { return windows_.find(handle); }
  [[nodiscard]] win::Connection* find_connection(MPI_Comm handle) const noexcept { return connections_.find(handle); }
  [[nodiscard]] HandleTable<win::Window>& windows() noexcept { return windows_; }
  [[nodiscard]] HandleTable<win::Connection>& connections() noexcept { return connections_; }
  [[nodiscard]] TicketTable<win::SplitGet>& gets() noexcept { return gets_; }
  /// By the handle of any window, ours or not.
  [[nodiscard]] HandleTable<FenceHook>& fence_hooks() noexcept { return fence_hooks_; }

  /// The functions below the entry of `level`.
  [[nodiscard]] const Next& next(Level level) noexcept {
    if (!resolved_.load(std::memory_order_acquire)) [[unlikely]]
      resolve_functions();
    return level == Level::mpi ? next_mpi_ : next_pmpi_;
  }
  /// The same, or null before the functions are resolved.
  [[nodiscard]] const Next* existing_next(Level level) const noexcept {
    if (!resolved_.load(std::memory_order_acquire)) [[unlikely]]
      return nullptr;
    return level == Level::mpi ? &next_mpi_ : &next_pmpi_;
  }
  /// Whether a call of `Function` that entered at level L is to be worked on here. If not, a tool below wraps the
  /// function and hands the call back to our PMPI_ function.
  template <Level L, auto Function>
  [[nodiscard]] bool works() noexcept {
    if (!resolved_.load(std::memory_order_acquire)) [[unlikely]]
      resolve_functions();
    return works_when_resolved<L, Function>();
  }
  /// The same where the functions are resolved, as they are once a window or connection of ours has been found.
  template <Level L, auto Function>
  [[nodiscard]] bool works_when_resolved() const noexcept {
    if constexpr (L == Level::pmpi) return true;
    return !tool_below_ || next_mpi_.*Function == next_pmpi_.*Function;
  }
  /// The runtime; made by the first call.
  [[nodiscard]] Runtime& runtime();
  /// The runtime if there is one yet.
  [[nodiscard]] Runtime* existing_runtime() const noexcept { return runtime_.load(std::memory_order_acquire); }

 private:
  void resolve_functions();

  HandleTable<win::Window> windows_;
  HandleTable<win::Connection> connections_;
  HandleTable<FenceHook> fence_hooks_;
  TicketTable<win::SplitGet> gets_;
  std::atomic<bool> resolved_{false};
  bool tool_below_ = false;
  Next next_mpi_;
  Next next_pmpi_;
  Real real_;
  std::mutex mutex_;
  std::atomic<Runtime*> runtime_{nullptr};
};

/// Keeps a constant-initialised object from being destroyed.
union Eternal {
  constexpr Eternal() noexcept : process{} {}
  ~Eternal() {}  // NOLINT: the process object outlives everything
  Process process;
};
extern constinit Eternal g_eternal;

[[nodiscard]] inline Process& process() noexcept { return g_eternal.process; }

}  // namespace psnam::mpi
