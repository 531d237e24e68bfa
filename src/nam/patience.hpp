// How long a client waits for its server. A call of a program may need several answers, over the control connection and
// the fabric, and each wait alone may take the whole limit when the server, or the way to it, is gone. So that the call
// comes back within little more than one limit, what is asked soon after a wait that came to nothing waits for a tenth:
// a server that lives answers in that.
#pragma once

#include <atomic>
#include <chrono>

namespace psnam::nam {

/// Thread-safe.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Patience(std::chrono::milliseconds limit) noexcept : limit_{limit} {}

  /// For a wait that begins now.
  [[nodiscard]] std::chrono::milliseconds left() const noexcept {
    const bool soon = Clock::now().time_since_epoch() < Clock::duration{short_until_.load(std::memory_order_relaxed)};
    return soon ? limit_ / kShort : limit_;
  }
  /// A wait that began then has failed. It counts only if it was a long one.
  void failed_since(Clock::time_point began) noexcept {
    const auto now = Clock::now();
    if (now - began >= limit_ / 2)
      short_until_.store((now + kSoon).time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  static constexpr int kShort = 10;
  static constexpr std::chrono::seconds kSoon{1};

  const std::chrono::milliseconds limit_;
  std::atomic<Clock::rep> short_until_{0};  ///< since the epoch of the clock
};

}  // namespace psnam::nam
