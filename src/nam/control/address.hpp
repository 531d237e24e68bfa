// Where a server is: the path of a Unix socket, or a host and a port.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace psnam::nam::control {

inline constexpr std::uint16_t kDefaultPort = 7760;

/// An address as the kernel takes it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
  /// Of a TCP address; a v4 address in v6 clothes is shown, and judged, as what it is. Empty for a Unix socket.
  [[nodiscard]] std::string ip() const;
  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] bool loopback() const noexcept;
  /// "ip:port" or "[v6]:port"; "unix socket" for one.
  [[nodiscard]] std::string text() const;

  /// The two ends of a connected socket.
  [[nodiscard]] static Result<SocketAddress> own_of(int fd);
  [[nodiscard]] static Result<SocketAddress> peer_of(int fd);
};

struct Address {
  std::string path;  ///< of a Unix socket; empty for TCP
  std::string host;  ///< name or number, without brackets
  std::uint16_t port = kDefaultPort;

  /// "/a/path" (anything with a slash), "host", "host:port", "1.2.3.4:port", "[v6]", "[v6]:port", a v6 number alone.
  /// Code::invalid_argument names the text and what is wrong with it.
  [[nodiscard]] static Result<Address> parse(std::string_view text);

  [[nodiscard]] bool local() const noexcept { return !path.empty(); }
  /// What parse() takes.
  [[nodiscard]] std::string text() const;
  /// All addresses it stands for, never none; may ask a name server. Code::unreachable names host and cause.
  [[nodiscard]] Result<std::vector<SocketAddress>> resolve() const;

  bool operator==(const Address&) const = default;
};

}  // namespace psnam::nam::control
