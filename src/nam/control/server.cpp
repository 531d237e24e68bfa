#include "nam/control/server.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <optional>
#include <unordered_map>

#include "base/log.hpp"
#include "nam/control/connection.hpp"
#include "nam/control/listener.hpp"
#include "nam/control/workers.hpp"

namespace psnam::nam::control {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint64_t kWakeId = 0;  // of the eventfd; then the listeners, then the connections
constexpr std::size_t kScratchBytes = std::size_t{256} << 10;
constexpr int kAcceptsAtOnce = 64;
// How long nobody is accepted when this process has no descriptor left.
constexpr milliseconds kShortagePause{100};
// How often the connections are looked through for one that reads nothing, while there is any with waiting output.
constexpr milliseconds kStalledPeriod{250};

}  // namespace

class Server::Impl {
 public:
  Impl(std::shared_ptr<Hub> hub, std::shared_ptr<const Door> door, Acceptor& acceptor)
      : hub_{std::move(hub)}, door_{std::move(door)}, acceptor_{acceptor} {}

  Status listen(const Address& address);
  Status run();
  void stop() noexcept {
    stopped_ = true;
    hub_->wake_up();
  }
  void disconnect(std::uint64_t session);

  std::shared_ptr<Hub> hub_;
  std::vector<Address> listening_;

 private:
  using Connections = std::unordered_map<std::uint64_t, std::shared_ptr<Connection>>;

  Status serve();
  void on_event(std::uint64_t id, std::uint32_t events);
  void read_mail();
  void close_all();

  void accept_from(int listener);
  [[nodiscard]] bool accept_one(int listener);
  void set_accepting(bool accepting);
  void reconsider_accepting();
  void give_handshake(const std::shared_ptr<Connection>& connection);
  Result<WelcomeFacts> admit(Connection& connection, const Peer& peer);

  void on_frames(const std::shared_ptr<Connection>& connection);
  void on_frame(const std::shared_ptr<Connection>& connection, IncomingFrame frame);
  void step(const std::shared_ptr<Connection>& connection);
  void stepped(const std::shared_ptr<Connection>& connection);
  void call_worker(const std::shared_ptr<Connection>& connection);
  void work_on(const std::shared_ptr<Connection>& connection);
  void end(const std::shared_ptr<Connection>& connection, bool goodbye);

  [[nodiscard]] int sleep_ms();
  void look_at_deadlines();
  void look_for_stalled(Deadline now);

  const std::shared_ptr<const Door> door_;
  Acceptor& acceptor_;
  std::atomic<bool> stopped_{false};
  std::vector<Listener> listeners_;
  bool accepting_ = true;
  std::optional<Deadline> shortage_until_;
  std::uint64_t next_id_ = 0;
  Connections connections_;
  std::unordered_map<std::uint64_t, std::uint64_t> sessions_;  // session -> connection
  std::deque<std::pair<Deadline, std::uint64_t>> handshake_deadlines_;
  std::size_t handshakes_ = 0;
  Deadline stalled_look_{};
  std::vector<std::byte> scratch_ = std::vector<std::byte>(kScratchBytes);
  std::vector<IncomingFrame> frames_;
  std::optional<Workers> handshake_workers_;
  std::optional<Workers> workers_;
};

// Listening.

Status Server::Impl::listen(const Address& address) {
  PSNAM_TRY(std::vector<Listener> opened, Listener::open(address, hub_->options.socket_mode));
  for (Listener& listener : opened) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeId + 1 + listeners_.size();
    if (::epoll_ctl(hub_->epoll.get(), EPOLL_CTL_ADD, listener.fd(), &event) != 0) return system_error("epoll", errno);
    listening_.push_back(listener.address());
    if (listener.address().local() && hub_->options.facts.unix_socket.empty())
      hub_->options.facts.unix_socket = listener.address().path;
    listeners_.push_back(std::move(listener));
  }
  return {};
}

void Server::Impl::set_accepting(bool accepting) {
  if (accepting == accepting_) return;
  accepting_ = accepting;
  for (std::size_t at = 0; at < listeners_.size(); ++at) {
    epoll_event event{};
    event.events = accepting ? std::uint32_t{EPOLLIN} : 0U;
    event.data.u64 = kWakeId + 1 + at;
    ::epoll_ctl(hub_->epoll.get(), EPOLL_CTL_MOD, listeners_[at].fd(), &event);
  }
}

void Server::Impl::reconsider_accepting() {
  set_accepting(!shortage_until_ && handshakes_ < hub_->options.max_handshakes);
}

void Server::Impl::accept_from(int listener) {
  for (int count = 0; count < kAcceptsAtOnce && accepting_; ++count)
    if (!accept_one(listener)) return;
}

