// What windows need of the process they live in.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/options.hpp"
#include "base/result.hpp"
#include "nam/service.hpp"
#include "rma/real.hpp"
#include "rma/type_table.hpp"
#include "trace/histogram.hpp"
#include "win/info.hpp"

namespace psnam::win {

/// What moves the bytes of an operation: a copy in mapped memory, the fabric, or the MPI library.
enum class Carrier { mapped, fabric, mpi };

class Context {
 public:
  Context(const Real& real, rma::TypeTable& types, const Options& options, trace::Histogram* histogram) noexcept
      : real_{real}, types_{types}, options_{options}, histogram_{histogram} {}

  [[nodiscard]] const Real& real() const noexcept { return real_; }
  [[nodiscard]] rma::TypeTable& types() const noexcept { return types_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] trace::Histogram* histogram() const noexcept { return histogram_; }

  /// The store of the node, opened on first use and then kept. Thread-safe.
  Result<nam::Service*> store();
  /// The store if there is one already; null if not. Makes nothing.
  Result<nam::Service*> existing_store();
  /// The manager that PSNAM_MANAGER names, connected on first use; null if it names none. Thread-safe.
  Result<nam::Service*> manager();
  /// The manager, if there is one, then the store, if there is one already: who is asked for what another job left.
  Result<std::vector<nam::Service*>> existing_services();

  /// Until this is called every use of a store fails: MPI's world has to be there first.
  void allow_windows() noexcept { allowed_.store(true, std::memory_order_release); }
  /// From now on every use of a store fails with `error`: the environment is wrong.
  void fail_with(Error error);
  /// PSNAM_DEFAULTS, parsed.
  Status load_defaults();
  [[nodiscard]] bool defaults_are_broken() const noexcept { return defaults_are_broken_; }
  [[nodiscard]] const std::vector<KeyValue>& default_pairs() const noexcept { return default_pairs_; }
  /// Whether a window can be reached with PSNAM_PATH as it is: one that lies in the stores of `nodes` nodes, and maybe
  /// in the manager.
  [[nodiscard]] Status check_path(std::size_t nodes) const;
  /// Whether the histogram counts a message to a region of `manifestation`, moved in this way.
  [[nodiscard]] bool counts(format::Manifestation manifestation, Carrier carrier) const noexcept;

  /// Warns, once for each key, that it is not known.
  void warn_unknown_keys(const std::vector<KeyValue>& pairs);

 private:
  Result<nam::Service*> open_store(bool create);
  [[nodiscard]] Status check_usable() const;

  const Real& real_;
  rma::TypeTable& types_;
  const Options& options_;
  trace::Histogram* histogram_;
  std::atomic<bool> allowed_{false};
  std::mutex mutex_;
  std::shared_ptr<nam::Service> store_;
  std::shared_ptr<nam::Service> manager_;
  std::set<std::string> warned_keys_;
  std::vector<KeyValue> default_pairs_;
  bool defaults_are_broken_ = false;
  std::optional<Error> environment_error_;
};

}  // namespace psnam::win
