// Channel and Server together: calls, their order and deadlines, descriptors, ends.

#include "nam/control/channel.hpp"

#include <signal.h>
#include <sys/socket.h>

#include <set>

#include "control_fixture.hpp"
#include "support/child.hpp"

namespace psnam::nam::control::test {
namespace {

class ChannelTest : public ::testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] Address where(const TestServer& server) const { return GetParam() ? server.local() : server.tcp(); }
};
INSTANTIATE_TEST_SUITE_P(Each, ChannelTest, ::testing::Values(true, false),
                         [](const auto& each) { return each.param ? "UnixSocket" : "Tcp"; });

TEST_P(ChannelTest, ARequestIsAnswered) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  EXPECT_EQ(ask(*channel, "ehello"), "hello");
  EXPECT_EQ(ask(*channel, "qhello"), "hello");
  EXPECT_EQ(ask(*channel, ""), "");
  EXPECT_TRUE(channel->alive());
}

TEST_P(ChannelTest, BothSidesKnowEachOther) {
  ServerOptions options = plain_options();
  const ServerFacts facts = options.facts;
  TestServer server{std::move(options)};
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  ServerFacts expected = facts;
  expected.unix_socket = server.folder.at("socket");
  EXPECT_EQ(channel->server(), expected);
  EXPECT_NE(channel->session(), 0U);
  EXPECT_EQ(channel->local(), GetParam());
  EXPECT_EQ(channel->local_ip(), GetParam() ? "" : "127.0.0.1");
  EXPECT_EQ(channel->server_ip(), GetParam() ? "" : "127.0.0.1");
  ASSERT_EQ(server.board.copy_of(server.board.peers).size(), 1U);
  const Peer peer = server.board.copy_of(server.board.peers).front();
  EXPECT_EQ(peer.facts, facts_of_this_process());
  EXPECT_EQ(peer.uid, ::geteuid());
  EXPECT_EQ(peer.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(peer.local, GetParam());
  EXPECT_EQ(peer.loopback, !GetParam());
  EXPECT_EQ(peer.ip, channel->local_ip());
  EXPECT_EQ(peer.own_ip, channel->server_ip());
  EXPECT_EQ(peer.method, GetParam() ? AuthMethod::kernel : AuthMethod::plain);
}

TEST_P(ChannelTest, SessionsHaveDifferentNumbers) {
  TestServer server;
  const auto one = server.connect(where(server));
  const auto other = server.connect(where(server));
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->session(), other->session());
}

TEST_P(ChannelTest, TheLargestMessageGoesBothWaysAndALargerOneNot) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  std::string large(kMaxBodyBytes, 'x');
  large.front() = 'e';
  EXPECT_EQ(ask(*channel, large).size(), kMaxBodyBytes - 1);
  large += 'x';
  const auto refused = channel->call(message(large), kPatience);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::size);
  EXPECT_EQ(ask(*channel, "estill there"), "still there");
}

TEST_P(ChannelTest, ManyThreadsShareOneConnection) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 200; ++round) {
        const std::string text = std::to_string(thread) + "/" + std::to_string(round) + std::string(round * 50UL, '.');
        if (ask(*channel, (round % 2 == 0 ? "e" : "q") + text) == text) ++right;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 8 * 200);
}

TEST_P(ChannelTest, AKeptAnswerHoldsNobodyUp) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  std::string kept;
  std::thread waits{[&] { kept = ask(*channel, "d"); }};
  ASSERT_TRUE(server.board.await([&] { return server.board.kept.size() == 1; }));
  EXPECT_EQ(ask(*channel, "ebeside"), "beside");
  server.board.release();
  waits.join();
  EXPECT_EQ(kept, "released");
}

