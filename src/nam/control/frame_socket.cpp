#include "nam/control/frame_socket.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace psnam::nam::control {
namespace {

constexpr std::size_t kControlBytes = CMSG_SPACE(kMaxDescriptors * sizeof(int));

bool connection_broke(int error_number) noexcept {
  switch (error_number) {
    case EPIPE:
    case ECONNRESET:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOTCONN:
    case ESHUTDOWN:
      return true;
    default:
      return false;
  }
}

Error io_error(std::string_view what, int error_number) {
  Error error = system_error(what, error_number);
  if (connection_broke(error_number)) error.code = Code::peer_lost;
  return error;
}

/// Room for the control data of sendmsg(2) and recvmsg(2), aligned as they need it.
union ControlBuffer {
  cmsghdr alignment;
  std::array<std::byte, kControlBytes> bytes;
};

void attach(msghdr& header, ControlBuffer& control, const std::vector<Fd>& descriptors) {
  header.msg_control = control.bytes.data();
  header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* const message = CMSG_FIRSTHDR(&header);
  message->cmsg_level = SOL_SOCKET;
  message->cmsg_type = SCM_RIGHTS;
  message->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  for (std::size_t at = 0; at < descriptors.size(); ++at) {
    const int fd = descriptors[at].get();
    std::memcpy(CMSG_DATA(message) + at * sizeof fd, &fd, sizeof fd);
  }
}

}  // namespace

Result<bool> wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    constexpr std::int64_t kLongest = 1 << 30;
    pollfd wanted{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, kLongest)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return system_error("waiting for a socket", errno);
    if (ready == 0 && std::chrono::steady_clock::now() >= deadline) return false;
  }
}

Result<OutgoingFrame> OutgoingFrame::of(FrameKind kind, std::uint64_t request, Message message) {
  if (message.body.size() > kMaxBodyBytes)
    return Error{Code::size,
                 fmt::format("a control message of {} bytes; {} are the most", message.body.size(), kMaxBodyBytes)};
  if (message.descriptors.size() > kMaxDescriptors)
    return Error{Code::count, fmt::format("a control message with {} descriptors; {} are the most",
                                          message.descriptors.size(), kMaxDescriptors)};
  const auto header = encode_header(kind, request, message.body.size(), message.descriptors.size());
  return OutgoingFrame{header, std::move(message)};
}

Result<bool> OutgoingFrame::send(int fd) {
  while (unsent_bytes() != 0) {
    std::array<iovec, 2> parts{};
    std::size_t count = 0;
    const std::size_t head = std::min(sent_, header_.size());
    if (head < header_.size()) parts[count++] = {header_.data() + head, header_.size() - head};
    const std::size_t body_sent = sent_ - head;
    parts[count++] = {message_.body.data() + body_sent, message_.body.size() - body_sent};
    msghdr header{};
    header.msg_iov = parts.data();
    header.msg_iovlen = count;
    ControlBuffer control{};
    if (!begun() && !message_.descriptors.empty()) attach(header, control, message_.descriptors);
    const ssize_t sent = ::sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      return io_error("sending", errno);
    }
    sent_ += static_cast<std::size_t>(sent);
    if (begun()) message_.descriptors.clear();
  }
  return true;
}

void FrameReceiver::set_limits(FrameLimits limits) noexcept {
  limits_ = limits;
  decoder_.set_limits(limits);
}

Status FrameReceiver::take_descriptors(msghdr& header) {
  // First of all the descriptors are owned, whatever is wrong with them.
  for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
    if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t at = 0; at < count; ++at) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(message) + at * sizeof fd, sizeof fd);
      descriptors_.emplace_back(fd);
    }
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0)
    return Error{Code::no_memory,
                 fmt::format("descriptors that came with a control message were lost: more than {} of them, or this "
                             "process has none left",
                             limits_.descriptors)};
  return {};
}

Status FrameReceiver::decode(std::span<const std::byte> bytes, std::vector<IncomingFrame>& frames) {
  while (!bytes.empty()) {
    PSNAM_TRY(std::optional<Frame> frame, decoder_.next(bytes));
    if (!frame) break;
    const std::size_t count = frame->header.descriptors;
    // They came with the first byte of the header, which has long been read.
    if (count > descriptors_.size())
      return Error{Code::corrupt,
                   fmt::format("control frame with {} descriptors; {} came", count, descriptors_.size())};
    IncomingFrame& incoming = frames.emplace_back();
    incoming.kind = frame->header.kind;
    incoming.request = frame->header.request;
    incoming.message.body = std::move(frame->body);
    for (std::size_t at = 0; at < count; ++at) {
      incoming.message.descriptors.push_back(std::move(descriptors_.front()));
      descriptors_.pop_front();
    }
  }
  // Only a frame that has begun may have descriptors waiting, and no more than a frame may have.
  const std::size_t allowed = decoder_.empty() ? 0 : limits_.descriptors;
  if (descriptors_.size() > allowed)
    return Error{Code::corrupt,
                 fmt::format("{} descriptors came that no control frame announced", descriptors_.size())};
  return {};
}

Result<Pulled> FrameReceiver::receive(int fd, std::span<std::byte> scratch, std::vector<IncomingFrame>& frames) {
  iovec part{scratch.data(), scratch.size()};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = limits_.descriptors == 0 ? 0 : CMSG_SPACE(limits_.descriptors * sizeof(int));
  const ssize_t received = ::recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Pulled::nothing;
    return io_error("receiving", errno);
  }
  PSNAM_CHECK(take_descriptors(header));
  if (received == 0) return Pulled::end;
  bytes_ += static_cast<std::uint64_t>(received);
  PSNAM_CHECK(decode(std::as_bytes(scratch.first(static_cast<std::size_t>(received))), frames));
  return Pulled::bytes;
}

Status set_tcp_options(int fd, std::chrono::milliseconds silence) {
  const int on = 1;
  const int user_timeout_ms = static_cast<int>(std::clamp<std::int64_t>(silence.count(), 1000, 1 << 30));
  // Probes begin early enough that several fit before the host counts as gone.
  const int probe_s = std::max(1, user_timeout_ms / 4000);
  const int probes = 4;
  const std::array<std::tuple<int, int, int>, 6> options{{{IPPROTO_TCP, TCP_NODELAY, on},
                                                          {SOL_SOCKET, SO_KEEPALIVE, on},
                                                          {IPPROTO_TCP, TCP_KEEPIDLE, probe_s},
                                                          {IPPROTO_TCP, TCP_KEEPINTVL, probe_s},
                                                          {IPPROTO_TCP, TCP_KEEPCNT, probes},
                                                          {IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms}}};
  for (const auto& [level, name, value] : options)
    if (::setsockopt(fd, level, name, &value, sizeof value) != 0)
      return system_error(fmt::format("setting option {} of a TCP socket", name), errno);
  return {};
}

}  // namespace psnam::nam::control
