// The bytes of a control connection: frames, each a fixed header and a body. docs/formats/control.md has the same in
// words. Bump kFrameVersion when a field moves or its meaning changes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "nam/control/message.hpp"

namespace psnam::nam::control {

inline constexpr std::uint32_t kFrameMagic = 0x43534e50;  // "PNSC"
inline constexpr std::uint16_t kFrameVersion = 1;

enum class FrameKind : std::uint8_t {
  handshake = 1,
  request = 2,
  reply = 3,
  event = 4,  ///< unasked for; who does not know what it says ignores it
  goodbye = 5,
};

struct FrameHeader {
  std::uint32_t magic = kFrameMagic;
  std::uint16_t version = kFrameVersion;
  FrameKind kind = FrameKind::handshake;
  std::uint8_t reserved0 = 0;
  std::uint64_t total_bytes = 0;  ///< of the frame, header included
  std::uint64_t request = 0;      ///< a reply carries the number of its request
  std::uint16_t descriptors = 0;  ///< that travel with the frame's first byte
  std::uint16_t reserved1[3] = {};

  [[nodiscard]] std::uint64_t body_bytes() const noexcept { return total_bytes - sizeof(FrameHeader); }
};
inline constexpr std::size_t kFrameHeaderBytes = 32;
static_assert(sizeof(FrameHeader) == kFrameHeaderBytes && offsetof(FrameHeader, kind) == 6 &&
              offsetof(FrameHeader, total_bytes) == 8 && offsetof(FrameHeader, request) == 16 &&
              offsetof(FrameHeader, descriptors) == 24);

using FrameHeaderBytes = std::array<std::byte, kFrameHeaderBytes>;
[[nodiscard]] FrameHeaderBytes encode_header(FrameKind kind, std::uint64_t request, std::size_t body_bytes,
                                             std::size_t descriptors) noexcept;

struct FrameLimits {
  std::size_t body_bytes = kMaxBodyBytes;
  std::size_t descriptors = kMaxDescriptors;
};

/// Code::incompatible for another version, naming both; Code::corrupt for anything else that is no header, and for one
/// beyond the limits.
[[nodiscard]] Result<FrameHeader> decode_header(const FrameHeaderBytes& bytes, const FrameLimits& limits);

struct Frame {
  FrameHeader header;
  std::vector<std::byte> body;
};

/// Puts frames together from pieces of any size. Memory follows what has been received, whatever a header promises.
class FrameDecoder {
 public:
  explicit FrameDecoder(FrameLimits limits) noexcept : limits_{limits} {}

  /// Takes bytes off the front of `bytes`, all of them or up to the end of the first frame that is whole; nothing: more
  /// bytes are needed. After a failure the decoder is of no use any more.
  [[nodiscard]] Result<std::optional<Frame>> next(std::span<const std::byte>& bytes);

  /// True between frames.
  [[nodiscard]] bool empty() const noexcept { return header_bytes_ == 0; }
  /// For the frames from the next header on.
  void set_limits(FrameLimits limits) noexcept { limits_ = limits; }

 private:
  FrameLimits limits_;
  FrameHeaderBytes raw_header_{};
  std::size_t header_bytes_ = 0;  // received of the header
  Frame frame_;                   // header valid once header_bytes_ is complete
};

}  // namespace psnam::nam::control
