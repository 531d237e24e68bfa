#include "nam/control/framing.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <random>

namespace psnam::nam::control {
namespace {

using Bytes = std::vector<std::byte>;

Bytes frame_bytes(FrameKind kind, std::uint64_t request, const Bytes& body, std::size_t descriptors = 0) {
  const auto header = encode_header(kind, request, body.size(), descriptors);
  Bytes bytes{header.begin(), header.end()};
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

Bytes random_bytes(std::mt19937_64& random, std::size_t count) {
  Bytes bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// The decoder's verdict over the whole of `bytes`, handed over in pieces as `random` wills.
Result<std::vector<Frame>> decode_in_pieces(const Bytes& bytes, std::mt19937_64& random, std::size_t largest) {
  FrameDecoder decoder{{}};
  std::vector<Frame> frames;
  std::span<const std::byte> rest{bytes};
  while (!rest.empty()) {
    std::span<const std::byte> piece = rest.first(std::min<std::size_t>(1 + random() % largest, rest.size()));
    rest = rest.subspan(piece.size());
    while (!piece.empty()) {
      PSNAM_TRY(auto frame, decoder.next(piece));
      if (frame) frames.push_back(std::move(*frame));
    }
  }
  return frames;
}

TEST(FramingTest, FramesComeOutAsTheyWentInHoweverTheyAreCut) {
  std::mt19937_64 random{1};
  for (int round = 0; round < 300; ++round) {
    std::vector<Bytes> bodies;
    Bytes stream;
    for (std::size_t at = 0; at < 1 + random() % 8; ++at) {
      bodies.push_back(random_bytes(random, random() % 4 == 0 ? 0 : random() % 300'000));
      const Bytes frame = frame_bytes(FrameKind::request, at, bodies.back(), at);
      stream.insert(stream.end(), frame.begin(), frame.end());
    }
    const auto frames = decode_in_pieces(stream, random, round % 3 == 0 ? 40 : 100'000);
    ASSERT_TRUE(frames.ok()) << frames.error().message;
    ASSERT_EQ(frames->size(), bodies.size());
    for (std::size_t at = 0; at < bodies.size(); ++at) {
      EXPECT_EQ((*frames)[at].header.request, at);
      EXPECT_EQ((*frames)[at].header.descriptors, at);
      EXPECT_EQ((*frames)[at].body, bodies[at]);
    }
  }
}

TEST(FramingTest, RandomBytesAndDamagedFramesNeverPassForMoreThanTheyAre) {
  std::mt19937_64 random{2};
  for (int round = 0; round < 20'000; ++round) {
    Bytes stream = frame_bytes(FrameKind::reply, random(), random_bytes(random, random() % 64));
    if (round % 2 == 0) {
      stream = random_bytes(random, random() % 100);
    } else {
      for (std::size_t damage = 0; damage < 1 + random() % 3; ++damage)
        stream[random() % stream.size()] = static_cast<std::byte>(random());
    }
    const auto frames = decode_in_pieces(stream, random, 50);
    if (!frames) {
      EXPECT_TRUE(frames.error().code == Code::corrupt || frames.error().code == Code::incompatible);
      continue;
    }
    std::size_t total = 0;
    for (const Frame& frame : *frames) total += kFrameHeaderBytes + frame.body.size();
    EXPECT_LE(total, stream.size());
  }
}

TEST(FramingTest, APromiseOfManyBytesTakesNoMemory) {
  FrameDecoder decoder{{}};
  const auto header = encode_header(FrameKind::request, 1, kMaxBodyBytes, 0);
  std::span<const std::byte> bytes{header};
  ASSERT_FALSE(decoder.next(bytes)->has_value());
  const Bytes piece(1000);
  std::size_t given = 0;
  while (given + piece.size() <= kMaxBodyBytes) {
    bytes = piece;
    auto frame = decoder.next(bytes);
    ASSERT_TRUE(frame.ok());
    given += piece.size();
    ASSERT_FALSE(frame->has_value());
  }
  bytes = std::span{piece}.first(kMaxBodyBytes - given);
  const auto frame = decoder.next(bytes);
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ((*frame)->body.size(), kMaxBodyBytes);
  EXPECT_LE((*frame)->body.capacity(), kMaxBodyBytes);
}

struct Damage {
  std::string what;
  std::size_t offset;
  std::uint8_t value;
  Code code;
  std::string message;
};

TEST(FramingTest, EachFieldOfAHeaderIsChecked) {
  const std::vector<Damage> damages{{"magic", 0, 0, Code::corrupt, "begins with"},
                                    {"version", 4, 2, Code::incompatible, "version 2; this side speaks 1"},
                                    {"kind 0", 6, 0, Code::corrupt, "kind 0"},
                                    {"kind 6", 6, 6, Code::corrupt, "kind 6"},
                                    {"zero byte", 7, 1, Code::corrupt, "must be zero"},
                                    {"too few bytes", 8, 31, Code::corrupt, "31 bytes in all"},
                                    {"too many bytes", 11, 2, Code::corrupt, "are allowed"},
                                    {"far too many bytes", 15, 0xff, Code::corrupt, "are allowed"},
                                    {"descriptors", 24, 17, Code::corrupt, "17 descriptors; 16"},
                                    {"last byte", 31, 1, Code::corrupt, "must be zero"}};
  for (const Damage& damage : damages) {
    auto header = encode_header(FrameKind::request, 7, 10, 0);
    header[damage.offset] = std::byte{damage.value};
    const auto decoded = decode_header(header, {});
    ASSERT_FALSE(decoded.ok()) << damage.what;
    EXPECT_EQ(decoded.error().code, damage.code) << damage.what;
    EXPECT_NE(decoded.error().message.find(damage.message), std::string::npos) << decoded.error().message;
  }
}

TEST(FramingTest, TheLimitsOfTheConnectionCount) {
  const auto header = encode_header(FrameKind::request, 7, 101, 2);
  EXPECT_TRUE(decode_header(header, {.body_bytes = 101, .descriptors = 2}).ok());
  EXPECT_FALSE(decode_header(header, {.body_bytes = 100, .descriptors = 2}).ok());
  EXPECT_FALSE(decode_header(header, {.body_bytes = 101, .descriptors = 1}).ok());
}

}  // namespace
}  // namespace psnam::nam::control
