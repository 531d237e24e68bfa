#include "nam/control/channel.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "nam/control/connect.hpp"
#include "nam/control/handshake.hpp"

namespace psnam::nam::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kScratchBytes = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kGoodbyeTimeout{1000};

}  // namespace

// Each call puts itself into `waiting_`. The first that finds nobody reading reads, delivers what comes to whom it is
// for, and hands the reading on when its own reply is there. A failure is the same for all and stays; the descriptor is
// closed by the destructor only, so that nobody uses a number that means something else by now.
class Channel::Impl {
 public:
  Impl(Address address, Fd fd, FrameReceiver receiver, WelcomeFacts welcome)
      : address_{std::move(address)},
        fd_{std::move(fd)},
        receiver_{std::move(receiver)},
        welcome_{std::move(welcome)} {}

  Result<Message> call(Message request, std::chrono::milliseconds timeout);
  bool alive();
  void goodbye();

  const Address address_;

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Waiter {
    std::condition_variable changed;
    std::optional<Message> reply;
    bool sent = false;
  };

  [[nodiscard]] bool forked() const noexcept { return ::getpid() != owner_; }
  Status send(OutgoingFrame& frame, Deadline deadline, Lock& lock);
  Status send_all(OutgoingFrame& frame, Deadline deadline);
  Status wait_for_reply(Waiter& waiter, std::chrono::milliseconds timeout, Deadline deadline, Lock& lock);
  Status read_once(Deadline deadline, Lock& lock);
  Status deliver(IncomingFrame frame);
  void fail(std::string_view cause);

  const pid_t owner_ = ::getpid();

  std::mutex mutex_;
  const Fd fd_;
  std::condition_variable sendable_;
  bool sending_ = false;
  bool reading_ = false;
  std::map<std::uint64_t, Waiter*> waiting_;
  std::uint64_t last_request_ = 0;
  std::optional<std::string> failure_;

  // Of the thread that reads.
  FrameReceiver receiver_;
  std::vector<std::byte> scratch_ = std::vector<std::byte>(kScratchBytes);
  std::vector<IncomingFrame> frames_;

 public:
  const WelcomeFacts welcome_;
  bool local_ = false;
  std::string local_ip_;
  std::string server_ip_;
};

void Channel::Impl::fail(std::string_view cause) {
  if (failure_) return;
  failure_ = fmt::format("NAM server at {}: {}", address_.text(), cause);
  ::shutdown(fd_.get(), SHUT_RDWR);
  for (const auto& [request, waiter] : waiting_) waiter->changed.notify_one();
  sendable_.notify_all();
}

Result<Message> Channel::Impl::call(Message request, std::chrono::milliseconds timeout) {
  if (forked())
    return Error{Code::unsupported, fmt::format("the connection to the NAM server at {} belongs to process {}; a child "
                                                "of it cannot use it",
                                                address_.text(), owner_)};
  if (!request.descriptors.empty() && !local_)
    return Error{Code::unsupported, fmt::format("descriptors cannot be sent to the NAM server at {}", address_.text())};
  const Deadline deadline = Clock::now() + timeout;
  Lock lock{mutex_};
  const std::uint64_t number = ++last_request_;
  PSNAM_TRY(OutgoingFrame frame, OutgoingFrame::of(FrameKind::request, number, std::move(request)));
  Waiter waiter;
  waiting_.emplace(number, &waiter);
  Status done = send(frame, deadline, lock);
  waiter.sent = true;
  if (done) done = wait_for_reply(waiter, timeout, deadline, lock);
  waiting_.erase(number);
  // Somebody else has to read on.
  if (!reading_)
    for (const auto& [other, next] : waiting_) {
      if (!next->sent) continue;
      next->changed.notify_one();
      break;
    }
  if (!done) return done.take_error();
  return std::move(*waiter.reply);
}

Status Channel::Impl::send(OutgoingFrame& frame, Deadline deadline, Lock& lock) {
  if (!sendable_.wait_until(lock, deadline, [this] { return failure_ || !sending_; }))
    fail("requests of other threads keep the connection busy");
  if (failure_) return Error{Code::unreachable, *failure_};
  sending_ = true;
  lock.unlock();
  Status sent = send_all(frame, deadline);
  lock.lock();
  sending_ = false;
  sendable_.notify_one();
  if (!sent) fail(sent.error().message);
  return failure_ ? Status{Error{Code::unreachable, *failure_}} : Status{};
}

Status Channel::Impl::send_all(OutgoingFrame& frame, Deadline deadline) {
  for (;;) {
    PSNAM_TRY(const bool sent, frame.send(fd_.get()));
    if (sent) return {};
    PSNAM_TRY(const bool writable, wait_for(fd_.get(), POLLOUT, deadline));
    if (!writable) return Error{Code::unreachable, "it does not take a request in time"};
  }
}