TEST_P(ChannelTest, QuickRequestsPassOnesThatTakeLong) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  std::string waited;
  std::thread waits{[&] { waited = ask(*channel, "w"); }};
  ASSERT_TRUE(server.board.await([&] { return server.board.in_handle == 1; }));
  EXPECT_EQ(ask(*channel, "qpast"), "past");
  server.board.release();
  waits.join();
  EXPECT_EQ(waited, "waited");
}

TEST_P(ChannelTest, RequestsOfOneSessionAreServedInOrderAndOneAtATime) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  std::vector<std::thread> threads;
  threads.emplace_back([&] { ask(*channel, "w"); });
  ASSERT_TRUE(server.board.await([&] { return server.board.in_handle == 1; }));
  for (int at = 0; at < 4; ++at) threads.emplace_back([&] { ask(*channel, "w"); });
  // Until all of them have come, and wait.
  std::uint64_t quick = 0;
  while (server.server->counters().requests < 5 + quick) {
    ASSERT_EQ(ask(*channel, "qhere"), "here");
    ++quick;
  }
  server.board.note([&] { EXPECT_EQ(server.board.in_handle, 1U); });
  server.board.release();
  for (auto& thread : threads) thread.join();
  server.board.note([&] { EXPECT_EQ(server.board.in_handle, 5U); });
}

