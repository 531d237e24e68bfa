// Signals as things to be read: SIGTERM and SIGINT end the daemon, SIGHUP has it read its settings again.
#pragma once

#include "base/result.hpp"
#include "base/system.hpp"

namespace psnam::daemon {

enum class Wish { end, reread };

class Signals {
 public:
  /// Blocks these signals in this thread, and in those that it starts later on. Before any other thread begins.
  [[nodiscard]] static Result<Signals> take();

  /// Readable when a signal has come.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
  /// The oldest signal, which must have come.
  [[nodiscard]] Result<Wish> read();

 private:
  explicit Signals(Fd descriptor) noexcept : descriptor_{std::move(descriptor)} {}
  Fd descriptor_;
};

}  // namespace psnam::daemon