Status Channel::Impl::wait_for_reply(Waiter& waiter, std::chrono::milliseconds timeout, Deadline deadline, Lock& lock) {
  while (!waiter.reply) {
    if (failure_) return Error{Code::unreachable, *failure_};
    if (Clock::now() >= deadline) {
      fail(fmt::format("no reply within {} ms", timeout.count()));
      continue;
    }
    if (reading_)
      waiter.changed.wait_until(lock, deadline, [&] { return waiter.reply || failure_ || !reading_; });
    else if (Status read = read_once(deadline, lock); !read)
      fail(read.error().message);
  }
  return {};
}

Status Channel::Impl::read_once(Deadline deadline, Lock& lock) {
  reading_ = true;
  lock.unlock();
  const auto pulled = [&]() -> Result<Pulled> {
    PSNAM_TRY(const bool readable, wait_for(fd_.get(), POLLIN, deadline));
    return readable ? receiver_.receive(fd_.get(), scratch_, frames_) : Result<Pulled>{Pulled::nothing};
  }();
  lock.lock();
  reading_ = false;
  std::vector<IncomingFrame> frames = std::exchange(frames_, {});
  for (IncomingFrame& frame : frames) PSNAM_CHECK(deliver(std::move(frame)));
  if (!pulled) return Error{pulled.error()};
  if (*pulled == Pulled::end) return Error{Code::unreachable, "it has closed the connection"};
  return {};
}

Status Channel::Impl::deliver(IncomingFrame frame) {
  if (frame.kind == FrameKind::event) return {};
  const auto found = waiting_.find(frame.request);
  if (frame.kind != FrameKind::reply || found == waiting_.end() || found->second->reply)
    return Error{Code::corrupt, fmt::format("it sent a reply to request {}, for which nobody waits", frame.request)};
  found->second->reply = std::move(frame.message);
  found->second->changed.notify_one();
  return {};
}

bool Channel::Impl::alive() {
  if (forked()) return false;
  const std::lock_guard lock{mutex_};
  if (failure_) return false;
  pollfd state{.fd = fd_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) == 0;
}

void Channel::Impl::goodbye() {
  if (forked()) return;
  Lock lock{mutex_};
  if (failure_) return;
  auto frame = OutgoingFrame::of(FrameKind::goodbye, 0, {});
  if (frame) [[maybe_unused]]
    const Status sent = send(*frame, Clock::now() + kGoodbyeTimeout, lock);
  fail("this process said goodbye to it");
}

Result<std::unique_ptr<Channel>> Channel::connect(const Address& address, const Credentials& credentials,
                                                  const ClientFacts& facts, std::chrono::milliseconds timeout) {
  const auto named = [&address](Error error) {
    // What is wrong in the handshake makes the server no server for us.
    if (error.code == Code::corrupt || error.code == Code::peer_lost) error.code = Code::unreachable;
    error.message = fmt::format("NAM server at {}: {}", address.text(), error.message);
    return error;
  };
  const Deadline deadline = Clock::now() + timeout;
  auto fd = connect_socket(address, deadline, timeout);
  if (!fd) return named(fd.take_error());
  FrameReceiver receiver{{.body_bytes = kMaxHandshakeBytes, .descriptors = 0}};
  auto welcome = client_handshake(fd->get(), receiver, credentials, facts, deadline);
  if (!welcome) return named(welcome.take_error());
  receiver.set_limits({.body_bytes = kMaxBodyBytes, .descriptors = address.local() ? kMaxDescriptors : 0});
  const auto own = SocketAddress::own_of(fd->get());
  const auto server = SocketAddress::peer_of(fd->get());
  auto impl = std::make_unique<Impl>(address, std::move(*fd), std::move(receiver), std::move(*welcome));
  impl->local_ = address.local();
  if (own) impl->local_ip_ = own->ip();
  if (server) impl->server_ip_ = server->ip();
  return std::unique_ptr<Channel>{new Channel{std::move(impl)}};
}

Channel::Channel(std::unique_ptr<Impl> impl) noexcept : impl_{std::move(impl)} {}
Channel::~Channel() = default;

const ServerFacts& Channel::server() const noexcept { return impl_->welcome_.server; }
std::uint64_t Channel::session() const noexcept { return impl_->welcome_.session; }
bool Channel::local() const noexcept { return impl_->local_; }
std::string Channel::local_ip() const { return impl_->local_ip_; }
std::string Channel::server_ip() const { return impl_->server_ip_; }
const Address& Channel::address() const noexcept { return impl_->address_; }
Result<Message> Channel::call(Message request, std::chrono::milliseconds timeout) {
  return impl_->call(std::move(request), timeout);
}
bool Channel::alive() const { return impl_->alive(); }
void Channel::goodbye() { impl_->goodbye(); }

}  // namespace psnam::nam::control
