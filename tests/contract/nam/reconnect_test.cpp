// A server that goes and comes back on the same store: what its clients find again.
#include <atomic>
#include <thread>

#include "backends/indivisible.hpp"
#include "support/child.hpp"
#include "support/host_fixture.hpp"

namespace psnam::test {
namespace {

constexpr std::uint64_t kBytes = 65536;

class ReconnectTest : public ::testing::TestWithParam<Path> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(host_.start());
    client_ = host_.client(GetParam());
    ASSERT_NE(client_, nullptr);
  }
  void restart() {
    host_.stop();
    ASSERT_NO_FATAL_FAILURE(host_.start());
  }
  [[nodiscard]] TestHost& host() { return host_; }
  [[nodiscard]] nam::Client& client() { return *client_; }
  void forget_client() { client_.reset(); }

 private:
  TestHost host_;
  std::unique_ptr<nam::Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Paths, ReconnectTest, ::testing::Values(Path::automatic, Path::fabric),
                         [](const auto& path) { return path.param == Path::fabric ? "Fabric" : "Mapped"; });

TEST_P(ReconnectTest, WhatIsPersistentIsThereAgainUnderTheSameUse) {
  const auto use = make_window(client(), "kept", {kBytes}, users_of(client()));
  make_persistent(client(), use.window.id);
  auto memory = client().open_memory(use.window.regions[0].allocation_id, kBytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  ASSERT_TRUE(write_to(*memory, 0, "before"));
  const auto user = client().user(0);
  restart();
  EXPECT_EQ(*read_from(*memory, 0, 6), "before");
  ASSERT_TRUE(write_to(*memory, 0, "after!"));
  EXPECT_TRUE(client().get(use.window.id).ok());
  EXPECT_NE(client().user(0)->start_time_ticks, user->start_time_ticks);
  EXPECT_EQ(host().host().store().summary()->uses, 1U);
  const auto again = client().open_memory(use.window.regions[0].allocation_id, kBytes, Protection::read_only);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_TRUE(client().close(use.use_id));
  *memory = {};
  EXPECT_EQ(host().host().store().summary()->uses, 0U);
}

TEST_P(ReconnectTest, WhatWasVolatileIsLostAndSaysSo) {
  const auto use = make_window(client(), "gone", {kBytes}, users_of(client()));
  auto memory = client().open_memory(use.window.regions[0].allocation_id, kBytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  restart();
  EXPECT_FAILS(client().get(use.window.id), Code::peer_lost, "gone");
  EXPECT_FAILS(client().duplicate(use.use_id), Code::peer_lost, "gone");
  if (memory->remote) EXPECT_FAILS(write_to(*memory, 0, "x"), Code::peer_lost, "gone");
  EXPECT_TRUE(client().close(use.use_id).ok()) << "it has ended";
  EXPECT_TRUE(client().summary().ok());
}

TEST_P(ReconnectTest, WithoutAServerCallsFailAndSayWhere) {
  const auto use = make_window(client(), "kept", {kBytes}, users_of(client()));
  make_persistent(client(), use.window.id);
  auto memory = client().open_memory(use.window.regions[0].allocation_id, kBytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  host().stop();
  EXPECT_FAILS(client().find("kept"), Code::unreachable, host().socket().path);
  if (memory->remote) {
    EXPECT_FAILS(write_to(*memory, 0, "x"), Code::unreachable, "");
    EXPECT_FAILS(write_to(*memory, 0, "x"), Code::unreachable, "");
  }
  ASSERT_NO_FATAL_FAILURE(host().start());
  EXPECT_TRUE(client().find("kept").ok());
  EXPECT_TRUE(write_to(*memory, 0, "x").ok());
}

TEST_P(ReconnectTest, AllocationsAreTakenIntoUseAgain) {
  const auto use =
      client().allocate({.size_bytes = kBytes, .consistency = format::Consistency::persistent}, users_of(client()));
  ASSERT_TRUE(use) << use.error().message;
  restart();
  EXPECT_TRUE(client().find_allocation(use->allocation.id).ok());
  EXPECT_EQ(host().host().store().summary()->uses, 1U);
  ASSERT_TRUE(client().close(use->use_id));
  EXPECT_EQ(host().host().store().summary()->uses, 0U);
}

TEST_P(ReconnectTest, LocksThatWereHeldAreLostUntilTheyAreUnlocked) {
  const auto use = make_window(client(), "kept", {kBytes}, users_of(client()));
  make_persistent(client(), use.window.id);
  auto agent = client().open_agent(use.window.id);
  ASSERT_TRUE(agent) << agent.error().message;
  PatientWaiter waiter;
  ASSERT_TRUE((*agent)->lock(0, nam::LockKind::exclusive, waiter));
  restart();
  backends::IndivisibleRequest look;
  look.op = backends::Op::no_op;
  look.kind = backends::Kind::int64;
  look.target = {{.offset = 0, .length = 8, .stride = 0, .count = 1}};
  look.wants_old = true;
  EXPECT_FAILS((*agent)->execute(0, look), Code::peer_lost, "locks");
  EXPECT_FAILS((*agent)->unlock(0), Code::peer_lost, "locks");
  EXPECT_TRUE((*agent)->execute(0, look).ok());
  ASSERT_TRUE((*agent)->lock(0, nam::LockKind::exclusive, waiter));
  EXPECT_TRUE((*agent)->unlock(0).ok());
}

TEST_P(ReconnectTest, AProcessThatOnlyUsesAWindowFindsItAgainToo) {
  const auto second = host().client(GetParam());
  auto users = users_of(client());
  users.push_back(users_of(*second).front());
  const auto use = make_window(client(), "kept", {kBytes}, users);
  make_persistent(client(), use.window.id);
  auto memory = second->open_memory(use.window.regions[0].allocation_id, kBytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  ASSERT_TRUE(write_to(*memory, 8, "before"));
  restart();
  EXPECT_EQ(*read_from(*memory, 8, 6), "before");
  EXPECT_TRUE(second->summary().ok());
  *memory = {};
  EXPECT_TRUE(client().close(use.use_id).ok());
  EXPECT_EQ(host().host().store().summary()->uses, 0U);
}

TEST_P(ReconnectTest, AProcessThatOnlyLocksAWindowFindsItAgainToo) {
  const auto second = host().client(GetParam());
  auto users = users_of(client());
  users.push_back(users_of(*second).front());
  const auto use = make_window(client(), "kept", {kBytes}, users);
  make_persistent(client(), use.window.id);
  auto agent = second->open_agent(use.window.id);
  ASSERT_TRUE(agent) << agent.error().message;
  restart();
  PatientWaiter waiter;
  ASSERT_TRUE((*agent)->lock(0, nam::LockKind::exclusive, waiter));
  EXPECT_TRUE((*agent)->unlock(0).ok());
  agent->reset();
  ASSERT_TRUE(client().close(use.use_id).ok());
  EXPECT_EQ(host().host().store().summary()->uses, 0U);
}

/// A server in a process of its own, which ends when it is killed.
class KilledServer {
 public:
  explicit KilledServer(const TestHost& place) : place_{place} {}
  void start() {
    const Signal ready;
    server_.emplace([&] {
      auto host = nam::NamHost::start(place_.options());
      if (!host) return 1;
      ready.give();
      return (*host)->run() ? 0 : 2;
    });
    ready.await();
  }
  void kill() { server_.reset(); }

 private:
  const TestHost& place_;
  std::optional<Child> server_;
};

TEST(Reconnect, AKilledServerLosesWhatWasVolatileAndNothingElse) {
  const TestHost place;
  KilledServer server{place};
  server.start();
  const auto client = place.client();
  const auto remote = place.client(Path::fabric);
  for (const char* name : {"kept", "lost"}) {
    const auto use = make_window(*client, name, {kBytes}, users_of(*client));
    if (name == std::string{"kept"}) make_persistent(*client, use.window.id);
  }
  const auto use = remote->open("kept", nam::AccessRight::read_write, users_of(*remote));
  ASSERT_TRUE(use) << use.error().message;
  auto memory = remote->open_memory(use->window.regions[0].allocation_id, kBytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  ASSERT_TRUE(write_to(*memory, 0, "before"));
  server.kill();
  EXPECT_FAILS(write_to(*memory, 0, "never"), Code::unreachable, "");
  EXPECT_FAILS(client->find("kept"), Code::unreachable, "");
  server.start();
  const auto list = client->list();
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().window.name, "kept");
  EXPECT_EQ(*read_from(*memory, 0, 6), "before");
  EXPECT_TRUE(remote->close(use->use_id).ok());
}

TEST(Reconnect, AnotherStoreAtTheSameAddressIsRefused) {
  TestHost host;
  ASSERT_NO_FATAL_FAILURE(host.start());
  const auto client = host.client();
  host.stop();
  std::filesystem::remove_all(host.store_folder());
  ASSERT_NO_FATAL_FAILURE(host.start());
  EXPECT_FAILS(client->summary(), Code::unreachable, "another store");
}

TEST(Connect, NobodyThereIsUnreachableAndNamesTheAddress) {
  TestHost host;
  EXPECT_FAILS(nam::Client::connect(host.client_options(Path::automatic)), Code::unreachable, host.socket().path);
}

TEST(Connect, MappedOnlyNeedsTheSameHost) {
  TestHost host;
  ASSERT_NO_FATAL_FAILURE(host.start());
  const auto client = nam::Client::connect(host.client_options(Path::mapped, true));
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_TRUE((*client)->maps()) << "it changed to the Unix socket";
}

TEST(Connect, TheEnvironmentNamesTheManager) {
  TestHost host;
  ASSERT_NO_FATAL_FAILURE(host.start());
  Options options;
  options.manager = host.socket().path;
  const auto client = nam::Client::connect(options);
  ASSERT_TRUE(client) << client.error().message;
  options.manager = "host:port";
  EXPECT_FAILS(nam::Client::connect(options), Code::invalid_argument, "PSNAM_MANAGER");
}

}  // namespace
}  // namespace psnam::test
