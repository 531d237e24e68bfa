// A server among clients that misbehave, and at its limits.

#include "nam/control/server.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <array>
#include <atomic>
#include <random>

#include "base/log.hpp"
#include "control_fixture.hpp"
#include "nam/control/connect.hpp"
#include "nam/control/handshake_messages.hpp"
#include "support/child.hpp"

namespace psnam::nam::control::test {
namespace {

Deadline patience() { return std::chrono::steady_clock::now() + kPatience; }

/// A client that writes and reads bytes as it likes.
class RawClient {
 public:
  explicit RawClient(const Address& address) : fd_{std::move(*connect_socket(address, patience(), kPatience))} {}

  /// As much as the server takes.
  void write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }
  /// A frame, until all of it is taken; false if the server ended the connection.
  [[nodiscard]] bool send(FrameKind kind, Message message) const {
    auto frame = OutgoingFrame::of(kind, 1, std::move(message));
    for (;;) {
      const auto sent = frame->send(fd_.get());
      if (!sent || *sent) return sent.ok();
      if (!*wait_for(fd_.get(), POLLOUT, patience())) return false;
    }
  }
  /// Reads all until the server ends the connection; false if it does not.
  [[nodiscard]] bool await_end() const {
    std::array<std::byte, 4096> bytes{};
    while (*wait_for(fd_.get(), POLLIN, patience())) {
      const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
    }
    return false;
  }
  /// Without reading: until the server has hung up.
  [[nodiscard]] bool await_hang_up() const { return *wait_for(fd_.get(), POLLRDHUP, patience()); }
  [[nodiscard]] bool enter() const {
    Hello hello;
    hello.versions = {1, 1};
    hello.methods = {AuthMethod::kernel, AuthMethod::plain};
    hello.facts = facts_of_this_process();
    return send(FrameKind::handshake, {.body = encode(hello)}) && *wait_for(fd_.get(), POLLIN, patience());
  }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  Fd fd_;
};

std::vector<std::byte> bytes_of(std::string_view text) { return message(text).body; }

std::vector<std::byte> header_only(FrameKind kind, std::size_t body_bytes) {
  const auto header = encode_header(kind, 1, body_bytes, 0);
  return {header.begin(), header.end()};
}

class MisbehaviourTest : public ::testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] Address where(const TestServer& server) const { return GetParam() ? server.local() : server.tcp(); }
};
INSTANTIATE_TEST_SUITE_P(Each, MisbehaviourTest, ::testing::Values(true, false),
                         [](const auto& each) { return each.param ? "UnixSocket" : "Tcp"; });

TEST_P(MisbehaviourTest, WhoTalksNonsenseIsDroppedAndTheOthersNoticeNothing) {
  TestServer server;
  const auto good = server.connect(where(server));
  ASSERT_TRUE(good);
  std::mt19937_64 random{4};
  std::vector<std::vector<std::byte>> nonsense{bytes_of("GET / HTTP/1.1\r\nHost: namd\r\n\r\nand some more bytes"),
                                               header_only(FrameKind::handshake, kMaxHandshakeBytes + 1),
                                               header_only(FrameKind::handshake, std::size_t{1} << 60),
                                               header_only(FrameKind::request, 0),
                                               header_only(FrameKind::goodbye, 0),
                                               header_only(FrameKind::reply, 0),
                                               header_only(FrameKind::handshake, 0)};
  for (int round = 0; round < 100; ++round) {
    std::vector<std::byte> bytes(kFrameHeaderBytes + random() % 1000);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    nonsense.push_back(std::move(bytes));
  }
  for (const auto& bytes : nonsense) {
    const RawClient client{where(server)};
    client.write(bytes);
    EXPECT_TRUE(client.await_end());
    ASSERT_EQ(ask(*good, "efine"), "fine");
  }
  EXPECT_EQ(server.server->counters().sessions_open, 1U);
  EXPECT_EQ(server.board.copy_of(server.board.peers).size(), 1U);
}

