#include "nam/control/framing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace psnam::nam::control {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are little endian");

constexpr std::size_t kFirstStepBytes = std::size_t{64} << 10;

Error corrupt(std::string text) { return Error{Code::corrupt, "control frame: " + std::move(text)}; }

bool known(FrameKind kind) noexcept { return kind >= FrameKind::handshake && kind <= FrameKind::goodbye; }

}  // namespace

FrameHeaderBytes encode_header(FrameKind kind, std::uint64_t request, std::size_t body_bytes,
                               std::size_t descriptors) noexcept {
  FrameHeader header;
  header.kind = kind;
  header.total_bytes = sizeof header + body_bytes;
  header.request = request;
  header.descriptors = static_cast<std::uint16_t>(descriptors);
  return std::bit_cast<FrameHeaderBytes>(header);
}

Result<FrameHeader> decode_header(const FrameHeaderBytes& bytes, const FrameLimits& limits) {
  FrameHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kFrameMagic) return corrupt(fmt::format("it begins with {:08x}", header.magic));
  if (header.version != kFrameVersion)
    return Error{Code::incompatible,
                 fmt::format("control frame of version {}; this side speaks {}", header.version, kFrameVersion)};
  if (!known(header.kind)) return corrupt(fmt::format("kind {}", static_cast<unsigned>(header.kind)));
  if (header.reserved0 != 0 || std::any_of(std::begin(header.reserved1), std::end(header.reserved1),
                                           [](std::uint16_t reserved) { return reserved != 0; }))
    return corrupt("bytes are set that must be zero");
  if (header.total_bytes < sizeof header || header.body_bytes() > limits.body_bytes)
    return corrupt(fmt::format("{} bytes in all; {} to {} are allowed", header.total_bytes, sizeof header,
                               sizeof header + limits.body_bytes));
  if (header.descriptors > limits.descriptors)
    return corrupt(fmt::format("{} descriptors; {} are allowed", header.descriptors, limits.descriptors));
  return header;
}

Result<std::optional<Frame>> FrameDecoder::next(std::span<const std::byte>& bytes) {
  if (header_bytes_ < kFrameHeaderBytes) {
    const std::size_t part = std::min(bytes.size(), kFrameHeaderBytes - header_bytes_);
    if (part != 0) std::memcpy(raw_header_.data() + header_bytes_, bytes.data(), part);
    header_bytes_ += part;
    bytes = bytes.subspan(part);
    if (header_bytes_ < kFrameHeaderBytes) return std::optional<Frame>{};
    PSNAM_TRY(frame_.header, decode_header(raw_header_, limits_));
  }
  const auto whole = static_cast<std::size_t>(frame_.header.body_bytes());
  const std::size_t part = std::min(bytes.size(), whole - frame_.body.size());
  const std::size_t needed = frame_.body.size() + part;
  if (needed > frame_.body.capacity()) {
    const std::size_t step = std::max({kFirstStepBytes, needed, 2 * frame_.body.capacity()});
    frame_.body.reserve(std::min(step, whole));
  }
  frame_.body.insert(frame_.body.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
  bytes = bytes.subspan(part);
  if (frame_.body.size() < whole) return std::optional<Frame>{};
  header_bytes_ = 0;
  return std::optional<Frame>{std::exchange(frame_, Frame{})};
}

}  // namespace psnam::nam::control
