// What a lock is asked for, and what is done while it is waited for.
#pragma once

namespace psnam::nam {

enum class LockKind { shared, exclusive };

/// What a long wait does between its looks: who is waited for may need our progress to get on.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void poll() noexcept = 0;
  /// Whether the wait is to end without success; asked after each poll().
  [[nodiscard]] virtual bool gives_up() const noexcept { return false; }
};

}  // namespace psnam::nam