TEST_P(MisbehaviourTest, NonsenseOfASessionEndsThatSession) {
  TestServer server;
  const auto good = server.connect(where(server));
  ASSERT_TRUE(good);
  const std::vector<std::vector<std::byte>> nonsense{
      bytes_of(std::string(kFrameHeaderBytes, '?')), header_only(FrameKind::reply, 0),
      header_only(FrameKind::handshake, 0), header_only(FrameKind::request, kMaxBodyBytes + 1)};
  for (const auto& bytes : nonsense) {
    const RawClient client{where(server)};
    ASSERT_TRUE(client.enter());
    client.write(bytes);
    EXPECT_TRUE(client.await_end());
    ASSERT_EQ(ask(*good, "efine"), "fine");
  }
  EXPECT_TRUE(server.board.await([&] { return server.board.closed.size() == nonsense.size(); }));
  EXPECT_EQ(server.server->counters().dropped, nonsense.size());
}

TEST_P(MisbehaviourTest, AnEventIsIgnored) {
  TestServer server;
  const RawClient client{where(server)};
  ASSERT_TRUE(client.enter());
  ASSERT_TRUE(client.send(FrameKind::event, message("from a later version")));
  ASSERT_TRUE(client.send(FrameKind::request, message("eagain")));
  EXPECT_TRUE(server.board.await([&] { return server.board.handled == std::vector<std::string>{"eagain"}; }));
}

TEST_P(MisbehaviourTest, WhoIsSlowInTheHandshakeIsDropped) {
  ServerOptions options = plain_options();
  options.handshake_timeout = 200ms;
  TestServer server{std::move(options)};
  const auto good = server.connect(where(server));
  ASSERT_TRUE(good);
  const RawClient silent{where(server)};
  const RawClient half{where(server)};
  half.write(header_only(FrameKind::handshake, 1000));
  EXPECT_TRUE(silent.await_end());
  EXPECT_TRUE(half.await_end());
  EXPECT_EQ(ask(*good, "efine"), "fine");
}

TEST_P(MisbehaviourTest, WhoSendsHalfARequestHoldsNobodyUp) {
  TestServer server;
  const RawClient half{where(server)};
  ASSERT_TRUE(half.enter());
  half.write(header_only(FrameKind::request, kMaxBodyBytes));
  half.write(bytes_of("e and nothing more"));
  const auto good = server.connect(where(server));
  ASSERT_TRUE(good);
  EXPECT_EQ(ask(*good, "efine"), "fine");
  EXPECT_EQ(server.server->counters().sessions_open, 2U);
}

TEST_P(MisbehaviourTest, WhoDoesNotReadItsRepliesIsDroppedWhenTooManyWait) {
  ServerOptions options = plain_options();
  options.max_unsent_bytes = std::size_t{24} << 20;
  TestServer server{std::move(options)};
  const auto good = server.connect(where(server));
  ASSERT_TRUE(good);
  const RawClient client{where(server)};
  ASSERT_TRUE(client.enter());
  for (int round = 0; round < 8; ++round)
    if (!client.send(FrameKind::request, message("l\x08"))) break;
  EXPECT_TRUE(client.await_hang_up());
  EXPECT_TRUE(server.board.await([&] { return server.board.closed.size() == 1; }));
  EXPECT_EQ(ask(*good, "efine"), "fine");
}

TEST_P(MisbehaviourTest, WhoDoesNotReadItsRepliesIsDroppedAfterAWhile) {
  ServerOptions options = plain_options();
  options.write_timeout = 200ms;
  TestServer server{std::move(options)};
  const auto good = server.connect(where(server));
  ASSERT_TRUE(good);
  const RawClient client{where(server)};
  ASSERT_TRUE(client.enter());
  ASSERT_TRUE(client.send(FrameKind::request, message("l\x0f")));
  EXPECT_TRUE(client.await_hang_up());
  EXPECT_TRUE(server.board.await([&] { return server.board.closed.size() == 1; }));
  EXPECT_EQ(ask(*good, "efine"), "fine");
}

