// Who is let in, and as whom.

#include "nam/control/auth.hpp"

#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "control_fixture.hpp"
#include "nam/control/connect.hpp"
#include "nam/control/handshake.hpp"
#include "support/child.hpp"

namespace psnam::nam::control::test {
namespace {

constexpr uid_t kOther = 65533;  // no user of the machine needs to be it
constexpr gid_t kOtherGroup = 65532;
constexpr gid_t kFurtherGroup = 65531;

/// For a child: becomes another user.
bool become_other() {
  const std::array<gid_t, 2> groups{kOtherGroup, kFurtherGroup};
  return ::setgroups(groups.size(), groups.data()) == 0 && ::setgid(kOtherGroup) == 0 && ::setuid(kOther) == 0;
}

void write_file(const std::string& path, std::string_view text, mode_t mode = 0600) {
  std::ofstream{path} << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

Credentials with_secret(const std::string& file) { return {.munge = false, .munge_socket = {}, .secret_file = file}; }

constexpr const char* kGoodSecret = "correct horse battery staple, and 32 bytes\n";
constexpr const char* kOtherSecret = "incorrect horse battery staple, 32 bytes\n";

class SecretTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_.at("secret"), kGoodSecret);
    write_file(folder_.at("other"), kOtherSecret);
  }
  [[nodiscard]] ServerOptions options() const {
    ServerOptions options = plain_options();
    options.auth.secret_file = folder_.at("secret");
    options.auth.plain = PlainRule::never;
    return options;
  }
  Folder folder_;
};

TEST_F(SecretTest, WhoKnowsItIsLetInAsWhoHeIs) {
  TestServer server{options()};
  const auto channel = server.connect(server.tcp(), with_secret(folder_.at("secret")));
  ASSERT_TRUE(channel);
  EXPECT_EQ(ask(*channel, "ehello"), "hello");
  const Peer peer = server.board.copy_of(server.board.peers).front();
  EXPECT_EQ(peer.method, AuthMethod::secret);
  EXPECT_EQ(peer.uid, ::geteuid());
  EXPECT_EQ(peer.gid, ::getegid());
  EXPECT_NE(std::find(peer.gids.begin(), peer.gids.end(), ::getegid()), peer.gids.end());
}

TEST_F(SecretTest, AWrongOneIsRefusedAndNotTold) {
  TestServer server{options()};
  const auto refused = server.try_connect(server.tcp(), with_secret(folder_.at("other")));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::access);
  EXPECT_NE(refused.error().message.find("does not know the secret"), std::string::npos) << refused.error().message;
  EXPECT_EQ(refused.error().message.find("horse"), std::string::npos);
  EXPECT_TRUE(server.board.copy_of(server.board.peers).empty());
}

TEST_F(SecretTest, NoneIsRefusedWithWhatWouldBeAccepted) {
  TestServer server{options()};
  const auto refused = server.try_connect(server.tcp());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::access);
  EXPECT_NE(refused.error().message.find("offers plain"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("accepts secret"), std::string::npos) << refused.error().message;
}

TEST_F(SecretTest, AClientThatHasOneDoesNotTrustAServerWithout) {
  TestServer plain;
  const auto refused = plain.try_connect(plain.tcp(), with_secret(folder_.at("secret")));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::access);
}

