// A queue of notifications whose page this process does not map: the server posts and takes for it.
#pragma once

#include <cstdint>
#include <memory>

#include "nam/client_link.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

/// Thread-safe.
class RemoteQueue final : public NotificationQueue {
 public:
  [[nodiscard]] static Result<std::unique_ptr<NotificationQueue>> open(std::shared_ptr<ClientLink> link,
                                                                       std::uint64_t allocation_id);

  [[nodiscard]] Result<bool> post(std::uint64_t value, Clock::time_point deadline) override;
  [[nodiscard]] Result<std::optional<std::uint64_t>> take(Clock::time_point deadline) override;
  [[nodiscard]] Result<std::uint64_t> size() override;

 private:
  RemoteQueue(std::shared_ptr<ClientLink> link, std::uint64_t allocation_id)
      : link_{std::move(link)}, allocation_id_{allocation_id} {}

  const std::shared_ptr<ClientLink> link_;
  const std::uint64_t allocation_id_;
};

}  // namespace psnam::nam
