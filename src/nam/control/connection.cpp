#include "nam/control/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>

#include "base/log.hpp"

namespace psnam::nam::control {
namespace {

// Requests of one session that wait take no more than this, and one more message.
constexpr std::size_t kMaxWaitingBytes = 2 * kMaxBodyBytes;

}  // namespace

void Hub::post(std::function<void()> letter) {
  {
    const std::lock_guard lock{mutex};
    mail.push_back(std::move(letter));
  }
  wake_up();
}

void Hub::wake_up() const noexcept {
  const std::uint64_t one = 1;
  // A full counter wakes as well.
  [[maybe_unused]] const ssize_t written = ::write(wake.get(), &one, sizeof one);
}

Connection::Connection(std::shared_ptr<Hub> hub, Fd fd, std::uint64_t id)
    : hub_{std::move(hub)},
      id_{id},
      receiver_{{.body_bytes = kMaxHandshakeBytes, .descriptors = 0}},
      fd_{std::move(fd)} {}

// Any thread.

void Connection::send(FrameKind kind, std::uint64_t request, Message message) {
  if (!message.descriptors.empty() && !local_) return drop("descriptors for a client that is not local");
  auto frame = OutgoingFrame::of(kind, request, std::move(message));
  if (!frame) return drop(frame.error().message);
  const std::lock_guard lock{mutex_};
  if (broken_ || ended_) return;
  unsent_bytes_ += frame->unsent_bytes();
  out_.push_back(std::move(*frame));
  if (out_.size() == 1) flush_locked();
  if (unsent_bytes_ > hub_->options.max_unsent_bytes) drop_locked("it does not read its replies: too many wait");
}

void Connection::drop(std::string_view reason) {
  const std::lock_guard lock{mutex_};
  drop_locked(reason);
}

void Connection::drop_locked(std::string_view reason) {
  if (broken_ || ended_) return;
  broken_ = dropped_ = true;
  alive_ = false;
  if (session_ != 0) ++hub_->dropped;
  log::info("connection of {} dropped: {}", shown_, reason);
  waiting_.clear();
  waiting_bytes_ = 0;
  ::shutdown(fd_.get(), SHUT_RDWR);
}

void Connection::flush() {
  const std::lock_guard lock{mutex_};
  flush_locked();
}

void Connection::flush_locked() {
  bool blocked = false;
  while (!blocked && !out_.empty() && !broken_ && !ended_) {
    OutgoingFrame& frame = out_.front();
    const std::size_t before = frame.unsent_bytes();
    const auto sent = frame.send(fd_.get());
    const std::size_t bytes = before - frame.unsent_bytes();
    unsent_bytes_ -= bytes;
    hub_->bytes_sent += bytes;
    if (!sent) return drop_locked(sent.error().message);
    // Whoever reads a little is alive.
    if (bytes != 0) set_stalled_locked(false);
    blocked = !*sent;
    if (*sent) out_.pop_front();
  }
  set_stalled_locked(blocked);
  set_interest_locked();
  if (close_when_sent_ && out_.empty() && !broken_ && !ended_) {
    broken_ = true;
    ::shutdown(fd_.get(), SHUT_RDWR);
  }
}

void Connection::set_stalled_locked(bool stalled) {
  if (stalled == stalled_since_.has_value()) return;
  if (!stalled) {
    stalled_since_.reset();
    --hub_->stalled;
    return;
  }
  stalled_since_ = std::chrono::steady_clock::now();
  // The thread of run() sleeps without an end when nobody is stalled.
  if (hub_->stalled++ == 0) hub_->wake_up();
}

void Connection::set_interest_locked() {
  const std::uint32_t wanted =
      (reading_ ? std::uint32_t{EPOLLIN} | EPOLLRDHUP : 0U) | (out_.empty() ? 0U : std::uint32_t{EPOLLOUT});
  if (ended_ || wanted == interest_) return;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = id_;
  if (::epoll_ctl(hub_->epoll.get(), EPOLL_CTL_MOD, fd_.get(), &event) == 0) interest_ = wanted;
}

std::optional<Deadline> Connection::stalled_since() {
  const std::lock_guard lock{mutex_};
  return stalled_since_;
}

// The handshake.

void Connection::step_handshake() {
  try {
    step_ = handshake_->on_message(handshake_body_);
  } catch (const std::exception& exception) {
    log::error("handshake of a client: {}", exception.what());
    step_ = ServerHandshake::refusal(kVersions, Error{Code::system, "the server failed"});
  }
}

void Connection::set_session(std::uint64_t session, std::unique_ptr<SessionHandler> handler, const Peer& peer) {
  const std::lock_guard lock{mutex_};
  session_ = session;
  handler_ = std::move(handler);
  local_ = peer.local;
  shown_ = peer.shown;
}

bool Connection::begin_step(std::vector<std::byte> body) {
  if (stepping_ || !in_handshake()) return false;
  stepping_ = true;
  handshake_body_ = std::move(body);
  return true;
}

bool Connection::end_step() {
  stepping_ = false;
  const bool welcome = step_.welcome;
  const bool refused = !step_.refused;
  if (refused) {
    ++hub_->refused;
    log::info("a client is refused: {}", step_.refused.error().message);
    const std::lock_guard lock{mutex_};
    close_when_sent_ = true;
    reading_ = false;
  }
  if (welcome) {
    ++hub_->accepted;
    receiver_.set_limits({.body_bytes = kMaxBodyBytes, .descriptors = hub_->options.max_client_descriptors});
  }
  send(FrameKind::handshake, 0, {.body = std::move(step_.answer)});
  if (welcome || refused) handshake_.reset();
  handshake_body_ = {};
  step_ = {};
  return welcome;
}

// The thread of run().

Status Connection::join_epoll() {
  const std::lock_guard lock{mutex_};
  epoll_event event{};
  event.events = interest_ = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = id_;
  if (::epoll_ctl(hub_->epoll.get(), EPOLL_CTL_ADD, fd_.get(), &event) != 0) return system_error("epoll", errno);
  return {};
}

Connection::Read Connection::read(std::span<std::byte> scratch, std::vector<IncomingFrame>& frames) {
  const std::uint64_t before = receiver_.bytes();
  const auto pulled = receiver_.receive(fd_.get(), scratch, frames);
  hub_->bytes_received += receiver_.bytes() - before;
  if (!pulled) {
    // A client that went away is nothing to blame it for.
    if (pulled.error().code != Code::peer_lost) drop(pulled.error().message);
    return Read::end;
  }
  if (!frames.empty() && frames.back().kind == FrameKind::goodbye) {
    frames.pop_back();
    return Read::goodbye;
  }
  return *pulled == Pulled::end ? Read::end : Read::more;
}

bool Connection::take_request(IncomingFrame frame) {
  ++hub_->requests;
  bool quick = false;
  try {
    quick = handler_->is_quick(frame.message.body);
  } catch (const std::exception& exception) {
    drop(exception.what());
    return false;
  }
  if (quick) {
    handle(std::move(frame));
    return false;
  }
  const std::lock_guard lock{mutex_};
  if (broken_) return false;
  waiting_bytes_ += frame.message.body.size();
  waiting_.push_back(std::move(frame));
  if (waiting_.size() >= hub_->options.max_waiting_requests || waiting_bytes_ >= kMaxWaitingBytes) reading_ = false;
  set_interest_locked();
  return !std::exchange(working_, true);
}

bool Connection::end(bool goodbye) {
  const std::lock_guard lock{mutex_};
  if (ended_) return false;
  alive_ = false;
  set_stalled_locked(false);
  ::epoll_ctl(hub_->epoll.get(), EPOLL_CTL_DEL, fd_.get(), nullptr);
  if (stepping_) {
    // The step may ask the kernel about the socket: it stays until the step is over.
    if (!broken_) ::shutdown(fd_.get(), SHUT_RDWR);
    broken_ = true;
    return false;
  }
  ended_ = true;
  goodbye_ = goodbye;
  if (dropped_) {
    // The kernel would go on offering what the client does not read.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  fd_ = Fd{};
  out_.clear();
  waiting_.clear();
  return handler_ != nullptr && !std::exchange(working_, true);
}

// Workers.

bool Connection::work() {
  std::unique_lock lock{mutex_};
  if (!ended_ && !waiting_.empty()) {
    IncomingFrame frame = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= frame.message.body.size();
    if (waiting_.size() <= hub_->options.max_waiting_requests / 2 && waiting_bytes_ < kMaxWaitingBytes &&
        !close_when_sent_) {
      reading_ = true;
      set_interest_locked();
    }
    lock.unlock();
    handle(std::move(frame));
    lock.lock();
  }
  if (ended_) {
    const bool goodbye = goodbye_;
    lock.unlock();
    finish(goodbye);
    return false;
  }
  working_ = !waiting_.empty();
  return working_;
}

void Connection::handle(IncomingFrame frame) {
  try {
    handler_->handle(std::move(frame.message), Reply{shared_from_this(), frame.request});
  } catch (const std::exception& exception) {
    log::error("request of {}: {}", shown_, exception.what());
    drop(exception.what());
  }
}

void Connection::finish(bool goodbye) {
  try {
    handler_->closed(goodbye);
  } catch (const std::exception& exception) {
    log::error("end of the session of {}: {}", shown_, exception.what());
  }
  handler_.reset();
  --hub_->sessions_open;
}

// Replies.

Reply::Reply(std::shared_ptr<Connection> connection, std::uint64_t request) noexcept
    : connection_{std::move(connection)}, request_{request} {}

Reply::Reply(Reply&& other) noexcept = default;

Reply& Reply::operator=(Reply&& other) noexcept {
  if (this != &other) {
    Reply gone{std::move(*this)};
    connection_ = std::move(other.connection_);
    request_ = other.request_;
  }
  return *this;
}

Reply::~Reply() {
  if (connection_) connection_->drop("a request of it was left unanswered");
}

void Reply::send(Message message) {
  const auto connection = std::exchange(connection_, nullptr);
  if (connection) connection->send(FrameKind::reply, request_, std::move(message));
}

bool Reply::wanted() const noexcept { return connection_ && connection_->alive(); }

}  // namespace psnam::nam::control
