// The locks of the regions that are reached from one seat, as this process takes them: in the window's page where it
// can be mapped, else by the service, on request. Made on first need.
#pragma once

#include <memory>
#include <mutex>

#include "base/result.hpp"
#include "nam/element_locks.hpp"
#include "nam/service.hpp"
#include "nam/window_locks.hpp"
#include "win/seat.hpp"

namespace psnam::win {

/// Thread-safe.
class SeatLocks {
 public:
  /// Of a window of `ranks` ranks; `rank` is that of the calling process.
  static Result<std::unique_ptr<SeatLocks>> open(const Seat& seat, std::uint32_t ranks, int rank);

  Status lock(std::uint32_t rank, nam::LockKind kind, nam::Waiter& waiter);
  Status unlock(std::uint32_t rank);
  Status lock_all(nam::Waiter& waiter);
  Status unlock_all();

  /// For indivisible operations on mapped regions; null where the page is not mapped.
  [[nodiscard]] nam::ElementLocks* elements() const noexcept { return elements_.get(); }
  /// For those on regions that are not mapped.
  Result<nam::WindowAgent*> agent();

 private:
  explicit SeatLocks(const Seat& seat) noexcept : seat_{seat} {}

  const Seat seat_;
  std::unique_ptr<nam::WindowLocks> page_;
  std::unique_ptr<nam::ElementLocks> elements_;  ///< over page_
  std::mutex mutex_;
  std::unique_ptr<nam::WindowAgent> agent_;  ///< made on first need if there is a page
};

}  // namespace psnam::win