bool Server::Impl::accept_one(int listener) {
  Fd fd{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!fd.valid()) {
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      // Who knocks waits in the kernel meanwhile, and this thread does not turn in circles.
      log::warn("no connection can be accepted: {}", system_error("accept", errno).message);
      shortage_until_ = Clock::now() + kShortagePause;
      reconsider_accepting();
    }
    return false;
  }
  const auto own = SocketAddress::own_of(fd.get());
  if (own && own->family() != AF_UNIX)
    if (auto set = set_tcp_options(fd.get(), hub_->options.silence_timeout); !set) return true;  // gone again
  const auto connection = std::make_shared<Connection>(hub_, std::move(fd), ++next_id_);
  give_handshake(connection);
  if (auto joined = connection->join_epoll(); !joined) {
    log::warn("a connection is not served: {}", joined.error().message);
    return true;
  }
  connections_.emplace(connection->id(), connection);
  handshake_deadlines_.emplace_back(Clock::now() + hub_->options.handshake_timeout, connection->id());
  ++handshakes_;
  reconsider_accepting();
  return true;
}

// The handshake.

void Server::Impl::give_handshake(const std::shared_ptr<Connection>& connection) {
  // The connection owns the handshake, and with it this function.
  auto admit_it = [this, raw = connection.get()](const Peer& peer) { return admit(*raw, peer); };
  connection->set_handshake(std::make_unique<ServerHandshake>(door_, connection->handshake_fd(), std::move(admit_it)));
}

Result<WelcomeFacts> Server::Impl::admit(Connection& connection, const Peer& peer) {
  if (hub_->sessions_open.fetch_add(1) >= hub_->options.max_sessions) {
    --hub_->sessions_open;
    return Error{Code::no_memory, fmt::format("the server has its {} sessions already", hub_->options.max_sessions)};
  }
  const std::uint64_t session = format::random_challenge();
  auto handler = [&]() -> Result<std::unique_ptr<SessionHandler>> {
    try {
      return acceptor_.opened(peer, session);
    } catch (const std::exception& exception) {
      log::error("opening the session of {}: {}", peer.shown, exception.what());
      return Error{Code::system, "the server failed to open the session"};
    }
  }();
  if (!handler) {
    --hub_->sessions_open;
    return handler.take_error();
  }
  connection.set_session(session, std::move(*handler), peer);
  return WelcomeFacts{.version = 0, .session = session, .server = hub_->options.facts};
}

void Server::Impl::step(const std::shared_ptr<Connection>& connection) {
  handshake_workers_->push([this, connection] {
    connection->step_handshake();
    hub_->post([this, connection] { stepped(connection); });
  });
}

void Server::Impl::stepped(const std::shared_ptr<Connection>& connection) {
  const bool waits = connections_.contains(connection->id());
  if (connection->end_step()) sessions_.emplace(connection->session(), connection->id());
  if (!connection->in_handshake() && waits) {
    --handshakes_;
    reconsider_accepting();
  }
  // It ended while the step was under way.
  if (!waits) end(connection, false);
}

// Connections.

void Server::Impl::on_event(std::uint64_t id, std::uint32_t events) {
  if (id == kWakeId) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(hub_->wake.get(), &count, sizeof count);
    return;
  }
  if (id <= listeners_.size()) return accept_from(listeners_[static_cast<std::size_t>(id - 1)].fd());
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const auto connection = found->second;
  if ((events & EPOLLOUT) != 0) connection->flush();
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) on_frames(connection);
}

void Server::Impl::on_frames(const std::shared_ptr<Connection>& connection) {
  frames_.clear();
  const Connection::Read read = connection->read(scratch_, frames_);
  for (IncomingFrame& frame : frames_) on_frame(connection, std::move(frame));
  frames_.clear();
  if (read != Connection::Read::more) end(connection, read == Connection::Read::goodbye);
}

void Server::Impl::on_frame(const std::shared_ptr<Connection>& connection, IncomingFrame frame) {
  if (!connection->alive()) return;
  if (frame.kind == FrameKind::event) return;
  if (connection->in_handshake()) {
    if (frame.kind == FrameKind::handshake && connection->begin_step(std::move(frame.message.body)))
      return step(connection);
    return connection->drop("it does not wait for its turn in the handshake");
  }
  if (frame.kind != FrameKind::request) return connection->drop("it sent a frame that a client does not send");
  if (connection->take_request(std::move(frame))) call_worker(connection);
}

void Server::Impl::call_worker(const std::shared_ptr<Connection>& connection) {
  workers_->push([this, connection] { work_on(connection); });
}

void Server::Impl::work_on(const std::shared_ptr<Connection>& connection) {
  // One request each time: a client with many waits its turn among the others.
  if (connection->work()) call_worker(connection);
}

void Server::Impl::end(const std::shared_ptr<Connection>& connection, bool goodbye) {
  if (connections_.erase(connection->id()) != 0 && connection->in_handshake()) {
    --handshakes_;
    if (!connection->stepping()) ++hub_->refused;
  }
  sessions_.erase(connection->session());
  if (connection->end(goodbye)) call_worker(connection);
  reconsider_accepting();
}