TEST_P(MisbehaviourTest, WhoSendsMoreThanIsServedIsNotReadFromAndKeepsItsOrder) {
  ServerOptions options = plain_options();
  options.max_waiting_requests = 4;
  TestServer server{std::move(options)};
  const RawClient client{where(server)};
  ASSERT_TRUE(client.enter());
  ASSERT_TRUE(client.send(FrameKind::request, message("w")));
  ASSERT_TRUE(server.board.await([&] { return server.board.in_handle == 1; }));
  // Together more than the kernel holds back for the two of them.
  const std::string large(std::size_t{1} << 20, '.');
  std::vector<std::string> order{"w"};
  for (int at = 0; at < 40; ++at) order.push_back("r" + std::to_string(at) + large);
  std::thread sends{[&] {
    for (std::size_t at = 1; at < order.size(); ++at) EXPECT_TRUE(client.send(FrameKind::request, message(order[at])));
  }};
  const auto good = server.connect(where(server));
  for (int round = 0; round < 200; ++round) ASSERT_EQ(ask(*good, "qfine"), "fine");
  EXPECT_LE(server.server->counters().bytes_received, std::size_t{30} << 20);
  server.board.note([&] { server.board.handled = {"w"}; });
  server.board.release();
  sends.join();
  EXPECT_TRUE(server.board.await([&] { return server.board.handled.size() == order.size(); }));
  for (std::string& each : order) each.resize(std::min<std::size_t>(each.size(), 40));
  EXPECT_EQ(server.board.copy_of(server.board.handled), order);
}

TEST(ServerLimitsTest, OneSessionTooManyIsRefusedAndRoomComesBack) {
  ServerOptions options = plain_options();
  options.max_sessions = 2;
  TestServer server{std::move(options)};
  auto one = server.connect(server.local());
  const auto two = server.connect(server.tcp());
  ASSERT_TRUE(one && two);
  const auto third = server.try_connect(server.local());
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code, Code::no_memory);
  EXPECT_NE(third.error().message.find("2 sessions"), std::string::npos) << third.error().message;
  one->goodbye();
  const auto limit = patience();
  auto again = server.try_connect(server.local());
  while (!again && std::chrono::steady_clock::now() < limit) again = server.try_connect(server.local());
  EXPECT_TRUE(again.ok());
}

TEST(ServerLimitsTest, HandshakesBeyondTheLimitWaitForTheirTurn) {
  ServerOptions options = plain_options();
  options.max_handshakes = 2;
  options.handshake_timeout = 300ms;
  TestServer server{std::move(options)};
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int at = 0; at < 6; ++at) idle.push_back(std::make_unique<RawClient>(server.local()));
  EXPECT_EQ(ask(*server.connect(server.local()), "efine"), "fine");
  for (const auto& client : idle) EXPECT_TRUE(client->await_end());
}

TEST(ServerLimitsTest, AThousandConnectionsFromAFewThreads) {
  TestServer server;
  std::vector<std::unique_ptr<Channel>> channels(1000);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (std::size_t at = thread; at < channels.size(); at += 4)
        channels[at] = server.connect(at % 2 == 0 ? server.local() : server.tcp());
      for (std::size_t at = thread; at < channels.size(); at += 4) {
        const std::string text = "number " + std::to_string(at);
        if (channels[at] && ask(*channels[at], "e" + text) == text) ++right;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 1000);
  EXPECT_EQ(server.server->counters().sessions_open, 1000U);
  channels.clear();
  EXPECT_TRUE(server.board.await([&] { return server.board.closed.size() == 1000; }));
}