TEST_P(ChannelTest, NoReplyInTimeClosesTheConnectionForAll) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  Result<Message> other{Message{}};
  std::thread waits{[&] { other = channel->call(message("d"), kPatience); }};
  ASSERT_TRUE(server.board.await([&] { return server.board.kept.size() == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  const auto late = channel->call(message("d"), 100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  waits.join();
  for (const Result<Message>* result : {&late, static_cast<const Result<Message>*>(&other)}) {
    ASSERT_FALSE(result->ok());
    EXPECT_EQ(result->error().code, Code::unreachable);
    EXPECT_NE(result->error().message.find(where(server).text()), std::string::npos);
    EXPECT_NE(result->error().message.find("no reply within 100 ms"), std::string::npos) << result->error().message;
  }
  EXPECT_FALSE(channel->alive());
  EXPECT_FALSE(channel->call(message("e"), kPatience).ok());
  EXPECT_TRUE(server.board.await([&] { return server.board.closed.size() == 1; }));
}

TEST_P(ChannelTest, TheServerToldGoodbyeFromAnEndWithoutIt) {
  TestServer server;
  auto polite = server.connect(where(server));
  auto rude = server.connect(where(server));
  ASSERT_TRUE(polite && rude);
  polite->goodbye();
  EXPECT_FALSE(polite->alive());
  EXPECT_TRUE(server.board.await([&] { return server.board.closed == std::vector<bool>{true}; }));
  rude.reset();
  EXPECT_TRUE(server.board.await([&] { return server.board.closed == std::vector<bool>{true, false}; }));
  EXPECT_FALSE(polite->call(message("e"), kPatience).ok());
}

TEST_P(ChannelTest, AServerThatEndsIsNoticedAtOnce) {
  TestServer server;
  const auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  std::thread ends{[&] {
    EXPECT_TRUE(server.board.await([&] { return server.board.kept.size() == 1; }));
    server.server->stop();
  }};
  const auto reply = channel->call(message("d"), kPatience);
  ends.join();
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, Code::unreachable);
  EXPECT_NE(reply.error().message.find("closed the connection"), std::string::npos) << reply.error().message;
  EXPECT_FALSE(channel->alive());
}

TEST_P(ChannelTest, AnAnswerAfterTheEndIsDropped) {
  TestServer server;
  auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  EXPECT_FALSE(channel->call(message("d"), 50ms).ok());
  channel.reset();
  ASSERT_TRUE(server.board.await([&] { return server.board.closed.size() == 1; }));
  ASSERT_EQ(server.board.kept.size(), 1U);
  EXPECT_FALSE(server.board.kept.front().wanted());
  server.board.release();
  EXPECT_EQ(ask(*server.connect(where(server)), "efine"), "fine");
}

TEST_P(ChannelTest, ARequestThatIsLeftUnansweredOrThrowsEndsItsConnection) {
  TestServer server;
  for (const std::string request : {"u", "x"}) {
    const auto channel = server.connect(where(server));
    ASSERT_TRUE(channel);
    const auto reply = channel->call(message(request), kPatience);
    ASSERT_FALSE(reply.ok());
    EXPECT_EQ(reply.error().code, Code::unreachable);
  }
  EXPECT_EQ(ask(*server.connect(where(server)), "efine"), "fine");
  EXPECT_EQ(server.server->counters().dropped, 2U);
}

TEST_P(ChannelTest, TheServerCanEndASession) {
  TestServer server;
  const auto channel = server.connect(where(server));
  const auto other = server.connect(where(server));
  ASSERT_TRUE(channel && other);
  server.server->disconnect(channel->session());
  EXPECT_TRUE(server.board.await([&] { return server.board.closed == std::vector<bool>{false}; }));
  EXPECT_EQ(channel->call(message("e"), kPatience).error().code, Code::unreachable);
  EXPECT_EQ(ask(*other, "efine"), "fine");
}

TEST_P(ChannelTest, AChildCannotUseTheConnectionAndDoesNotHarmIt) {
  TestServer server;
  auto channel = server.connect(where(server));
  ASSERT_TRUE(channel);
  psnam::test::Child child{[&] {
    const auto reply = channel->call(message("echild"), kPatience);
    const bool right = !reply.ok() && reply.error().code == Code::unsupported && !channel->alive();
    channel->goodbye();
    channel.reset();
    return right ? 0 : 1;
  }};
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(ask(*channel, "eparent"), "parent");
}

TEST_P(ChannelTest, ARefusalArrivesWithCodeAndText) {
  TestServer server;
  server.board.refuse = Error{Code::no_memory, "no room for you"};
  const auto refused = server.try_connect(where(server));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::no_memory);
  EXPECT_NE(refused.error().message.find("no room for you"), std::string::npos);
  EXPECT_EQ(server.server->counters().refused, 1U);
  EXPECT_EQ(server.server->counters().sessions_open, 0U);
}

TEST_P(ChannelTest, CountersTell) {
  TestServer server;
  {
    const auto channel = server.connect(where(server));
    ASSERT_TRUE(channel);
    EXPECT_EQ(ask(*channel, "e12345678"), "12345678");
    const ServerCounters counters = server.server->counters();
    EXPECT_EQ(counters.sessions_open, 1U);
    EXPECT_EQ(counters.accepted, 1U);
    EXPECT_EQ(counters.requests, 1U);
    EXPECT_GE(counters.bytes_received, 41U);
    EXPECT_GE(counters.bytes_sent, 40U);
  }
  ASSERT_TRUE(server.board.await([&] { return server.board.closed.size() == 1; }));
  server.stop();
  EXPECT_EQ(server.server->counters().sessions_open, 0U);
}

TEST(ChannelDescriptorsTest, TravelBothWaysOverAUnixSocket) {
  ServerOptions options = plain_options();
  options.max_client_descriptors = kMaxDescriptors;
  TestServer server{std::move(options)};
  const auto channel = server.connect(server.local());
  ASSERT_TRUE(channel);
  const auto reply = channel->call(message("fcontent"), kPatience);
  ASSERT_TRUE(reply.ok());
  ASSERT_EQ(reply->descriptors.size(), 1U);
  EXPECT_EQ(text_in(reply->descriptors.front()), "content");
  EXPECT_NE(::fcntl(reply->descriptors.front().get(), F_GETFD) & FD_CLOEXEC, 0);
  Message request = message("r");
  for (const char* text : {"one", "two", "three"}) request.descriptors.push_back(file_with(text));
  const auto read = channel->call(std::move(request), kPatience);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(text_of(*read), "onetwothree");
}

TEST(ChannelDescriptorsTest, StayWithTheirMessagesWhenManyThreadsAskForThem) {
  TestServer server;
  const auto channel = server.connect(server.local());
  ASSERT_TRUE(channel);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 100; ++round) {
        const std::string text = std::to_string(thread) + "/" + std::to_string(round);
        const auto reply = channel->call(message("f" + text), kPatience);
        if (reply && reply->descriptors.size() == 1 && text_in(reply->descriptors.front()) == text) ++right;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 4 * 100);
}

