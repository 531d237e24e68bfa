// The server's end of control connections: one thread (that of run()) does all input and output, workers run what the
// requests ask for. A client that misbehaves loses its connection; nobody else notices.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "nam/control/address.hpp"
#include "nam/control/auth.hpp"
#include "nam/control/facts.hpp"
#include "nam/control/message.hpp"

namespace psnam::nam::control {

class Connection;

/// The place for the answer to one request. It may be kept and filled later, by any thread, also after the session or
/// the server has ended: the answer is dropped then. One that is destroyed unanswered ends the connection, so that its
/// client does not wait for ever.
class Reply {
 public:
  Reply(std::shared_ptr<Connection> connection, std::uint64_t request) noexcept;
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&& other) noexcept;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply();

  /// Never blocks. A message beyond the limits of message.hpp, or with descriptors for a peer that is not local, ends
  /// the connection. Only the first call counts.
  void send(Message message);
  /// False when the client is gone: nobody waits for the answer any more.
  [[nodiscard]] bool wanted() const noexcept;

 private:
  std::shared_ptr<Connection> connection_;  // null: answered
  std::uint64_t request_;
};

/// What a dispatcher does for one session.
class SessionHandler {
 public:
  virtual ~SessionHandler() = default;

  /// Whether the request is served at once, by the thread that does all input and output, ahead of those that wait, and
  /// also while another thread is in handle(): for what never waits. Called on that thread.
  [[nodiscard]] virtual bool is_quick(std::span<const std::byte> body) = 0;

  /// Serves a request. Those that are not quick come one at a time, in the order in which they were sent, on a worker.
  /// An exception ends the connection.
  virtual void handle(Message request, Reply reply) = 0;

  /// The connection has ended; with `goodbye` because the client wanted it. Comes once, as the last call, on a worker,
  /// when no handle() is under way. Then the handler is destroyed.
  virtual void closed(bool goodbye) = 0;
};

/// Decides who becomes a session.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  /// `session` is never 0 and never given twice. A failure refuses the client, which gets its code and message
  /// (Code::access, Code::no_memory, Code::incompatible; any other arrives as Code::unreachable). Called on a thread
  /// for handshakes, of which there are several.
  virtual Result<std::unique_ptr<SessionHandler>> opened(const Peer& peer, std::uint64_t session) = 0;
};

struct ServerOptions {
  AuthPolicy auth = {};
  ServerFacts facts = {};                 ///< unix_socket, when empty, is filled in by listen()
  unsigned workers = 4;                   ///< threads for requests
  unsigned handshake_workers = 2;         ///< threads for handshakes
  std::size_t max_sessions = 16384;       ///< open at the same time; one more is refused
  std::size_t max_handshakes = 1024;      ///< connections whose handshake is under way; further ones wait in the kernel
  std::size_t max_waiting_requests = 64;  ///< of one session; it is not read from while it has more
  std::size_t max_unsent_bytes = std::size_t{64} << 20;  ///< replies of one session that it has not read
  std::size_t max_client_descriptors = 0;                ///< beside one request
  std::uint32_t socket_mode = 0666;                      ///< of Unix sockets
  std::chrono::milliseconds handshake_timeout{10'000};   ///< for the whole of it
  std::chrono::milliseconds write_timeout{30'000};       ///< for a client that reads nothing while replies wait
  std::chrono::milliseconds silence_timeout{10'000};     ///< for the host of a TCP client that does not answer at all
};

/// Since the server was made. Consistent each for itself.
struct ServerCounters {
  std::uint64_t sessions_open = 0;
  std::uint64_t accepted = 0;  ///< sessions
  std::uint64_t refused = 0;   ///< connections that did not become a session
  std::uint64_t dropped = 0;   ///< sessions that the server ended because of what the client did
  std::uint64_t requests = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
};

class Server {
 public:
  /// `acceptor` outlives the server. Code::access, Code::invalid_argument: a secret file that is not to be used.
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(ServerOptions options, Acceptor& acceptor);
  /// run() has returned or was never called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens at all that `address` stands for; before run(). Port 0 takes a free one. A Unix socket that a dead server
  /// left is replaced; Code::busy when somebody listens there.
  [[nodiscard]] Status listen(const Address& address);
  /// Where it listens, with the ports that were taken.
  [[nodiscard]] const std::vector<Address>& listening() const noexcept;

  /// Serves until stop(). Then all connections are closed, each handler got its closed(), and all threads have ended.
  [[nodiscard]] Status run();
  /// Ends run(), also one that begins later. May be called by any thread and by a signal handler.
  void stop() noexcept;

  /// Ends the connection of a session, if there is one; closed() follows. Any thread.
  void disconnect(std::uint64_t session);
  [[nodiscard]] ServerCounters counters() const noexcept;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace psnam::nam::control