/// A server in a process of its own, with few descriptors.
TEST(ServerLimitsTest, WithoutDescriptorsItWaitsWithoutTurningAndServesWhoIsThere) {
  const Folder folder;
  const psnam::test::Signal ready;
  const psnam::test::Child process{[&] {
    const rlimit few{.rlim_cur = 40, .rlim_max = 40};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 1;
    log::set_level(log::Level::error);
    Board board;
    TestAcceptor acceptor{board};
    auto server = Server::create(plain_options(), acceptor);
    if (!server || !(*server)->listen(*Address::parse(folder.at("socket")))) return 2;
    ready.give();
    return (*server)->run().ok() ? 0 : 3;
  }};
  ready.await();
  const auto address = Address::parse(folder.at("socket"));
  const auto connect = [&](milliseconds timeout) {
    return Channel::connect(*address, no_credentials(), facts_of_this_process(), timeout);
  };
  const auto first = connect(kPatience);
  ASSERT_TRUE(first.ok()) << first.error().message;
  std::vector<std::unique_ptr<RawClient>> many;
  for (int at = 0; at < 60; ++at) many.push_back(std::make_unique<RawClient>(*address));
  EXPECT_EQ(ask(**first, "efine"), "fine");
  clockid_t clock{};
  ASSERT_EQ(::clock_getcpuclockid(process.pid(), &clock), 0);
  timespec before{}, after{};
  ::clock_gettime(clock, &before);
  EXPECT_FALSE(connect(600ms).ok());  // nobody takes it: that is how long the server is watched
  ::clock_gettime(clock, &after);
  const auto used_ns = (after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec;
  EXPECT_LT(used_ns, 300'000'000);
  EXPECT_EQ(ask(**first, "efine"), "fine");
  many.clear();
  const auto again = connect(kPatience);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(ask(**again, "efine"), "fine");
}

TEST(ServerListenTest, ASocketThatADeadServerLeftIsReplacedAndALiveOneIsNot) {
  const Folder folder;
  const auto address = Address::parse(folder.at("socket"));
  {
    const Fd left{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto raw = address->resolve()->front();
    ASSERT_EQ(::bind(left.get(), raw.get(), raw.bytes), 0);
  }
  Board board;
  TestAcceptor acceptor{board};
  auto server = Server::create(plain_options(), acceptor);
  ASSERT_TRUE((*server)->listen(*address).ok());
  auto second = Server::create(plain_options(), acceptor);
  EXPECT_EQ((*second)->listen(*address).error().code, Code::busy);
  second = Error{Code::system, "gone"};
  struct stat status {};
  EXPECT_EQ(::stat(address->path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0666U);
  server = Error{Code::system, "gone"};
  EXPECT_NE(::stat(address->path.c_str(), &status), 0);
}

TEST(ServerListenTest, AFileThatIsNoSocketIsLeftAlone) {
  const Folder folder;
  { const Fd file{::open(folder.at("file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)}; }
  Board board;
  TestAcceptor acceptor{board};
  auto server = Server::create(plain_options(), acceptor);
  EXPECT_EQ((*server)->listen(*Address::parse(folder.at("file"))).error().code, Code::busy);
  EXPECT_TRUE(std::filesystem::exists(folder.at("file")));
}

TEST(ServerListenTest, ATakenPortIsNamed) {
  TestServer server;
  Board board;
  TestAcceptor acceptor{board};
  auto second = Server::create(plain_options(), acceptor);
  const auto refused = (*second)->listen(server.tcp());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::busy);
  EXPECT_NE(refused.error().message.find(server.tcp().text()), std::string::npos);
}

TEST(ServerStopTest, ComesAlsoBeforeRunAndWithSessionsInAllStates) {
  {
    Board board;
    TestAcceptor acceptor{board};
    auto server = Server::create(plain_options(), acceptor);
    (*server)->stop();
    EXPECT_TRUE((*server)->run().ok());
  }
  TestServer server;
  const auto idle = server.connect(server.local());
  const auto busy = server.connect(server.tcp());
  const RawClient silent{server.local()};
  const RawClient half{server.tcp()};
  half.write(header_only(FrameKind::handshake, 100));
  std::thread waits{[&] { EXPECT_EQ(busy->call(message("w"), kPatience).error().code, Code::unreachable); }};
  ASSERT_TRUE(server.board.await([&] { return server.board.in_handle == 1; }));
  server.server->stop();
  waits.join();
  server.stop();
  EXPECT_EQ(server.board.copy_of(server.board.closed).size(), 2U);
  EXPECT_EQ(server.server->counters().sessions_open, 0U);
}

}  // namespace
}  // namespace psnam::nam::control::test
