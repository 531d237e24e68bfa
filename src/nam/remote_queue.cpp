#include "nam/remote_queue.hpp"

#include <algorithm>
#include <chrono>

namespace psnam::nam {
namespace {

/// What is left until `deadline`, as far as one request may wait.
std::uint64_t wait_us(NotificationQueue::Clock::time_point deadline) {
  constexpr std::chrono::microseconds kLongest{100'000};
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - NotificationQueue::Clock::now());
  return static_cast<std::uint64_t>(std::clamp(left, std::chrono::microseconds{0}, kLongest).count());
}

}  // namespace

Result<std::unique_ptr<NotificationQueue>> RemoteQueue::open(std::shared_ptr<ClientLink> link,
                                                             std::uint64_t allocation_id) {
  std::unique_ptr<RemoteQueue> queue{new RemoteQueue{std::move(link), allocation_id}};
  PSNAM_CHECK(queue->size().status());
  return std::unique_ptr<NotificationQueue>{std::move(queue)};
}

Result<bool> RemoteQueue::post(std::uint64_t value, Clock::time_point deadline) {
  for (;;) {
    PSNAM_CHECK(link_->require_there(allocation_id_));
    PSNAM_TRY(const auto posted,
              link_->ask<reply::Flag>(request::PostNotification{allocation_id_, value, wait_us(deadline)}));
    if (posted.value || Clock::now() >= deadline) return posted.value;
  }
}

Result<std::optional<std::uint64_t>> RemoteQueue::take(Clock::time_point deadline) {
  for (;;) {
    PSNAM_CHECK(link_->require_there(allocation_id_));
    PSNAM_TRY(const auto taken, link_->ask<reply::Value>(request::TakeNotification{allocation_id_, wait_us(deadline)}));
    if (taken.value || Clock::now() >= deadline) return taken.value;
  }
}

Result<std::uint64_t> RemoteQueue::size() {
  PSNAM_CHECK(link_->require_there(allocation_id_));
  PSNAM_TRY(const auto values, link_->ask<reply::Number>(request::CountNotifications{allocation_id_}));
  return values.value;
}

}  // namespace psnam::nam
