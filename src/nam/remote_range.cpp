#include "nam/remote_range.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace psnam::nam {

Result<std::shared_ptr<backends::RemoteMemory>> RemoteRange::open(std::shared_ptr<ClientLink> link, RangeOfRoot range) {
  const std::shared_ptr<RemoteRange> opened{new RemoteRange{std::move(link), range}};
  PSNAM_CHECK(opened->reach());
  return std::shared_ptr<RemoteMemory>{opened};
}

RemoteRange::~RemoteRange() {
  // The key is of no use to anybody else; the server forgets it with the connection if it does not hear of this.
  if (reached_.key != 0 && reached_.connection->alive()) {
    const auto forgotten = link_->ask<reply::Done>(request::ForgetMemory{reached_.key});
    if (!forgotten) log::debug("a key is kept until the session ends: {}", forgotten.error().message);
  }
  reached_ = {};
  if (object_id_ != 0) link_->let_go(object_id_);
}

/// A key over the present connection. Under the mutex, or before anybody else has this.
Status RemoteRange::reach() {
  if (object_id_ != 0) PSNAM_CHECK(link_->require_there(object_id_));
  PSNAM_TRY(const std::uint64_t session, link_->session());
  PSNAM_TRY(auto connection, link_->fabric());
  const request::OpenRange request{range_.root_id, range_.offset_bytes, range_.bytes, range_.right, true};
  PSNAM_TRY(const auto granted, link_->ask<reply::Range>(request));
  if (granted.mapped || (granted.key == 0 && range_.bytes != 0)) return link_->unexpected(request);
  const auto protection = range_.right == AccessRight::read_only ? Protection::read_only : Protection::read_write;
  auto memory = connection->open(granted.key, granted.base, range_.bytes, protection);
  reached_ = {.connection = std::move(connection), .memory = std::move(memory), .key = granted.key, .session = session};
  if (object_id_ == 0) {
    object_id_ = granted.object.id;
    link_->hold(granted.object);
  }
  return {};
}

Result<bool> RemoteRange::is_current() {
  constexpr std::chrono::milliseconds kBetweenLooks{1};
  if (!reached_.connection->alive()) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_at_ < kBetweenLooks) return true;
  PSNAM_TRY(const std::uint64_t session, link_->session());
  looked_at_ = now;
  return session == reached_.session;
}

Result<std::shared_ptr<backends::RemoteMemory>> RemoteRange::ready() {
  const std::lock_guard lock{mutex_};
  if (started_ == flushed_) {
    PSNAM_TRY(const bool current, is_current());
    if (!current) PSNAM_CHECK(reach());
  }
  ++started_;
  return reached_.memory;
}

/// A transfer that may wait: when that was in vain, what is asked over the control connection next waits for less.
template <class Transfer>
Status RemoteRange::watched(Transfer&& transfer) {
  const auto began = Patience::Clock::now();
  Status done = transfer();
  if (!done) link_->patience().failed_since(began);
  return done;
}

Status RemoteRange::write(std::span<const backends::Piece> pieces) {
  PSNAM_TRY(const auto memory, ready());
  return watched([&] { return memory->write(pieces); });
}

Status RemoteRange::read(std::span<const backends::Piece> pieces) {
  PSNAM_TRY(const auto memory, ready());
  return watched([&] { return memory->read(pieces); });
}

Status RemoteRange::flush() {
  std::shared_ptr<backends::RemoteMemory> memory;
  std::uint64_t begun = 0;
  {
    const std::lock_guard lock{mutex_};
    if (started_ == flushed_) return {};
    begun = started_;
    memory = reached_.memory;
  }
  Status done = watched([&] { return memory->flush(); });
  // Only now: what this thread waited for, others may have started, and must not take for complete before.
  const std::lock_guard lock{mutex_};
  flushed_ = std::max(flushed_, begun);
  return done;
}

}  // namespace psnam::nam