void Server::Impl::disconnect(std::uint64_t session) {
  hub_->post([this, session] {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    const auto connection = connections_.find(found->second);
    if (connection != connections_.end()) end(std::shared_ptr{connection->second}, false);
  });
}

// The loop.

int Server::Impl::sleep_ms() {
  std::optional<Deadline> next = shortage_until_;
  const auto consider = [&next](Deadline when) {
    if (!next || when < *next) next = when;
  };
  if (!handshake_deadlines_.empty()) consider(handshake_deadlines_.front().first);
  if (hub_->stalled != 0) consider(stalled_look_ + kStalledPeriod);
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
}

void Server::Impl::look_at_deadlines() {
  const Deadline now = Clock::now();
  while (!handshake_deadlines_.empty()) {
    const auto [deadline, id] = handshake_deadlines_.front();
    const auto found = connections_.find(id);
    const bool pending = found != connections_.end() && found->second->in_handshake();
    if (pending && deadline > now) break;
    handshake_deadlines_.pop_front();
    if (!pending) continue;
    const auto connection = found->second;
    connection->drop("the handshake takes too long");
    end(connection, false);
  }
  if (shortage_until_ && *shortage_until_ <= now) {
    shortage_until_.reset();
    reconsider_accepting();
  }
  if (hub_->stalled != 0 && stalled_look_ + kStalledPeriod <= now) look_for_stalled(now);
}

void Server::Impl::look_for_stalled(Deadline now) {
  stalled_look_ = now;
  std::vector<std::shared_ptr<Connection>> late;
  for (const auto& [id, connection] : connections_)
    if (const auto since = connection->stalled_since(); since && *since + hub_->options.write_timeout <= now)
      late.push_back(connection);
  for (const auto& connection : late) {
    connection->drop("it does not read its replies");
    end(connection, false);
  }
}

void Server::Impl::read_mail() {
  std::vector<std::function<void()>> letters;
  {
    const std::lock_guard lock{hub_->mutex};
    letters.swap(hub_->mail);
  }
  for (const auto& letter : letters) letter();
}

Status Server::Impl::serve() {
  std::array<epoll_event, 256> events{};
  while (!stopped_) {
    const int count = ::epoll_wait(hub_->epoll.get(), events.data(), static_cast<int>(events.size()), sleep_ms());
    if (count < 0 && errno != EINTR) return system_error("waiting for events", errno);
    for (int at = 0; at < count; ++at)
      on_event(events[static_cast<std::size_t>(at)].data.u64, events[static_cast<std::size_t>(at)].events);
    read_mail();
    look_at_deadlines();
  }
  return {};
}

void Server::Impl::close_all() {
  listeners_.clear();
  const Connections all = connections_;
  for (const auto& [id, connection] : all) end(connection, false);
  // Steps that were under way end in a letter each.
  handshake_workers_->stop();
  read_mail();
  workers_->stop();
}

Status Server::Impl::run() {
  next_id_ = kWakeId + listeners_.size();
  handshake_workers_.emplace(hub_->options.handshake_workers);
  workers_.emplace(hub_->options.workers);
  Status served = serve();
  close_all();
  return served;
}

// What others see.

Result<std::unique_ptr<Server>> Server::create(ServerOptions options, Acceptor& acceptor) {
  PSNAM_TRY(Door door, Door::of(options.auth));
  auto hub = std::make_shared<Hub>();
  hub->options = std::move(options);
  hub->epoll = Fd{::epoll_create1(EPOLL_CLOEXEC)};
  hub->wake = Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeId;
  if (!hub->epoll.valid() || !hub->wake.valid() ||
      ::epoll_ctl(hub->epoll.get(), EPOLL_CTL_ADD, hub->wake.get(), &event) != 0)
    return system_error("what a server waits with", errno);
  auto shared_door = std::make_shared<const Door>(std::move(door));
  return std::unique_ptr<Server>{new Server{std::make_unique<Impl>(std::move(hub), std::move(shared_door), acceptor)}};
}

Server::Server(std::unique_ptr<Impl> impl) noexcept : impl_{std::move(impl)} {}
Server::~Server() = default;

Status Server::listen(const Address& address) { return impl_->listen(address); }
const std::vector<Address>& Server::listening() const noexcept { return impl_->listening_; }
Status Server::run() { return impl_->run(); }
void Server::stop() noexcept { impl_->stop(); }
void Server::disconnect(std::uint64_t session) { impl_->disconnect(session); }

ServerCounters Server::counters() const noexcept {
  const Hub& hub = *impl_->hub_;
  return {.sessions_open = hub.sessions_open,
          .accepted = hub.accepted,
          .refused = hub.refused,
          .dropped = hub.dropped,
          .requests = hub.requests,
          .bytes_received = hub.bytes_received,
          .bytes_sent = hub.bytes_sent};
}

}  // namespace psnam::nam::control
