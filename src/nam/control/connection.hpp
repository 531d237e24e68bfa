// One connection of a server. Three kinds of threads meet here:
//
// - the thread of Server::run() reads, and alone opens, ends and closes the connection;
// - a worker runs one request after another, while there are any, and then closed();
// - whoever has a Reply sends: at once as far as the socket takes it, and the thread of run() does the rest.
//
// A thread other than that of run() that wants the connection to end shuts the socket down, which that thread then
// finds out. The descriptor is closed under the lock, so that nobody uses a number that means something else by now.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "nam/control/frame_socket.hpp"
#include "nam/control/handshake.hpp"
#include "nam/control/server.hpp"

namespace psnam::nam::control {

/// What the connections of a server have in common; it lives as long as any of them.
struct Hub {
  ServerOptions options;
  Fd epoll;
  Fd wake;  ///< an eventfd that ends a wait for events

  std::atomic<std::uint64_t> sessions_open{0}, accepted{0}, refused{0}, dropped{0}, requests{0}, bytes_received{0},
      bytes_sent{0};
  std::atomic<std::size_t> stalled{0};  ///< connections with output that the socket did not take

  std::mutex mutex;
  std::vector<std::function<void()>> mail;  ///< for the thread of run()

  void post(std::function<void()> letter);
  void wake_up() const noexcept;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `id` is what epoll tells of it.
  Connection(std::shared_ptr<Hub> hub, Fd fd, std::uint64_t id);

  // Any thread.

  void send(FrameKind kind, std::uint64_t request, Message message);
  /// Ends the connection because of what its client did, or did not.
  void drop(std::string_view reason);
  [[nodiscard]] bool alive() const noexcept { return alive_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t session() const noexcept { return session_; }

  // A thread for handshakes, one step at a time.

  void set_handshake(std::unique_ptr<ServerHandshake> handshake) noexcept { handshake_ = std::move(handshake); }
  [[nodiscard]] int handshake_fd() const noexcept { return fd_.get(); }
  void step_handshake();
  /// By the step that lets the client in.
  void set_session(std::uint64_t session, std::unique_ptr<SessionHandler> handler, const Peer& peer);

  // The thread of run().

  [[nodiscard]] Status join_epoll();
  /// Reads once. A failure, or an end without goodbye, is told by `Pulled::end` and drop().
  enum class Read { more, end, goodbye };
  [[nodiscard]] Read read(std::span<std::byte> scratch, std::vector<IncomingFrame>& frames);
  /// Sends what waits, as far as the socket takes it.
  void flush();
  /// Takes the next message of the handshake; false if one is being worked on, or the client is in already.
  [[nodiscard]] bool begin_step(std::vector<std::byte> body);
  /// The result of step_handshake(); true if the client is in.
  [[nodiscard]] bool end_step();
  [[nodiscard]] bool in_handshake() const noexcept { return handshake_ != nullptr; }
  [[nodiscard]] bool stepping() const noexcept { return stepping_; }
  /// Serves a quick request; else true if a worker is to be called for it.
  [[nodiscard]] bool take_request(IncomingFrame frame);
  /// Closes the connection; true if a worker is to be called for closed(). While a step of the handshake is under way
  /// the socket is shut down only, and end() has to be called once more after it.
  [[nodiscard]] bool end(bool goodbye);
  /// The time from which on its output waits.
  [[nodiscard]] std::optional<Deadline> stalled_since();

  // A worker. True if there is more to do.

  [[nodiscard]] bool work();

 private:
  void flush_locked();
  void drop_locked(std::string_view reason);
  void set_stalled_locked(bool stalled);
  void set_interest_locked();
  void handle(IncomingFrame frame);
  void finish(bool goodbye);

  const std::shared_ptr<Hub> hub_;
  const std::uint64_t id_;
  std::atomic<bool> alive_{true};

  // Threads of the handshake and the thread of run(), in turns.
  std::unique_ptr<ServerHandshake> handshake_;
  std::vector<std::byte> handshake_body_;
  ServerHandshake::Step step_;
  std::uint64_t session_ = 0;
  std::unique_ptr<SessionHandler> handler_;  // also the workers; destroyed by finish()
  bool local_ = false;
  std::string shown_ = "client";

  // The thread of run() alone.
  FrameReceiver receiver_;
  bool stepping_ = false;

  std::mutex mutex_;
  Fd fd_;
  std::deque<OutgoingFrame> out_;
  std::size_t unsent_bytes_ = 0;
  std::optional<Deadline> stalled_since_;
  std::uint32_t interest_ = 0;
  bool reading_ = true;
  bool close_when_sent_ = false;
  bool broken_ = false;   // the socket is shut down
  bool dropped_ = false;  // because of the client
  std::deque<IncomingFrame> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool working_ = false;  // a worker has it, or will
  bool ended_ = false;
  bool goodbye_ = false;
};

}  // namespace psnam::nam::control
