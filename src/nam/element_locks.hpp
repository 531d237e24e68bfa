// The stripes of a window's locks, as the accumulating operations take them.
#pragma once

#include "backends/stripe_locks.hpp"
#include "nam/window_locks.hpp"

namespace psnam::nam {

class ElementLocks final : public backends::StripeLocks {
 public:
  explicit ElementLocks(WindowLocks& locks) noexcept : locks_{locks} {}
  void lock(std::size_t stripe) noexcept override { locks_.lock_stripe(stripe); }
  void unlock(std::size_t stripe) noexcept override { locks_.unlock_stripe(stripe); }

 private:
  WindowLocks& locks_;
};
static_assert(backends::kStripes == WindowLocks::kStripes);

}  // namespace psnam::nam
