#include "nam/control/connect.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace psnam::nam::control {
namespace {

using Clock = std::chrono::steady_clock;

Error no_answer(int error_number) {
  if (error_number == EACCES || error_number == EPERM)
    return Error{Code::access, fmt::format("connecting: {}", std::strerror(error_number)), error_number};
  return Error{Code::unreachable, fmt::format("connecting: {}", std::strerror(error_number)), error_number};
}

/// A connect to a Unix socket does not go on in the background: it waits in the call, for room in the server's queue.
Result<Fd> connect_unix(const SocketAddress& address, Deadline deadline) {
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd.valid()) return system_error("a socket", errno);
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
  const std::int64_t wait_us = std::max<std::int64_t>(left, 1);  // 0 would be: for ever
  const timeval limit{.tv_sec = wait_us / 1'000'000, .tv_usec = wait_us % 1'000'000};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
    return system_error("time limit of a socket", errno);
  while (::connect(fd.get(), address.get(), address.bytes) != 0) {
    if (errno == EINTR && Clock::now() < deadline) continue;
    if (errno == EAGAIN || errno == EINTR) return Error{Code::unreachable, "connecting: no room in its queue in time"};
    return no_answer(errno);
  }
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return system_error("a socket", errno);
  return fd;
}

Result<Fd> connect_tcp(const SocketAddress& address, Deadline deadline, std::chrono::milliseconds silence) {
  Fd fd{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd.valid()) return system_error("a socket", errno);
  PSNAM_CHECK(set_tcp_options(fd.get(), silence));
  if (::connect(fd.get(), address.get(), address.bytes) == 0) return fd;
  if (errno != EINPROGRESS && errno != EINTR) return no_answer(errno);
  PSNAM_TRY(const bool decided, wait_for(fd.get(), POLLOUT, deadline));
  if (!decided) return Error{Code::unreachable, "connecting: no answer in time"};
  int error = 0;
  socklen_t bytes = sizeof error;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) error = errno;
  if (error != 0) return no_answer(error);
  return fd;
}

}  // namespace

Result<Fd> connect_socket(const Address& address, Deadline deadline, std::chrono::milliseconds silence) {
  PSNAM_TRY(const std::vector<SocketAddress> addresses, address.resolve());
  if (address.local()) return connect_unix(addresses.front(), deadline);
  std::string reasons;
  Code code = Code::unreachable;
  for (std::size_t at = 0; at < addresses.size(); ++at) {
    const auto now = Clock::now();
    const auto share = std::max(deadline - now, Clock::duration{}) / (addresses.size() - at);
    auto fd = connect_tcp(addresses[at], now + std::chrono::duration_cast<Clock::duration>(share), silence);
    if (fd) return fd;
    code = fd.error().code;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", addresses[at].text(), fd.error().message);
  }
  return Error{code, std::move(reasons)};
}

}  // namespace psnam::nam::control