/// A server that lets everybody in, whatever it was told.
TEST_F(SecretTest, AServerThatDoesNotProveItselfIsLeft) {
  auto listeners = Address::parse("127.0.0.1:0")->resolve();
  const Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ASSERT_EQ(::bind(listener.get(), listeners->front().get(), listeners->front().bytes), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const auto own = SocketAddress::own_of(listener.get());
  std::thread impostor{[&] {
    const Fd client{::accept(listener.get(), nullptr, nullptr)};
    FrameReceiver receiver{{}};
    std::vector<IncomingFrame> frames;
    std::array<std::byte, 4096> scratch{};
    while (frames.empty()) {
      EXPECT_TRUE(*wait_for(client.get(), POLLIN, std::chrono::steady_clock::now() + kPatience));
      EXPECT_TRUE(receiver.receive(client.get(), scratch, frames).ok());
    }
    const auto facts = encode(WelcomeFacts{.version = 1, .session = 5, .server = some_facts()});
    const auto welcome = encode(Welcome{.facts = facts, .seal = std::vector<std::byte>(32)});
    EXPECT_TRUE(*OutgoingFrame::of(FrameKind::handshake, 0, {.body = welcome})->send(client.get()));
    EXPECT_TRUE(*wait_for(client.get(), POLLIN, std::chrono::steady_clock::now() + kPatience));
  }};
  const auto left = Channel::connect(*Address::parse(own->text()), with_secret(folder_.at("secret")),
                                     facts_of_this_process(), kPatience);
  impostor.join();
  ASSERT_FALSE(left.ok());
  EXPECT_EQ(left.error().code, Code::access);
  EXPECT_NE(left.error().message.find("does not know the secret that this client has"), std::string::npos);
}

/// A connection whose handshake is made by hand.
class Talker {
 public:
  explicit Talker(const Address& address)
      : fd_{std::move(*connect_socket(address, std::chrono::steady_clock::now() + kPatience, kPatience))} {}
  [[nodiscard]] std::string endpoint() const { return SocketAddress::peer_of(fd_.get())->text(); }
  HandshakeMessage say(const std::vector<std::byte>& body) {
    EXPECT_TRUE(*OutgoingFrame::of(FrameKind::handshake, 0, {.body = body})->send(fd_.get()));
    std::vector<IncomingFrame> frames;
    std::array<std::byte, 4096> scratch{};
    while (frames.empty()) {
      EXPECT_TRUE(*wait_for(fd_.get(), POLLIN, std::chrono::steady_clock::now() + kPatience));
      EXPECT_TRUE(receiver_.receive(fd_.get(), scratch, frames).ok());
    }
    heard_ = frames.front().message.body;
    return *decode_handshake(heard_);
  }
  [[nodiscard]] const std::vector<std::byte>& heard() const noexcept { return heard_; }

 private:
  Fd fd_;
  FrameReceiver receiver_{{}};
  std::vector<std::byte> heard_;
};

Hello hello_with(AuthMethod method, std::uint32_t uid = ::geteuid()) {
  Hello hello;
  hello.versions = kVersions;
  hello.methods = {method};
  hello.facts = facts_of_this_process();
  hello.claim = {.uid = uid, .gid = uid, .gids = {}};
  return hello;
}

std::string refusal_of(const HandshakeMessage& message) {
  const auto* const refusal = std::get_if<Refusal>(&message);
  return refusal != nullptr ? refusal->text : "";
}

TEST_F(SecretTest, AProofIsGoodForItsConnectionOnly) {
  TestServer server{options()};
  const auto secret = read_secret(folder_.at("secret"));
  const auto hello = encode(hello_with(AuthMethod::secret));
  Talker first{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(first.say(hello)));
  const Transcript transcript{.hello = hello, .challenge = first.heard(), .server = first.endpoint()};
  const Digest digest = client_proof(*secret, transcript);
  const auto proof = encode(Proof{.server = first.endpoint(), .proof = {digest.begin(), digest.end()}});
  ASSERT_TRUE(std::holds_alternative<Welcome>(first.say(proof)));
  Talker second{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(second.say(hello)));
  EXPECT_NE(refusal_of(second.say(proof)).find("does not know the secret"), std::string::npos);
}

TEST_F(SecretTest, AProofForAnotherServerIsRefused) {
  TestServer server{options()};
  const auto secret = read_secret(folder_.at("secret"));
  const auto hello = encode(hello_with(AuthMethod::secret));
  Talker relay{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(relay.say(hello)));
  const Digest digest = client_proof(*secret, {.hello = hello, .challenge = relay.heard(), .server = "10.0.0.9:7760"});
  const Proof proof{.server = "10.0.0.9:7760", .proof = {digest.begin(), digest.end()}};
  EXPECT_NE(refusal_of(relay.say(encode(proof))).find("for a server at 10.0.0.9:7760"), std::string::npos);
  // The same with another name on it.
  Talker again{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(again.say(hello)));
  EXPECT_NE(refusal_of(again.say(encode(Proof{.server = again.endpoint(), .proof = proof.proof}))).find("secret"),
            std::string::npos);
}

TEST_F(SecretTest, TheClaimedUserIsCoveredByTheProof) {
  TestServer server{options()};
  const auto secret = read_secret(folder_.at("secret"));
  const auto honest = encode(hello_with(AuthMethod::secret, 1000));
  Talker liar{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(liar.say(encode(hello_with(AuthMethod::secret, 1001)))));
  const Digest digest = client_proof(*secret, {.hello = honest, .challenge = liar.heard(), .server = liar.endpoint()});
  const Proof proof{.server = liar.endpoint(), .proof = {digest.begin(), digest.end()}};
  EXPECT_NE(refusal_of(liar.say(encode(proof))).find("secret"), std::string::npos);
}

TEST_F(SecretTest, OneThatAGroupMayReadLetsNobodyInAsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chmod(folder_.at("secret").c_str(), 0640), 0);
  TestServer server{options()};
  const auto refused = server.try_connect(server.tcp(), with_secret(folder_.at("secret")));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("nobody in as user 0"), std::string::npos) << refused.error().message;
}

