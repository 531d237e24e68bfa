// The stripes of a window's locks, as the accumulating operations take them.
#pragma once

#include "nam/window_locks.hpp"
#include "rma/stripe_locks.hpp"

namespace psnam::win {

class ElementLocks final : public rma::StripeLocks {
 public:
  explicit ElementLocks(nam::WindowLocks& locks) noexcept : locks_{locks} {}
  void lock(std::size_t stripe) noexcept override { locks_.lock_stripe(stripe); }
  void unlock(std::size_t stripe) noexcept override { locks_.unlock_stripe(stripe); }

 private:
  nam::WindowLocks& locks_;
};
static_assert(rma::kStripes == nam::WindowLocks::kStripes);

}  // namespace psnam::win
