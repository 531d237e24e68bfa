// Stripe locks of one process, for the tests of accumulates.
#pragma once

#include <array>
#include <atomic>
#include <mutex>

#include "backends/stripe_locks.hpp"

namespace psnam::backends::testing {

class TestLocks final : public StripeLocks {
 public:
  void lock(std::size_t stripe) noexcept override {
    mutexes_.at(stripe).lock();
    ++taken_;
  }
  void unlock(std::size_t stripe) noexcept override { mutexes_.at(stripe).unlock(); }
  [[nodiscard]] int taken() const { return taken_.load(); }

 private:
  std::array<std::mutex, kStripes> mutexes_;
  std::atomic<int> taken_{0};
};

}  // namespace psnam::backends::testing
