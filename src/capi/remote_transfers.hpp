// Transfers to and from one allocation that this process does not map: each is started, and finished on its own, though
// the memory below completes all of them together.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "backends/remote_memory.hpp"
#include "base/result.hpp"

namespace psnam::capi {

/// Thread-safe.
class RemoteTransfers {
 public:
  /// A started transfer.
  using Number = std::uint64_t;

  explicit RemoteTransfers(std::shared_ptr<backends::RemoteMemory> memory) noexcept : memory_{std::move(memory)} {}

  [[nodiscard]] Result<Number> start_put(const backends::Piece& piece) { return start(piece, true); }
  [[nodiscard]] Result<Number> start_get(const backends::Piece& piece) { return start(piece, false); }
  /// Waits until it is complete; what became of it. Once for each.
  [[nodiscard]] Status finish(Number number);
  /// Waits for all of them.
  void finish_all();

 private:
  [[nodiscard]] Result<Number> start(const backends::Piece& piece, bool put);
  void complete();

  const std::shared_ptr<backends::RemoteMemory> memory_;
  /// Shared while something is started, alone while all is completed: what a completion says is of those that were
  /// started before it.
  std::shared_mutex order_;
  std::mutex mutex_;  ///< for what follows
  Number last_ = 0;
  std::set<Number> under_way_;
  std::map<Number, Error> failed_;
};

}  // namespace psnam::capi
