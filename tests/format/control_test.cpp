// The bytes of the control connection do not change by accident: frames and handshake messages are compared with files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>

#include "nam/control/framing.hpp"
#include "nam/control/handshake_messages.hpp"

namespace psnam::nam::control {
namespace {

using Bytes = std::vector<std::byte>;

format::Uuid uuid_from(std::uint8_t first) {
  format::Uuid uuid;
  for (auto& byte : uuid.bytes) byte = first++;
  return uuid;
}

Nonce nonce_from(std::uint8_t first) {
  Nonce nonce;
  for (auto& byte : nonce) byte = std::byte{first++};
  return nonce;
}

WelcomeFacts the_facts() {
  return {.version = 1,
          .session = 0x1122334455667788,
          .server = {.instance = uuid_from(0x10),
                     .store = uuid_from(0x20),
                     .boot = uuid_from(0x30),
                     .host = "node-a",
                     .store_path = "/dev/shm/nam",
                     .unix_socket = "/run/namd.socket",
                     .name = "nam",
                     .software_version = "0.1.0"}};
}

/// One of each message.
std::vector<std::pair<std::string, HandshakeMessage>> messages() {
  const Hello hello{
      .versions = {1, 1},
      .nonce = nonce_from(0x40),
      .methods = {AuthMethod::kernel, AuthMethod::munge, AuthMethod::secret, AuthMethod::plain},
      .facts = {.process = {.pid = 100, .rank = 1, .start_time_ticks = 12345, .pid_namespace = 4026531836},
                .boot = uuid_from(0x60),
                .host = "node-b",
                .library_version = "0.1.0"},
      .claim = {.uid = 1000, .gid = 100, .gids = {100, 200}}};
  return {{"hello", hello},
          {"challenge", Challenge{.version = 1, .method = AuthMethod::secret, .nonce = nonce_from(0x80)}},
          {"proof", Proof{.server = "10.0.0.1:7760", .proof = Bytes(32, std::byte{0xab})}},
          {"welcome", Welcome{.facts = encode(the_facts()), .seal = Bytes(32, std::byte{0xcd})}},
          {"refusal", Refusal{.reason = RefusalReason::version, .text = "no", .versions = {1, 1}}}};
}

Bytes framed(const HandshakeMessage& message) {
  const Bytes body = encode(message);
  const auto header = encode_header(FrameKind::handshake, 0, body.size(), 0);
  Bytes bytes(header.size() + body.size());
  std::copy(header.begin(), header.end(), bytes.begin());
  std::copy(body.begin(), body.end(), bytes.begin() + static_cast<std::ptrdiff_t>(header.size()));
  return bytes;
}

Bytes golden(const std::string& name, const Bytes& when_missing) {
  const std::string path = std::string{PSNAM_GOLDEN_FOLDER} + "/control-" + name + ".v1.bin";
  if (std::getenv("PSNAM_WRITE_GOLDEN") != nullptr)
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(when_missing.data()),
                                                static_cast<std::streamsize>(when_missing.size()));
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

TEST(ControlFormatTest, FramesAndHandshakeMessagesAreTheBytesOfTheFiles) {
  for (const auto& [name, message] : messages()) EXPECT_EQ(framed(message), golden(name, framed(message))) << name;
}

TEST(ControlFormatTest, TheFilesAreReadAsWhatTheyHold) {
  for (const auto& [name, message] : messages()) {
    const Bytes bytes = golden(name, framed(message));
    FrameDecoder decoder{{}};
    std::span<const std::byte> rest{bytes};
    const auto frame = decoder.next(rest);
    ASSERT_TRUE(frame.ok() && frame->has_value()) << name;
    EXPECT_TRUE(rest.empty());
    const auto decoded = decode_handshake((*frame)->body);
    ASSERT_TRUE(decoded.ok()) << name << ": " << decoded.error().message;
    EXPECT_EQ(*decoded, message) << name;
    if (const auto* const welcome = std::get_if<Welcome>(&*decoded)) {
      EXPECT_EQ(*decode_welcome_facts(welcome->facts), the_facts());
    }
  }
}

TEST(ControlFormatTest, AHeaderIsThatOfTheDocument) {
  const auto header = encode_header(FrameKind::reply, 0x0807060504030201, 0x10, 3);
  const std::array<unsigned, kFrameHeaderBytes> expected{0x50, 0x4e, 0x53, 0x43, 1, 0, 3, 0, 0x30, 0, 0, 0, 0, 0, 0, 0,
                                                         1,    2,    3,    4,    5, 6, 7, 8, 3,    0, 0, 0, 0, 0, 0, 0};
  for (std::size_t at = 0; at < header.size(); ++at)
    EXPECT_EQ(std::to_integer<unsigned>(header[at]), expected[at]) << at;
}

}  // namespace
}  // namespace psnam::nam::control
