#include "nam/control/handshake.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <random>
#include <thread>

#include "control_fixture.hpp"

namespace psnam::nam::control::test {
namespace {

Hello a_hello() {
  Hello hello;
  hello.versions = {1, 3};
  hello.nonce.fill(std::byte{0x11});
  hello.methods = {AuthMethod::munge, AuthMethod::plain};
  hello.facts = {.process = {.pid = 4711, .rank = 2, .start_time_ticks = 1ULL << 40, .pid_namespace = 4026531836},
                 .boot = format::random_uuid(),
                 .host = "node-b",
                 .library_version = "0.1.0"};
  hello.claim = {.uid = 1000, .gid = 100, .gids = {100, 200}};
  return hello;
}

std::vector<HandshakeMessage> one_of_each() {
  Challenge challenge{.version = 1, .method = AuthMethod::munge, .nonce = {}};
  challenge.nonce.fill(std::byte{0x22});
  return {a_hello(), challenge, Proof{.server = "10.0.0.1:7760", .proof = {std::byte{1}, std::byte{2}}},
          Welcome{.facts = encode(WelcomeFacts{.version = 1, .session = 7, .server = some_facts()}),
                  .seal = std::vector<std::byte>(32, std::byte{3})},
          Refusal{.reason = RefusalReason::full, .text = "no", .versions = {1, 2}}};
}

TEST(HandshakeMessagesTest, ComeOutAsTheyWentIn) {
  for (const HandshakeMessage& each : one_of_each()) {
    const auto decoded = decode_handshake(encode(each));
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(*decoded, each);
  }
  const WelcomeFacts facts{.version = 2, .session = 99, .server = some_facts()};
  EXPECT_EQ(*decode_welcome_facts(encode(facts)), facts);
}

TEST(HandshakeMessagesTest, WhatIsCutOrDamagedIsCorruptOrAnotherMessageAndNeverWorse) {
  std::mt19937_64 random{3};
  for (const HandshakeMessage& each : one_of_each()) {
    const auto whole = encode(each);
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      const auto cut = decode_handshake(std::span{whole}.first(bytes));
      ASSERT_FALSE(cut.ok()) << bytes << " of " << whole.size();
      EXPECT_EQ(cut.error().code, Code::corrupt);
    }
    for (int round = 0; round < 5000; ++round) {
      auto damaged = whole;
      for (std::size_t count = 0; count < 1 + random() % 4; ++count)
        damaged[random() % damaged.size()] = static_cast<std::byte>(random());
      const auto decoded = decode_handshake(damaged);
      EXPECT_TRUE(decoded.ok() || decoded.error().code == Code::corrupt);
    }
  }
}

TEST(HandshakeMessagesTest, ASessionIsNeverZero) {
  EXPECT_FALSE(decode_welcome_facts(encode(WelcomeFacts{.version = 1, .session = 0, .server = some_facts()})).ok());
}

TEST(HandshakeMessagesTest, ATextComesInOnOneLine) {
  Hello hello = a_hello();
  hello.facts.host = "node\npsnam: error: forged\x1b[2J";
  const auto decoded = decode_handshake(encode(hello));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<Hello>(*decoded).facts.host, "node?psnam: error: forged?[2J");
}

TEST(HandshakeMessagesTest, MoreThanAHandshakeMayHaveIsCorrupt) {
  EXPECT_FALSE(decode_handshake(std::vector<std::byte>(kMaxHandshakeBytes + 8)).ok());
  Hello many = a_hello();
  many.claim.gids.assign(kMaxClaimedGroups + 1, 5);
  EXPECT_FALSE(decode_handshake(encode(many)).ok());
}

TEST(HandshakeVersionsTest, TheHighestThatBothSpeakIsTaken) {
  EXPECT_EQ(common_version({1, 3}, {2, 5}), 3);
  EXPECT_EQ(common_version({2, 5}, {1, 3}), 3);
  EXPECT_EQ(common_version({1, 1}, {1, 1}), 1);
  EXPECT_EQ(common_version({1, 2}, {3, 4}), std::nullopt);
  EXPECT_EQ(common_version({3, 4}, {1, 2}), std::nullopt);
}

/// Both halves over a pair of sockets, with versions of their own.
struct Meeting {
  Result<WelcomeFacts> client{Error{Code::system, "never met"}};
  bool welcome = false;
  std::string refused;
};

