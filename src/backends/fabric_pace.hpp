// Whether a look at a completion queue has moved bytes. The queue does not tell: what comes from the other side, or
// goes on in the middle of an operation, leaves no completion. It takes time, though, more than a look at nothing.
#pragma once

#include <algorithm>
#include <chrono>

namespace psnam::backends {

/// Not thread-safe.
class Pace {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// A look took so long. A thread that was interrupted meanwhile is taken for one that has moved bytes, which costs
  /// one more look.
  [[nodiscard]] bool moved(Duration look) noexcept {
    constexpr std::chrono::microseconds kAtLeast{2};
    constexpr int kTimes = 4;  // of a look at nothing, on slow systems
    fastest_ = std::min(fastest_, look);
    return look > kAtLeast && look > kTimes * fastest_;
  }

 private:
  Duration fastest_ = std::chrono::seconds{1};
};

}  // namespace psnam::backends