TEST_F(SecretTest, OfAUserLetsOnlyThatUserIn) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(::pipe2(pipe_ends.data(), O_CLOEXEC), 0);
  const Fd ports{pipe_ends[0]};
  const Fd port_teller{pipe_ends[1]};
  ASSERT_EQ(::chown(folder_.at("secret").c_str(), kOther, kOtherGroup), 0);
  const psnam::test::Child process{[&] {
    if (!become_other()) return 1;
    Board board;
    TestAcceptor acceptor{board};
    auto server = Server::create(options(), acceptor);
    if (!server || !(*server)->listen(*Address::parse("127.0.0.1:0"))) return 2;
    if (::write(port_teller.get(), &(*server)->listening().front().port, 2) != 2) return 3;
    return (*server)->run().ok() ? 0 : 4;
  }};
  std::uint16_t port = 0;
  ASSERT_EQ(::read(ports.get(), &port, 2), 2);
  write_file(folder_.at("mine"), kGoodSecret);
  const Address address{.path = {}, .host = "127.0.0.1", .port = port};
  const auto refused = Channel::connect(address, with_secret(folder_.at("mine")), facts_of_this_process(), kPatience);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("user 0 is not let in"), std::string::npos) << refused.error().message;
  psnam::test::Child friend_of_it{[&] {
    if (!become_other()) return 1;
    return Channel::connect(address, with_secret(folder_.at("secret")), facts_of_this_process(), kPatience).ok() ? 0
                                                                                                                 : 2;
  }};
  EXPECT_EQ(friend_of_it.wait(), 0);
}

TEST_F(SecretTest, AFileThatIsNotToBeUsedIsNamedWithTheReason) {
  write_file(folder_.at("open"), kGoodSecret, 0604);
  write_file(folder_.at("writable"), kGoodSecret, 0620);
  write_file(folder_.at("short"), "0123456789012345678901234567890\n");
  write_file(folder_.at("long"), std::string(kMaxSecretBytes + 1, 'x'));
  const std::vector<std::tuple<std::string, Code, std::string>> cases{{"open", Code::access, "mode 0604"},
                                                                      {"writable", Code::access, "mode 0620"},
                                                                      {"short", Code::invalid_argument, "31 bytes"},
                                                                      {"long", Code::invalid_argument, "4097 bytes"},
                                                                      {"none", Code::system, "No such file"}};
  for (const auto& [name, code, reason] : cases) {
    const auto secret = read_secret(folder_.at(name));
    ASSERT_FALSE(secret.ok()) << name;
    EXPECT_EQ(secret.error().code, code) << name;
    EXPECT_NE(secret.error().message.find(reason), std::string::npos) << secret.error().message;
  }
  const Folder private_folder;
  ASSERT_EQ(::chmod(private_folder.at("").c_str(), 0700), 0);
  EXPECT_NE(read_secret(private_folder.at("")).error().message.find("not a file"), std::string::npos);
  const auto exact = std::string(kMinSecretBytes, 'k');
  write_file(folder_.at("exact"), exact + "\n");
  EXPECT_EQ(read_secret(folder_.at("exact"))->key.size(), kMinSecretBytes);
  Board board;
  TestAcceptor acceptor{board};
  ServerOptions wrong = options();
  wrong.auth.secret_file = folder_.at("open");
  EXPECT_EQ(Server::create(std::move(wrong), acceptor).error().code, Code::access);
}

