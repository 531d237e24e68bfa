// Memory, pages and queues of a client: mapped from the descriptors that the server sends, or remote.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "format/lock_page.hpp"
#include "format/notify_page.hpp"
#include "nam/client.hpp"
#include "nam/notifications.hpp"
#include "nam/remote_agent.hpp"
#include "nam/remote_queue.hpp"
#include "nam/remote_range.hpp"

namespace psnam::nam {
namespace {

AccessRight right_of(Protection protection) noexcept {
  return protection == Protection::read_only ? AccessRight::read_only : AccessRight::read_write;
}

/// A file that ends before what is mapped of it would be a SIGBUS for whoever touches that.
Result<Mapping> map_received(const Received& received, std::uint64_t offset_bytes, std::uint64_t bytes,
                             Protection protection, std::string_view what) {
  if (received.descriptors.size() != 1)
    return Error{Code::corrupt, fmt::format("the server sent {} descriptors for {} instead of one",
                                            received.descriptors.size(), what)};
  const int fd = received.descriptors.front().get();
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error(what, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < bytes || size - bytes < offset_bytes)
    return Error{Code::corrupt,
                 fmt::format("{} has {} bytes, too few for {} bytes at offset {}", what, size, bytes, offset_bytes)};
  return Mapping::map_range(fd, offset_bytes, static_cast<std::size_t>(bytes), protection, what);
}

}  // namespace

Result<Memory> Client::create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) {
  const request::CreateMemory request{allocation_id, bytes, reserve, !link_->maps()};
  PSNAM_TRY(const Received received, link_->call(request));
  const auto* const range = std::get_if<reply::Range>(&received.reply);
  if (range == nullptr) return link_->unexpected(request);
  if (!range->mapped) {
    PSNAM_TRY(auto memory, RemoteRange::open(link_, {allocation_id, 0, bytes, AccessRight::read_write}));
    return Memory{.mapping = {}, .remote = std::move(memory)};
  }
  PSNAM_TRY(Mapping mapping,
            map_received(received, 0, bytes, Protection::read_write, fmt::format("allocation {}", allocation_id)));
  return Memory{.mapping = std::move(mapping), .remote = nullptr};
}

Result<Memory> Client::open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                                  Protection protection) {
  if (link_->maps()) {
    const request::OpenRange request{root_id, offset_bytes, bytes, right_of(protection), false};
    PSNAM_TRY(const Received received, link_->call(request));
    const auto* const range = std::get_if<reply::Range>(&received.reply);
    if (range == nullptr) return link_->unexpected(request);
    if (range->mapped) {
      PSNAM_TRY(Mapping mapping,
                map_received(received, offset_bytes, bytes, protection, fmt::format("allocation {}", root_id)));
      return Memory{.mapping = std::move(mapping), .remote = nullptr};
    }
  }
  PSNAM_TRY(auto memory, RemoteRange::open(link_, {root_id, offset_bytes, bytes, right_of(protection)}));
  return Memory{.mapping = {}, .remote = std::move(memory)};
}

Status Client::reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) {
  return link_->ask<reply::Done>(request::ReserveRange{root_id, offset_bytes, bytes}).status();
}

Status Client::persist(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) {
  return link_->ask<reply::Done>(request::Persist{root_id, offset_bytes, bytes}).status();
}

Result<Mapping> Client::map_page(const request::Any& request, std::uint64_t bytes, std::string_view what) {
  PSNAM_TRY(const Received received, link_->call(request));
  if (!std::holds_alternative<reply::Done>(received.reply)) return link_->unexpected(request);
  return map_received(received, 0, bytes, Protection::read_write, what);
}

Result<Mapping> Client::create_control(std::uint64_t use_id, std::uint64_t bytes) {
  PSNAM_TRY(const std::uint64_t use, link_->use(use_id));
  return map_page(request::CreateControl{use, bytes}, bytes, fmt::format("the control page of use {}", use));
}

Result<Mapping> Client::open_control(std::uint64_t use_id, std::uint64_t bytes) {
  PSNAM_TRY(const std::uint64_t use, link_->use(use_id));
  return map_page(request::OpenControl{use, bytes}, bytes, fmt::format("the control page of use {}", use));
}

Status Client::drop_control(std::uint64_t use_id) {
  PSNAM_TRY(const std::uint64_t use, link_->use(use_id));
  return link_->ask<reply::Done>(request::DropControl{use}).status();
}

Result<Mapping> Client::open_locks(std::uint64_t window_id, std::uint32_t ranks) {
  PSNAM_CHECK(link_->require_there(window_id));
  return map_page(request::OpenLocks{window_id, ranks}, format::LockShape::of(ranks).bytes(),
                  fmt::format("the locks of window {}", window_id));
}

Result<std::unique_ptr<WindowAgent>> Client::open_agent(std::uint64_t window_id) {
  return RemoteAgent::open(link_, window_id);
}

Result<std::unique_ptr<NotificationQueue>> Client::open_notifications(std::uint64_t allocation_id) {
  PSNAM_CHECK(link_->require_there(allocation_id));
  if (!link_->maps()) return RemoteQueue::open(link_, allocation_id);
  PSNAM_TRY(Mapping page, map_page(request::OpenNotifications{allocation_id}, sizeof(format::NotifyPage),
                                   fmt::format("the notifications of allocation {}", allocation_id)));
  PSNAM_TRY(Notifications queue, Notifications::over(std::move(page)));
  return std::unique_ptr<NotificationQueue>{std::make_unique<Notifications>(std::move(queue))};
}

}  // namespace psnam::nam
