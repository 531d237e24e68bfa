// The client's end of a control connection: requests go out, replies come back, matched by a number. No thread of its
// own: one of the threads that wait reads for all of them.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "nam/control/address.hpp"
#include "nam/control/auth.hpp"
#include "nam/control/facts.hpp"
#include "nam/control/message.hpp"

namespace psnam::nam::control {

class Channel {
 public:
  /// Connects, and goes through the handshake; all of it within `timeout`, which is also how long a peer host may be
  /// silent later on. Code::unreachable: nobody answers there; Code::access: not let in; Code::incompatible: no common
  /// version, both named; Code::no_memory: the server is full.
  [[nodiscard]] static Result<std::unique_ptr<Channel>> connect(const Address& address, const Credentials& credentials,
                                                                const ClientFacts& facts,
                                                                std::chrono::milliseconds timeout);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] const ServerFacts& server() const noexcept;
  /// The number of this session, never 0; no other session of any server has it.
  [[nodiscard]] std::uint64_t session() const noexcept;
  /// Over a Unix socket: descriptors can be sent.
  [[nodiscard]] bool local() const noexcept;
  /// Of this end, numeric; empty if local().
  [[nodiscard]] std::string local_ip() const;
  /// Of the server, numeric; empty if local().
  [[nodiscard]] std::string server_ip() const;
  /// As it was asked for.
  [[nodiscard]] const Address& address() const noexcept;

  /// Sends `request` and waits for its reply. Thread-safe; any number of calls may be under way, and the server may
  /// answer them in any order. Code::unreachable, with address and cause, when the server is gone or there is no reply
  /// in time: the connection is closed then, for all. Code::unsupported in a child of the process that connected.
  [[nodiscard]] Result<Message> call(Message request, std::chrono::milliseconds timeout);

  /// False once a call failed with Code::unreachable, or the server has closed the connection.
  [[nodiscard]] bool alive() const;

  /// Tells the server that the end is meant, and closes the connection. Without it the server counts the client as
  /// dead. In a child of the process that connected it does nothing.
  void goodbye();

 private:
  class Impl;
  explicit Channel(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace psnam::nam::control