TEST(KernelAuthTest, AnotherUserIsKnownByTheSocketWithItsGroups) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  TestServer server;
  const auto address = server.local();
  const ClientFacts facts = facts_of_this_process();
  psnam::test::Child other{[&] {
    if (!become_other()) return 1;
    const auto channel = Channel::connect(address, no_credentials(), facts, kPatience);
    return channel.ok() && ask(**channel, "ehello") == "hello" ? 0 : 2;
  }};
  const auto pid = static_cast<std::uint32_t>(other.pid());
  EXPECT_EQ(other.wait(), 0);
  ASSERT_EQ(server.board.copy_of(server.board.peers).size(), 1U);
  const Peer peer = server.board.copy_of(server.board.peers).front();
  EXPECT_EQ(peer.uid, kOther);
  EXPECT_EQ(peer.gid, kOtherGroup);
  EXPECT_EQ(peer.pid, pid);
  EXPECT_NE(std::find(peer.gids.begin(), peer.gids.end(), kFurtherGroup), peer.gids.end());
  EXPECT_EQ(std::find(peer.gids.begin(), peer.gids.end(), 0U), peer.gids.end());
}

TEST(PlainAuthTest, OnLoopbackTheSocketsUserCountsNotTheClaimedOne) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  for (const char* const where : {"127.0.0.1:0", "[::1]:0"}) {
    TestServer server{plain_options(), where};
    const auto address = server.tcp();
    const ClientFacts facts = facts_of_this_process();
    psnam::test::Child other{[&] {
      if (!become_other()) return 1;
      Talker talker{address};
      return std::holds_alternative<Welcome>(talker.say(encode(hello_with(AuthMethod::plain, 0)))) ? 0 : 2;
    }};
    EXPECT_EQ(other.wait(), 0);
    ASSERT_EQ(server.board.copy_of(server.board.peers).size(), 1U);
    EXPECT_EQ(server.board.copy_of(server.board.peers).front().uid, kOther) << where;
    EXPECT_EQ(server.board.copy_of(server.board.peers).front().method, AuthMethod::plain);
    EXPECT_TRUE(server.board.copy_of(server.board.peers).front().loopback);
  }
}

TEST(PlainAuthTest, IsRefusedWhereItIsNotAllowed) {
  ServerOptions options = plain_options();
  options.auth.plain = PlainRule::never;
  TestServer server{std::move(options)};
  const auto refused = server.try_connect(server.tcp());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::access);
  EXPECT_NE(refused.error().message.find("accepts none"), std::string::npos) << refused.error().message;
}

TEST(SocketTableTest, OnlyAConnectionThatStandsHasAUser) {
  const std::string table =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1E50 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
      "   1: 0100007F:A1B2 0100007F:1E50 01 00000000:00000000 00:00000000 00000000  1000        0 2\n"
      "   2: 0100007F:A1B3 0100007F:1E50 06 00000000:00000000 00:00000000 00000000     0        0 0\n"
      "   3: 0100007F:1E50 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000     0        0 3\n";
  EXPECT_EQ(user_in_table(table, "0100007F:A1B2 0100007F:1E50"), 1000U);
  EXPECT_EQ(user_in_table(table, "0100007F:A1B3 0100007F:1E50"), std::nullopt);
  EXPECT_EQ(user_in_table(table, "0100007F:A1B4 0100007F:1E50"), std::nullopt);
  EXPECT_EQ(user_in_table("", "0100007F:A1B4 0100007F:1E50"), std::nullopt);
}

