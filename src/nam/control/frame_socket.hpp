// Frames and their descriptors in and out of a socket that does not block. Both ends of a connection use it.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "nam/control/framing.hpp"

namespace psnam::nam::control {

using Deadline = std::chrono::steady_clock::time_point;
/// Waits until one of `events` (poll(2)), an error or the deadline has come; false: the deadline.
[[nodiscard]] Result<bool> wait_for(int fd, short events, Deadline deadline);

/// A frame on its way out.
class OutgoingFrame {
 public:
  /// Code::size, Code::count: the message is beyond the limits.
  [[nodiscard]] static Result<OutgoingFrame> of(FrameKind kind, std::uint64_t request, Message message);

  /// Sends what the socket takes; true when all is sent. Code::peer_lost when nobody reads any more.
  [[nodiscard]] Result<bool> send(int fd);
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return header_.size() + message_.body.size() - sent_; }
  [[nodiscard]] bool begun() const noexcept { return sent_ != 0; }

 private:
  OutgoingFrame(FrameHeaderBytes header, Message message) : header_{header}, message_{std::move(message)} {}

  FrameHeaderBytes header_;
  Message message_;
  std::size_t sent_ = 0;
};

struct IncomingFrame {
  FrameKind kind = FrameKind::handshake;
  std::uint64_t request = 0;
  Message message;
};

/// What one receive() brought.
enum class Pulled { bytes, nothing, end };

class FrameReceiver {
 public:
  explicit FrameReceiver(FrameLimits limits) noexcept : decoder_{limits}, limits_{limits} {}

  /// Receives once from `fd`, through `scratch`, and appends the frames that are whole now to `frames`. Code::corrupt,
  /// Code::incompatible: the peer talks nonsense; Code::no_memory: this process had no descriptor left for what came;
  /// Code::peer_lost: the connection broke.
  [[nodiscard]] Result<Pulled> receive(int fd, std::span<std::byte> scratch, std::vector<IncomingFrame>& frames);
  void set_limits(FrameLimits limits) noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// The peer has begun a frame that is not whole yet.
  [[nodiscard]] bool inside_frame() const noexcept { return !decoder_.empty(); }

 private:
  [[nodiscard]] Status decode(std::span<const std::byte> bytes, std::vector<IncomingFrame>& frames);
  [[nodiscard]] Status take_descriptors(::msghdr& header);

  FrameDecoder decoder_;
  FrameLimits limits_;
  std::deque<Fd> descriptors_;  // received, of no frame yet
  std::uint64_t bytes_ = 0;
};

/// For a TCP socket: small frames go at once, and a host that is silent for `silence` counts as gone.
[[nodiscard]] Status set_tcp_options(int fd, std::chrono::milliseconds silence);

}  // namespace psnam::nam::control
