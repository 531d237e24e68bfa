#include "nam/control/listener.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace psnam::nam::control {
namespace {

Result<Fd> new_socket(int family) {
  Fd fd{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd.valid()) return system_error("a socket to listen at", errno);
  return fd;
}

/// Nobody has the other end of the socket file: its server has ended without taking it away.
bool left_behind(const SocketAddress& address) {
  const Fd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  return probe.valid() && ::connect(probe.get(), address.get(), address.bytes) != 0 && errno == ECONNREFUSED;
}

Status bind_unix(int fd, const Address& address) {
  PSNAM_TRY(const std::vector<SocketAddress> addresses, address.resolve());
  const SocketAddress& where = addresses.front();
  if (::bind(fd, where.get(), where.bytes) == 0) return {};
  if (errno != EADDRINUSE) return system_error(fmt::format("listening at {}", address.path), errno);
  struct stat status {};
  if (::stat(address.path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode) || !left_behind(where))
    return Error{Code::busy, fmt::format("listening at {}: a server is there already, or another file", address.path)};
  ::unlink(address.path.c_str());
  if (::bind(fd, where.get(), where.bytes) == 0) return {};
  return system_error(fmt::format("listening at {}", address.path), errno);
}

Status start(int fd, std::string_view where) {
  if (::listen(fd, SOMAXCONN) == 0) return {};
  if (errno == EADDRINUSE) return Error{Code::busy, fmt::format("listening at {}: a server is there already", where)};
  return system_error(fmt::format("listening at {}", where), errno);
}

}  // namespace

Listener::~Listener() {
  if (!fd_.valid() || !address_.local()) return;
  struct stat status {};
  if (::stat(address_.path.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
    ::unlink(address_.path.c_str());
}

Result<std::vector<Listener>> Listener::open(const Address& address, std::uint32_t socket_mode) {
  std::vector<Listener> listeners;
  if (address.local()) {
    PSNAM_TRY(Listener listener, open_unix(address, socket_mode));
    listeners.push_back(std::move(listener));
    return listeners;
  }
  PSNAM_TRY(const std::vector<SocketAddress> addresses, address.resolve());
  for (const SocketAddress& each : addresses) {
    PSNAM_TRY(Listener listener, open_tcp(each));
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

Result<Listener> Listener::open_tcp(const SocketAddress& address) {
  PSNAM_TRY(Fd fd, new_socket(address.family()));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Each family has a socket of its own, so that an address of the one never appears in the clothes of the other.
  if (address.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), address.get(), address.bytes) != 0) {
    if (errno == EADDRINUSE)
      return Error{Code::busy, fmt::format("listening at {}: a server is there already", address.text())};
    return system_error(fmt::format("listening at {}", address.text()), errno);
  }
  PSNAM_CHECK(start(fd.get(), address.text()));
  PSNAM_TRY(const SocketAddress own, SocketAddress::own_of(fd.get()));
  return Listener{std::move(fd), Address{.path = {}, .host = own.ip(), .port = own.port()}};
}

Result<Listener> Listener::open_unix(const Address& address, std::uint32_t socket_mode) {
  PSNAM_TRY(Fd fd, new_socket(AF_UNIX));
  PSNAM_CHECK(bind_unix(fd.get(), address));
  std::error_code error;
  const auto path = std::filesystem::absolute(address.path, error);
  Listener listener{std::move(fd), Address{.path = error ? address.path : path.string(), .host = {}, .port = 0}};
  // Before it listens: whoever finds it may use it.
  struct stat status {};
  if (::chmod(address.path.c_str(), socket_mode) != 0 || ::stat(address.path.c_str(), &status) != 0)
    return system_error(fmt::format("listening at {}", address.path), errno);
  listener.device_ = status.st_dev;
  listener.inode_ = status.st_ino;
  PSNAM_CHECK(start(listener.fd(), address.path));
  return listener;
}

}  // namespace psnam::nam::control