/// A munged of the test's own.
class MungeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access(kMunged, X_OK) != 0) GTEST_SKIP() << "munged is not installed";
    write_file(folder_.at("key"), std::string(128, 'k') + std::to_string(::getpid()), 0400);
    daemon_.emplace([this] {
      const std::string key = "--key-file=" + folder_.at("key"), socket = "--socket=" + folder_.at("munge"),
                        pid = "--pid-file=" + folder_.at("pid"), seed = "--seed-file=" + folder_.at("seed"),
                        log = "--log-file=" + folder_.at("log");
      ::execl(kMunged, kMunged, "--foreground", "--force", key.c_str(), socket.c_str(), pid.c_str(), seed.c_str(),
              log.c_str(), nullptr);
      return 127;
    });
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!Munge::load(folder_.at("munge")).ok()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit) << "munged does not answer";
      ASSERT_EQ(::waitpid(daemon_->pid(), nullptr, WNOHANG), 0) << "munged ended";
      ::poll(nullptr, 0, 10);
    }
  }
  [[nodiscard]] ServerOptions options() const {
    ServerOptions options = plain_options();
    options.auth.munge = true;
    options.auth.munge_socket = folder_.at("munge");
    options.auth.plain = PlainRule::never;
    return options;
  }
  [[nodiscard]] Credentials credentials() const {
    return {.munge = true, .munge_socket = folder_.at("munge"), .secret_file = {}};
  }

  static constexpr const char* kMunged = "/usr/sbin/munged";
  Folder folder_;
  std::optional<psnam::test::Child> daemon_;
};

TEST_F(MungeTest, ACredentialLetsItsUserIn) {
  TestServer server{options()};
  const auto channel = server.connect(server.tcp(), credentials());
  ASSERT_TRUE(channel);
  EXPECT_EQ(ask(*channel, "ehello"), "hello");
  EXPECT_EQ(server.board.copy_of(server.board.peers).front().method, AuthMethod::munge);
  EXPECT_EQ(server.board.copy_of(server.board.peers).front().uid, ::geteuid());
}

TEST_F(MungeTest, AnotherUserIsKnownByItsCredential) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  TestServer server{options()};
  const auto address = server.tcp();
  psnam::test::Child other{[&] {
    if (!become_other()) return 1;
    return Channel::connect(address, credentials(), facts_of_this_process(), kPatience).ok() ? 0 : 2;
  }};
  EXPECT_EQ(other.wait(), 0);
  ASSERT_EQ(server.board.copy_of(server.board.peers).size(), 1U);
  EXPECT_EQ(server.board.copy_of(server.board.peers).front().uid, kOther);
  EXPECT_EQ(server.board.copy_of(server.board.peers).front().gid, kOtherGroup);
}

TEST_F(MungeTest, ACredentialIsGoodForItsConnectionOnly) {
  TestServer server{options()};
  const auto munge = Munge::load(folder_.at("munge"));
  const auto hello = encode(hello_with(AuthMethod::munge));
  Talker victim{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(victim.say(hello)));
  const auto credential =
      munge->encode(Transcript{.hello = hello, .challenge = victim.heard(), .server = victim.endpoint()}.digest());
  ASSERT_TRUE(credential.ok());
  const Piece bytes = piece(*credential);
  const auto proof = encode(Proof{.server = victim.endpoint(), .proof = {bytes.begin(), bytes.end()}});
  Talker thief{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(thief.say(hello)));
  EXPECT_NE(refusal_of(thief.say(proof)).find("another connection"), std::string::npos);
  // And munged knows a credential again.
  EXPECT_NE(refusal_of(victim.say(proof)).find("MUNGE refuses"), std::string::npos);
}

TEST_F(MungeTest, GarbageIsNoCredential) {
  TestServer server{options()};
  Talker talker{server.tcp()};
  ASSERT_TRUE(std::holds_alternative<Challenge>(talker.say(encode(hello_with(AuthMethod::munge)))));
  const Piece bytes = piece("MUNGE:AwQFAAB:");
  EXPECT_NE(refusal_of(talker.say(encode(Proof{.server = talker.endpoint(), .proof = {bytes.begin(), bytes.end()}})))
                .find("MUNGE refuses"),
            std::string::npos);
}

TEST_F(MungeTest, WithoutItsDaemonItIsNotOffered) {
  TestServer server{options()};
  const auto refused =
      server.try_connect(server.tcp(), {.munge = true, .munge_socket = folder_.at("nothing"), .secret_file = {}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::access);
  EXPECT_NE(refused.error().message.find("offers plain"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace psnam::nam::control::test
