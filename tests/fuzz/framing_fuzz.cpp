// libFuzzer: any bytes, cut into pieces as their first byte says, through the decoder of frames. What comes out is
// never more than went in, and is the same however the bytes are cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "nam/control/framing.hpp"

using namespace psnam::nam::control;

namespace {

constexpr FrameLimits kLimits{.body_bytes = std::size_t{1} << 20, .descriptors = kMaxDescriptors};

struct Outcome {
  std::vector<Frame> frames;
  bool failed = false;
};

Outcome decode(std::span<const std::byte> bytes, std::size_t piece_bytes) {
  Outcome outcome;
  FrameDecoder decoder{kLimits};
  while (!bytes.empty()) {
    std::span<const std::byte> piece = bytes.first(std::min(piece_bytes, bytes.size()));
    bytes = bytes.subspan(piece.size());
    while (!piece.empty()) {
      auto frame = decoder.next(piece);
      if (!frame) {
        outcome.failed = true;
        return outcome;
      }
      if (*frame) outcome.frames.push_back(std::move(**frame));
    }
  }
  return outcome;
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> bytes = std::as_bytes(std::span{data, size}).subspan(1);
  const Outcome whole = decode(bytes, bytes.size() + 1);
  const Outcome cut = decode(bytes, std::size_t{1} + data[0]);
  require(whole.failed == cut.failed && whole.frames.size() == cut.frames.size());
  std::size_t total = 0;
  for (std::size_t at = 0; at < whole.frames.size(); ++at) {
    const Frame& frame = whole.frames[at];
    require(frame.body == cut.frames[at].body && frame.header.request == cut.frames[at].header.request);
    require(frame.body.size() <= kLimits.body_bytes && frame.header.descriptors <= kLimits.descriptors);
    total += kFrameHeaderBytes + frame.body.size();
  }
  require(total <= bytes.size());
  return 0;
}
