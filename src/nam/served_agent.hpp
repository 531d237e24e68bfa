// The server's side of a WindowAgent: it is a client of the window's locks on behalf of one session, beside those that
// map the page, and carries out what has to be indivisible on its own mapping of the regions, by the same kernels.
//
// Everything here may have to wait for a process that maps the page, so it is called on helper threads. A wait for a
// lock goes on between the requests of the client, which are answered "not yet" in time: its place in the queue stays.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "backends/indivisible.hpp"
#include "base/result.hpp"
#include "nam/element_locks.hpp"
#include "nam/helpers.hpp"
#include "nam/memory_table.hpp"
#include "nam/request.hpp"
#include "nam/sigbus_guard.hpp"
#include "nam/window_locks.hpp"

namespace psnam::nam {

/// Thread-safe. Shared by the session and the jobs that it has given to helpers.
class ServedAgent : public std::enable_shared_from_this<ServedAgent> {
 public:
  using Clock = std::chrono::steady_clock;
  /// Called once: true when the lock is had, false for "not yet".
  using Answer = std::function<void(Result<bool>)>;
  using Region = std::function<Result<std::shared_ptr<RootMapping>>(std::uint64_t root_id)>;

  /// `page`: that of the window's locks. `region` finds the mapping of a root.
  static Result<std::shared_ptr<ServedAgent>> open(format::WindowRecord window, AccessRight right, Mapping page,
                                                   Region region);

  [[nodiscard]] const format::WindowRecord& window() const noexcept { return window_; }

  /// Begins the wait for a lock, or goes on with it. Runs on the calling thread as long as the wait lasts, or, if it
  /// goes on already, not at all.
  void lock(const request::Lock& request, Answer answer);
  [[nodiscard]] Status unlock(const std::optional<std::uint32_t>& rank);
  [[nodiscard]] Result<std::vector<std::byte>> execute(const request::Execute& request);

  /// Ends all waits. What is held is given back with the last reference.
  void close();
  /// Before close(): the client has died, so what it held is told in the log.
  void mourn(const std::string& client) { locks_->mourn(client); }

 private:
  class Wait;
  ServedAgent(format::WindowRecord window, AccessRight right, GuardedRange guard, std::unique_ptr<WindowLocks> locks,
              Region region)
      : window_{std::move(window)},
        right_{right},
        guard_{std::move(guard)},
        locks_{std::move(locks)},
        element_locks_{*locks_},
        region_{std::move(region)} {}
  using Key = std::optional<std::uint32_t>;  ///< rank; none: all
  [[nodiscard]] Result<std::shared_ptr<RootMapping>> mapping_of(std::uint64_t root_id);
  void finish(const Key& key, const std::shared_ptr<Wait>& wait, Status status);

  const format::WindowRecord window_;
  const AccessRight right_;
  /// Of the page of the locks, which clients that map it may cut short. It outlives the mapping by a moment: leaving
  /// the page touches it last.
  GuardedRange guard_;
  std::unique_ptr<WindowLocks> locks_;
  ElementLocks element_locks_;
  Region region_;
  std::mutex mutex_;
  bool closed_ = false;
  std::map<Key, std::shared_ptr<Wait>> waits_;
  std::map<std::uint64_t, std::shared_ptr<RootMapping>> mappings_;  ///< by root
};

}  // namespace psnam::nam