Meeting meet(const Versions& client, const Versions& server, std::uint16_t chosen_by_liar = 0) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  const Fd client_end{ends[0]};
  const Fd server_end{ends[1]};
  Meeting meeting;
  std::thread serves{[&] {
    auto door = std::make_shared<Door>();
    door->versions = server;
    ServerHandshake handshake{door, server_end.get(), [](const Peer&) -> Result<WelcomeFacts> {
                                return WelcomeFacts{.version = 0, .session = 5, .server = some_facts()};
                              }};
    FrameReceiver receiver{{}};
    std::vector<IncomingFrame> frames;
    std::array<std::byte, 4096> scratch{};
    while (frames.empty()) {
      ASSERT_TRUE(*wait_for(server_end.get(), POLLIN, std::chrono::steady_clock::now() + kPatience));
      ASSERT_TRUE(receiver.receive(server_end.get(), scratch, frames).ok());
    }
    auto step = handshake.on_message(frames.front().message.body);
    meeting.welcome = step.welcome;
    if (!step.refused) meeting.refused = step.refused.error().message;
    if (chosen_by_liar != 0)
      step.answer = encode(Welcome{
          .facts = encode(WelcomeFacts{.version = chosen_by_liar, .session = 5, .server = some_facts()}), .seal = {}});
    auto frame = OutgoingFrame::of(FrameKind::handshake, 0, {.body = std::move(step.answer)});
    ASSERT_TRUE(*frame->send(server_end.get()));
  }};
  FrameReceiver receiver{{.body_bytes = kMaxHandshakeBytes, .descriptors = 0}};
  meeting.client = client_handshake(client_end.get(), receiver, no_credentials(), facts_of_this_process(),
                                    std::chrono::steady_clock::now() + kPatience, client);
  serves.join();
  return meeting;
}

TEST(HandshakeVersionsTest, ANewerClientAndAnOlderServerSpeakWhatBothKnow) {
  const Meeting meeting = meet({1, 4}, {1, 2});
  ASSERT_TRUE(meeting.client.ok()) << meeting.client.error().message;
  EXPECT_EQ(meeting.client->version, 2);
  EXPECT_TRUE(meeting.welcome);
}

TEST(HandshakeVersionsTest, WithoutACommonVersionBothAreNamed) {
  for (const auto& [client, server] : std::vector<std::pair<Versions, Versions>>{{{1, 2}, {3, 4}}, {{3, 4}, {1, 2}}}) {
    const Meeting meeting = meet(client, server);
    ASSERT_FALSE(meeting.client.ok());
    EXPECT_EQ(meeting.client.error().code, Code::incompatible);
    for (const Versions& each : {client, server}) {
      const std::string named = std::to_string(each.min) + " to " + std::to_string(each.max);
      EXPECT_NE(meeting.client.error().message.find(named), std::string::npos) << meeting.client.error().message;
      EXPECT_NE(meeting.refused.find(named), std::string::npos) << meeting.refused;
    }
  }
}

TEST(HandshakeVersionsTest, AServerThatChoosesWhatTheClientDoesNotSpeakIsLeft) {
  const Meeting meeting = meet({1, 1}, {1, 1}, 9);
  ASSERT_FALSE(meeting.client.ok());
  EXPECT_EQ(meeting.client.error().code, Code::incompatible);
}

std::string hexadecimal(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) fmt::format_to(std::back_inserter(text), "{:02x}", std::to_integer<int>(byte));
  return text;
}

TEST(DigestTest, IsThatOfTheStandardOverThePiecesAndTheirLengths) {
  // As Python's hmac and hashlib have them, each piece behind its length in 8 bytes.
  EXPECT_EQ(hexadecimal(hmac_sha256(piece("Jefe"), {piece("what do ya want "), piece("for nothing?")})),
            "7147a8852f1bae7b07dfc583dad589c20583e025440bfc4c6431d8d0d901880b");
  EXPECT_EQ(hexadecimal(sha256({piece("a"), piece("bc")})),
            "9a8acca1b6c6c0befd3fbc756aed625da998c998f7252e738c4ef061906b9b21");
  EXPECT_NE(sha256({piece("ab"), piece("c")}), sha256({piece("a"), piece("bc")}));
}

TEST(DigestTest, SecretsAreEqualOnlyIfAllOfThemIs) {
  EXPECT_TRUE(equal_secrets(piece("abc"), piece("abc")));
  EXPECT_FALSE(equal_secrets(piece("abc"), piece("abd")));
  EXPECT_FALSE(equal_secrets(piece("abc"), piece("ab")));
  EXPECT_FALSE(equal_secrets(piece("abc"), piece("")));
}

TEST(DigestTest, NoncesDiffer) { EXPECT_NE(*random_nonce(), *random_nonce()); }

}  // namespace
}  // namespace psnam::nam::control::test