TEST(ChannelDescriptorsTest, DoNotTravelOverTcp) {
  TestServer server;
  const auto channel = server.connect(server.tcp());
  ASSERT_TRUE(channel);
  Message request = message("r");
  request.descriptors.push_back(file_with("x"));
  EXPECT_EQ(channel->call(std::move(request), kPatience).error().code, Code::unsupported);
  // A server that sends one has a bug, which costs the connection.
  EXPECT_EQ(channel->call(message("fx"), kPatience).error().code, Code::unreachable);
}

TEST(ChannelDescriptorsTest, OfAClientTheServerDoesNotWantEndTheConnection) {
  TestServer server;
  const auto channel = server.connect(server.local());
  ASSERT_TRUE(channel);
  Message request = message("r");
  request.descriptors.push_back(file_with("x"));
  EXPECT_EQ(channel->call(std::move(request), kPatience).error().code, Code::unreachable);
  EXPECT_EQ(ask(*server.connect(server.local()), "efine"), "fine");
}

TEST(ChannelConnectTest, NobodyThereIsUnreachableWithAddressAndCause) {
  const Folder folder;
  for (const std::string& where : {folder.at("nothing"), std::string{"127.0.0.1:1"}}) {
    const auto channel = Channel::connect(*Address::parse(where), no_credentials(), facts_of_this_process(), 5s);
    ASSERT_FALSE(channel.ok());
    EXPECT_EQ(channel.error().code, Code::unreachable);
    EXPECT_NE(channel.error().message.find(where), std::string::npos) << channel.error().message;
  }
}

TEST(ChannelConnectTest, AServerThatNeverAnswersCostsNoMoreThanTheTimeout) {
  const Folder folder;
  const Fd deaf{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const auto address = Address::parse(folder.at("deaf"));
  const auto raw = address->resolve()->front();
  ASSERT_EQ(::bind(deaf.get(), raw.get(), raw.bytes), 0);
  ASSERT_EQ(::listen(deaf.get(), 0), 0);
  // The first waits in the handshake, the next ones for room in the queue.
  for (int round = 0; round < 3; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const auto channel = Channel::connect(*address, no_credentials(), facts_of_this_process(), 200ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
    ASSERT_FALSE(channel.ok());
    EXPECT_EQ(channel.error().code, Code::unreachable) << channel.error().message;
  }
}

TEST(ChannelConnectTest, AStoppedServerProcessDelaysACallByItsTimeoutOnly) {
  const Folder folder;
  const psnam::test::Signal ready;
  psnam::test::Child process{[&] {
    Board board;
    TestAcceptor acceptor{board};
    auto server = Server::create(plain_options(), acceptor);
    if (!server || !(*server)->listen(*Address::parse(folder.at("socket")))) return 1;
    ready.give();
    return (*server)->run().ok() ? 0 : 1;
  }};
  ready.await();
  const auto channel =
      Channel::connect(*Address::parse(folder.at("socket")), no_credentials(), facts_of_this_process(), kPatience);
  ASSERT_TRUE(channel.ok()) << channel.error().message;
  EXPECT_EQ(ask(**channel, "ehere"), "here");
  ASSERT_EQ(::kill(process.pid(), SIGSTOP), 0);
  const auto late = (*channel)->call(message("ehere"), 200ms);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::unreachable);
  EXPECT_FALSE((*channel)->alive());
}

}  // namespace
}  // namespace psnam::nam::control::test
