// nam.h: values for a process that waits.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>

#include "capi/failure.hpp"
#include "capi/process.hpp"
#include "capi/transfer.hpp"
#include "format/notify_page.hpp"
#include "nam.h"

namespace psnam::capi {
namespace {

using Clock = nam::NotificationQueue::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kPostLimit{5000};
constexpr milliseconds kNobodyCameLimit{10000};
/// How often a wait looks whether there is still somebody to wait for.
constexpr milliseconds kLook{500};
static_assert(NAM_NOTIFICATIONS_MAX == format::kNotifyCapacity);

Result<ssize_t> put_notify(const void* buffer, Range range, std::uint64_t value, const nam_allocation_t* handle) {
  PSNAM_TRY(const auto allocation, process().allocation("nam_put_notify", handle));
  PSNAM_TRY(nam::NotificationQueue* const queue, allocation->notifications());
  PSNAM_TRY(const ssize_t bytes, put("nam_put_notify", buffer, range, handle));
  PSNAM_TRY(const bool posted, queue->post(value, Clock::now() + kPostLimit));
  if (posted) return bytes;
  return error_with(ETIMEDOUT, fmt::format("nam_put_notify: allocation {} keeps {} values already, and nobody took one "
                                           "in {} ms; the data are there",
                                           allocation->id(), NAM_NOTIFICATIONS_MAX, kPostLimit.count()));
}

/// A wait for a value: how long, and for whom.
class Wait {
 public:
  Wait(Allocation& allocation, nam::NotificationQueue& queue, int timeout_ms)
      : allocation_{allocation}, queue_{queue}, timeout_ms_{timeout_ms} {}

  Result<std::uint64_t> value() {
    // Before anybody looks for others: who left a value may be gone.
    PSNAM_TRY(auto found, queue_.take(begin_));
    while (!found) {
      if (timeout_ms_ >= 0 && Clock::now() >= end()) return timed_out();
      PSNAM_TRY(const bool alone, is_alone());
      // Whoever went has said before all that it had to say.
      PSNAM_TRY(found, queue_.take(alone ? Clock::now() : std::min(end(), Clock::now() + kLook)));
      if (alone && !found) return abandoned();
    }
    return *found;
  }

 private:
  [[nodiscard]] Clock::time_point end() const {
    return timeout_ms_ < 0 ? Clock::time_point::max() : begin_ + milliseconds{timeout_ms_};
  }

  /// Whether nobody is there, or will be, who could post.
  Result<bool> is_alone() {
    if (timeout_ms_ >= 0) return false;  // it ends anyway
    PSNAM_TRY(const auto store, allocation_.store());
    PSNAM_TRY(const std::uint64_t users, store->count_users(allocation_.id()));
    if (users > 1) {
      there_were_others_ = true;
      return false;
    }
    return there_were_others_ || Clock::now() >= begin_ + kNobodyCameLimit;
  }

  [[nodiscard]] Error timed_out() const {
    return error_with(ETIMEDOUT, fmt::format("nam_wait_notification: no value came to allocation {} in {} ms",
                                             allocation_.id(), timeout_ms_));
  }
  [[nodiscard]] Error abandoned() const {
    return Error{Code::peer_lost, fmt::format("nam_wait_notification: no other process uses allocation {}{}",
                                              allocation_.id(), there_were_others_ ? " any more" : "")};
  }

  Allocation& allocation_;
  nam::NotificationQueue& queue_;
  const int timeout_ms_;
  const Clock::time_point begin_ = Clock::now();
  bool there_were_others_ = false;
};

Status wait(const nam_allocation_t* handle, std::uint64_t* value, int timeout_ms) {
  PSNAM_TRY(const auto allocation, process().allocation("nam_wait_notification", handle));
  if (value == nullptr) return Error{Code::buffer, "nam_wait_notification: the value's address is NULL"};
  if (timeout_ms < -1)
    return Error{Code::invalid_argument, fmt::format("nam_wait_notification: a limit of {} ms", timeout_ms)};
  PSNAM_TRY(nam::NotificationQueue* const queue, allocation->notifications());
  PSNAM_TRY(*value, Wait(*allocation, *queue, timeout_ms).value());
  return {};
}

}  // namespace
}  // namespace psnam::capi

using psnam::capi::boundary;

extern "C" {

ssize_t nam_put_notify(const void* buffer, size_t offset, size_t bytes, uint64_t value, nam_allocation_t* allocation) {
  return boundary(ssize_t{-1}, [&] { return psnam::capi::put_notify(buffer, {offset, bytes}, value, allocation); });
}

int nam_wait_notification(nam_allocation_t* allocation, uint64_t* value, int timeout_ms) {
  return boundary(-1, [&] { return psnam::capi::wait(allocation, value, timeout_ms); });
}

}  // extern "C"
