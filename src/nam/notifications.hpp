// A queue of values between processes, in a shared page of an allocation.
//
// Why it works. The queue is changed under a robust mutex of the page. Each change writes a value first and the count
// that makes it one last, so a process that dies inside leaves the queue as before or as after its change, and the next
// who gets the mutex just goes on. Who waits sleeps on a count that changes with each change of the queue, having read
// it under the mutex: a change in between makes the system return at once. Sleeps are bounded, so that the caller can
// see whether there is still somebody to wait for.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/notify_page.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

class Notifications final : public NotificationQueue {
 public:
  /// Makes the page ready if it is new or of another boot. The caller keeps others from doing so at the same time.
  [[nodiscard]] static Status prepare(const Mapping& page, const format::Uuid& boot);
  /// Over a page that was made ready. Code::corrupt, Code::incompatible.
  [[nodiscard]] static Result<Notifications> over(Mapping page);

  [[nodiscard]] Result<bool> post(std::uint64_t value, Clock::time_point deadline) override;
  [[nodiscard]] Result<std::optional<std::uint64_t>> take(Clock::time_point deadline) override;
  [[nodiscard]] Result<std::uint64_t> size() override;

 private:
  class Lock;

  explicit Notifications(Mapping page) noexcept : page_{std::move(page)} {}
  [[nodiscard]] format::NotifyPage& page() const noexcept {
    return *reinterpret_cast<format::NotifyPage*>(page_.data());
  }

  Mapping page_;
};

}  // namespace psnam::nam
