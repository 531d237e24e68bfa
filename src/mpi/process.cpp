#include "mpi/process.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "mpi/fence_hooks.hpp"
#include "mpi/iget.hpp"
#include "psnam_version.hpp"

namespace psnam::mpi {

constinit Eternal g_eternal;

Runtime::Runtime(const Real& real) : real_{real}, types_{std::make_unique<rma::TypeTable>(real)}, errors_{real} {
  auto options = parse_options(environment_variable);
  if (options) options_ = *options;
  log::set_level(options_.log_level);
  if (options_.histogram.enabled)
    histogram_ = std::make_unique<trace::Histogram>(options_.histogram.min_bytes, options_.histogram.max_bytes,
                                                    options_.histogram.shift);
  context_ = std::make_unique<win::Context>(real_, *types_, options_, histogram_.get());
  refuse_windows_on_error(std::move(options).status());
  refuse_windows_on_error(context_->load_defaults());
  int initialized = 0;
  real_.Initialized(&initialized);
  if (initialized != 0) start();
}

void Runtime::start() {
  std::call_once(started_, [this] {
    refuse_windows_on_error(load_types());
    publish_facts();
    context_->allow_windows();
  });
}

/// A wrong environment is no reason to end a program that may not use windows at all; it is told now and by every
/// window.
void Runtime::refuse_windows_on_error(Status status) {
  if (status) return;
  log::error("{}", status.error().message);
  context_->fail_with(status.take_error());
}

Status Runtime::load_types() {
  if (const int rc = real_.Comm_dup(MPI_COMM_SELF, &internal_comm_); rc != MPI_SUCCESS)
    return sync::mpi_error(real_, "MPI_Comm_dup of MPI_COMM_SELF", rc);
  real_.Comm_set_errhandler(internal_comm_, MPI_ERRORS_RETURN);
  return types_->load(internal_comm_);
}

/// MPI_INFO_ENV tells the program that the library is here, and in which module it runs.
void Runtime::publish_facts() {
  real_.Info_set(MPI_INFO_ENV, "psnam_version", kVersion);
  real_.Info_set(MPI_INFO_ENV, iget_key(), iget_functions().c_str());
  real_.Info_set(MPI_INFO_ENV, fence_key(), fence_functions().c_str());
  if (!options_.module_id.empty()) real_.Info_set(MPI_INFO_ENV, "msa_module_id", options_.module_id.c_str());
}

void Runtime::finish(std::size_t open_windows, std::size_t open_gets) {
  int rank = 0;
  real_.Comm_rank(MPI_COMM_WORLD, &rank);
  if (open_windows != 0) log::warn("rank {} ends with {} PSNAM windows that were not freed", rank, open_windows);
  if (open_gets != 0) log::warn("rank {} ends with {} requests of MPIX_Iget that were not freed", rank, open_gets);
  if (histogram_) log::write(log::Level::info, histogram_->text(fmt::format("message sizes in bytes, rank {}", rank)));
  if (internal_comm_ != MPI_COMM_NULL) real_.Comm_free(&internal_comm_);
}

void Process::resolve_functions() {
  const std::lock_guard lock{mutex_};
  if (resolved_.load(std::memory_order_relaxed)) return;
  tool_below_ = resolve(real_, next_mpi_, next_pmpi_);
  resolved_.store(true, std::memory_order_release);
}

Runtime& Process::runtime() {
  if (Runtime* const existing = existing_runtime()) return *existing;
  static_cast<void>(next(Level::pmpi));
  const std::lock_guard lock{mutex_};
  if (Runtime* const existing = existing_runtime()) return *existing;
  // Never deleted, like the process object itself.
  auto* const runtime = new Runtime{real_};
  runtime_.store(runtime, std::memory_order_release);
  return *runtime;
}

}  // namespace psnam::mpi
