// What the fuzz target of the session plays in: a server's store in a folder of its own, and clients of several users,
// each with a session at the end of a socket, and without the threads of a server, so that an input always takes the
// same way.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "nam/control/connection.hpp"
#include "nam/session.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::fuzz {

inline void require(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}
template <class T>
T expect(Result<T> result) {
  require(result.ok(), result.ok() ? std::string{} : result.error().message);
  return std::move(*result);
}
inline void expect(const Status& status) { require(status.ok(), status.ok() ? std::string{} : status.error().message); }

inline constexpr std::uint64_t kCapacity = std::uint64_t{4} << 20;

/// The store, as a server has it.
class Place {
 public:
  Place() {
    log::set_level(log::Level::error);
    hub_->epoll = Fd{::epoll_create1(EPOLL_CLOEXEC)};
    hub_->wake = Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    nam::StoreOptions options{.folder = folder_.path() / "store", .capacity_bytes = kCapacity};
    options.serving = nam::Serving{.instance = format::random_uuid(),
                                   .lives = [this](std::uint64_t session) { return parts_.sessions.lives(session); }};
    parts_.store = expect(nam::Store::open(options));
    parts_.counters = [] { return nam::control::ServerCounters{}; };
    expect(parts_.store->serve_as({.index = 0, .manager = parts_.store->node().store, .manager_address = {}}));
  }
  [[nodiscard]] nam::HostParts& parts() noexcept { return parts_; }
  [[nodiscard]] const std::shared_ptr<nam::control::Hub>& hub() const noexcept { return hub_; }

  /// No session is there any more: what is left is what was made to stay. It can all be removed, and then there is
  /// nothing, in the catalog and in the folder.
  void sweep() {
    nam::Store& store = *parts_.store;
    (void)expect(store.collect());
    for (const auto& report : expect(store.list())) {
      require(report.uses.empty(), "a use has outlived all sessions");
      require(store.remove(report.window.name).ok() || !report.window.name.empty(), "a window cannot be removed");
    }
    for (int pass = 0; pass < 2; ++pass)  // who has children may go only with the last of them
      for (const auto& report : expect(store.allocations())) (void)store.free_allocation(report.allocation.id, true);
    for (const auto& report : expect(store.list())) (void)store.remove(report.window.name);
    for (const auto& nam : expect(store.joined())) expect(store.forget_joined(nam.index));
    expect(store.set_capacity(kCapacity));
    for (const auto& finding : expect(store.check())) require(false, "the store disagrees with itself: " + finding);
    const auto left = expect(store.summary());
    require(left.windows == 0 && left.allocations == 0 && left.uses == 0 && left.reserved_bytes == 0,
            "something is left that nobody can remove: " + std::to_string(left.windows) + " windows, " +
                std::to_string(left.allocations) + " allocations, " + std::to_string(left.uses) + " uses");
  }

 private:
  test::TemporaryFolder folder_;
  std::shared_ptr<nam::control::Hub> hub_ = std::make_shared<nam::control::Hub>();
  nam::HostParts parts_{backends::FabricOptions{}, "/nowhere/no-fabric.so"};
};

/// A user with a session; a new one begins when it has ended.
class Client {
 public:
  Client(Place& place, std::uint32_t uid, bool local) : place_{place}, uid_{uid}, local_{local} { begin(); }
  ~Client() { end(true); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] std::uint32_t uid() const noexcept { return uid_; }
  [[nodiscard]] std::uint64_t session() const noexcept { return number_; }

  void begin() {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0, "socketpair");
    own_ = Fd{ends[0]};
    number_ = format::random_challenge();
    nam::control::Peer peer{.uid = uid_, .gid = uid_, .gids = {uid_}, .pid = 4711, .local = local_, .shown = "fuzz"};
    peer.ip = peer.own_ip = local_ ? "" : "127.0.0.1";
    connection_ = std::make_shared<nam::control::Connection>(place_.hub(), Fd{ends[1]}, number_);
    connection_->set_session(number_, nullptr, peer);
    handler_ = std::make_unique<nam::Session>(place_.parts(), peer, number_);
  }
  void end(bool goodbye) {
    handler_->closed(goodbye);
    handler_.reset();
    (void)connection_->end(goodbye);
    connection_.reset();
  }

  /// The body of the answer; nothing if the session lost its connection for it. There is always one or the other, soon.
  std::optional<std::vector<std::byte>> ask(std::vector<std::byte> body) {
    handler_->handle({std::move(body)}, nam::control::Reply{connection_, 1});
    nam::control::FrameReceiver receiver{
        {.body_bytes = nam::control::kMaxBodyBytes, .descriptors = nam::control::kMaxDescriptors}};
    std::array<std::byte, 1 << 16> scratch;
    std::vector<nam::control::IncomingFrame> frames;
    for (;;) {
      const auto pulled = expect(receiver.receive(own_.get(), scratch, frames));
      if (!frames.empty()) return std::move(frames.front().message.body);
      if (pulled == nam::control::Pulled::end) return std::nullopt;
      connection_->flush();
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
      if (pulled == nam::control::Pulled::nothing)
        require(expect(nam::control::wait_for(own_.get(), POLLIN, deadline)), "a request stays without an answer");
    }
  }

 private:
  Place& place_;
  const std::uint32_t uid_;
  const bool local_;
  std::uint64_t number_ = 0;
  Fd own_;
  std::shared_ptr<nam::control::Connection> connection_;
  std::unique_ptr<nam::Session> handler_;
};

}  // namespace psnam::fuzz
