// Sessions: what a client that lies is answered, and what is left of one that has ended.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <functional>
#include <thread>

#include "format/control_page.hpp"
#include "nam/control/channel.hpp"
#include "nam/reply.hpp"
#include "nam/request.hpp"
#include "support/child.hpp"
#include "support/host_fixture.hpp"

namespace psnam::test {
namespace {

using namespace std::chrono_literals;
using nam::AccessRight;
namespace request = nam::request;
namespace reply = nam::reply;
using Users = std::vector<format::ProcessIdentity>;

constexpr std::uint64_t kBytes = 8192;
constexpr uid_t kNobody = 65534;

/// Waits until `condition` holds; false after a while.
bool await(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A connection that sends whatever it is told to.
class RawClient {
 public:
  explicit RawClient(const nam::control::Address& address) {
    auto facts = nam::control::this_client();
    if (!facts) throw std::runtime_error{facts.error().message};
    auto channel = nam::control::Channel::connect(address, {}, *facts, 20s);
    if (!channel) throw std::runtime_error{channel.error().message};
    channel_ = std::move(*channel);
  }
  Result<nam::Received> ask(const request::Any& what) {
    PSNAM_TRY(auto message, channel_->call({.body = request::encode(what)}, 20s));
    PSNAM_TRY(reply::Any answer, reply::decode(message.body));
    if (Error* const error = std::get_if<Error>(&answer)) return std::move(*error);
    return nam::Received{std::move(answer), std::move(message.descriptors)};
  }
  template <class Reply>
  Reply get(const request::Any& what) {
    auto answer = ask(what);
    if (!answer) {
      ADD_FAILURE() << answer.error().message;
      return {};
    }
    return std::get<Reply>(answer->reply);
  }
  [[nodiscard]] nam::control::Channel& channel() { return *channel_; }
  [[nodiscard]] Users user() const { return {nam::session_user(1, 0, channel_->session())}; }

 private:
  std::unique_ptr<nam::control::Channel> channel_;
};

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(host_.start());
    ASSERT_EQ(::chmod(host_.folder().c_str(), 0711), 0);
    owner_ = std::make_unique<RawClient>(host_.socket());
  }
  [[nodiscard]] TestHost& host() { return host_; }
  [[nodiscard]] RawClient& owner() { return *owner_; }
  void owner_dies() { owner_.reset(); }

  /// A window of the owner, with its memory, in use by `users`.
  nam::WindowUse window(const std::string& name, const Users& users) {
    auto use = owner().get<nam::WindowUse>(request::CreateWindow{draft_of(name, {kBytes, kBytes}), {}, users});
    for (const auto& region : use.window.regions)
      owner().get<reply::Range>(request::CreateMemory{region.allocation_id, kBytes, format::Reserve::full, false});
    return use;
  }
  [[nodiscard]] std::uint64_t windows() { return host_.host().store().summary()->windows; }
  void expect_clean() {
    const auto findings = host_.host().store().check();
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_EQ(*findings, nam::Findings{});
  }

 private:
  TestHost host_;
  std::unique_ptr<RawClient> owner_;
};

struct Lie {
  const char* what;
  request::Any request;
  Code code;
};

void expect_refused(RawClient& liar, const std::vector<Lie>& lies) {
  for (const Lie& lie : lies) {
    const auto answer = liar.ask(lie.request);
    ASSERT_FALSE(answer.ok()) << lie.what;
    EXPECT_EQ(answer.error().code, lie.code) << lie.what << ": " << answer.error().message;
  }
}

backends::IndivisibleRequest sum_at(std::ptrdiff_t offset) {
  backends::IndivisibleRequest one;
  one.op = backends::Op::sum;
  one.kind = backends::Kind::int64;
  one.target = {{.offset = offset, .length = 8, .stride = 0, .count = 1}};
  one.operand.resize(8);
  return one;
}

TEST_F(SessionTest, WhatIsInUseByOthersIsNotThereForASession) {
  const auto use = window("secret", owner().user());
  const std::uint64_t root = use.window.regions[0].allocation_id;
  const auto agent = owner().get<reply::Agent>(request::OpenAgent{use.window.id});
  RawClient liar{host().socket()};
  const std::size_t page = format::control_page_bytes(1);
  expect_refused(liar,
                 {{"close", request::Close{use.use_id}, Code::access},
                  {"duplicate", request::Duplicate{use.use_id}, Code::access},
                  {"create_control", request::CreateControl{use.use_id, page}, Code::access},
                  {"open_control", request::OpenControl{use.use_id, page}, Code::access},
                  {"drop_control", request::DropControl{use.use_id}, Code::access},
                  {"create_memory", request::CreateMemory{root, kBytes, format::Reserve::full, false}, Code::access},
                  {"open_range", request::OpenRange{root, 0, kBytes, AccessRight::read_only, false}, Code::access},
                  {"open_range, remote", request::OpenRange{root, 0, 1, AccessRight::read_only, true}, Code::access},
                  {"reserve_range", request::ReserveRange{root, 0, kBytes}, Code::access},
                  {"persist", request::Persist{root, 0, kBytes}, Code::access},
                  {"open_agent", request::OpenAgent{use.window.id}, Code::access},
                  {"close_agent", request::CloseAgent{agent.number}, Code::name_not_found},
                  {"lock", request::Lock{agent.number, 0, nam::LockKind::exclusive, 0}, Code::name_not_found},
                  {"unlock", request::Unlock{agent.number, 0}, Code::name_not_found},
                  {"execute", request::Execute{agent.number, 0, sum_at(0)}, Code::name_not_found},
                  {"reopen", request::Reopen{use.window.id, AccessRight::read_only}, Code::name_not_found}});
  EXPECT_TRUE(owner().ask(request::GetWindow{use.window.id}).ok());
  EXPECT_TRUE(owner().ask(request::OpenRange{root, 0, kBytes, AccessRight::read_write, false}).ok());
  expect_clean();
}

TEST_F(SessionTest, WhatIsNotThereIsAnErrorOfEachRequest) {
  constexpr std::uint64_t kNone = 987654321;
  expect_refused(
      owner(),
      {{"get_window", request::GetWindow{kNone}, Code::name_not_found},
       {"set_consistency", request::SetConsistency{kNone, format::Consistency::persistent, false},
        Code::name_not_found},
       {"find_window", request::FindWindow{"none"}, Code::name_not_found},
       {"open_window", request::OpenWindow{"none", AccessRight::read_only, owner().user()}, Code::name_not_found},
       {"duplicate", request::Duplicate{kNone}, Code::name_not_found},
       {"get_allocation", request::GetAllocation{kNone}, Code::name_not_found},
       {"find_allocation", request::FindAllocation{"none"}, Code::name_not_found},
       {"open_allocation", request::OpenAllocation{kNone, {}, AccessRight::read_only, owner().user()},
        Code::name_not_found},
       {"free_allocation", request::FreeAllocation{kNone, true}, Code::name_not_found},
       {"publish", request::Publish{"a", "none"}, Code::name_not_found},
       {"look_up", request::LookUp{"none"}, Code::service_not_found},
       {"unpublish", request::Unpublish{"a", "none"}, Code::service_not_found},
       {"open_range", request::OpenRange{kNone, 0, 1, AccessRight::read_only, false}, Code::access},
       {"create_control", request::CreateControl{kNone, 1}, Code::name_not_found},
       {"open_locks", request::OpenLocks{kNone, 1}, Code::name_not_found},
       {"open_notifications", request::OpenNotifications{kNone}, Code::name_not_found},
       {"post_notification", request::PostNotification{kNone, 1, 0}, Code::access},
       {"take_notification", request::TakeNotification{kNone, 0}, Code::access},
       {"count_notifications", request::CountNotifications{kNone}, Code::access},
       {"open_agent", request::OpenAgent{kNone}, Code::access},
       {"remove_window", request::RemoveWindow{"none"}, Code::name_not_found},
       {"set_capacity", request::SetCapacity{0}, Code::invalid_argument}});
  EXPECT_TRUE(owner().ask(request::Close{kNone}).ok()) << "ended already";
  EXPECT_TRUE(owner().ask(request::ForgetMemory{kNone}).ok()) << "forgotten already";
  expect_clean();
}

TEST_F(SessionTest, SizesAndOffsetsThatLieAreRefused) {
  const auto use = window("mine", owner().user());
  const std::uint64_t root = use.window.regions[0].allocation_id;
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  const auto lies = [&](bool remote) {
    return std::vector<Lie>{
        {"beyond", request::OpenRange{root, 0, kBytes + 1, AccessRight::read_only, remote}, Code::access},
        {"around", request::OpenRange{root, kMost, 2, AccessRight::read_only, remote}, Code::access},
        {"all", request::OpenRange{root, 1, kMost, AccessRight::read_only, remote}, Code::access},
        {"reserve", request::ReserveRange{root, 1, kMost}, Code::access},
        {"again", request::CreateMemory{root, kBytes - 1, format::Reserve::full, remote}, Code::size},
        {"page", request::CreateControl{use.use_id, kMost}, Code::size},
        {"locks", request::OpenLocks{use.window.id, 1U << 30}, Code::size}};
  };
  expect_refused(owner(), lies(false));
  expect_refused(owner(), lies(true));
  EXPECT_FAILS(owner().ask(request::OpenRange{root, 0, kBytes, AccessRight::read_only, true}), Code::unsupported,
               "before it was opened");
  const auto agent = owner().get<reply::Agent>(request::OpenAgent{use.window.id});
  auto endless = sum_at(0);
  endless.target[0].count = kMost;
  auto unknown = sum_at(0);
  unknown.op = static_cast<backends::Op>(200);
  expect_refused(owner(), {{"negative", request::Execute{agent.number, 0, sum_at(-8)}, Code::range},
                           {"outside", request::Execute{agent.number, 0, sum_at(kBytes)}, Code::range},
                           {"no rank", request::Execute{agent.number, 2, sum_at(0)}, Code::rank}});
  EXPECT_FALSE(owner().ask(request::Execute{agent.number, 0, endless}).ok());
  EXPECT_FALSE(owner().ask(request::Execute{agent.number, 0, unknown}).ok());
  EXPECT_FAILS(owner().ask(request::Lock{agent.number, 7, nam::LockKind::shared, 0}), Code::rank, "7");
  expect_clean();
}

TEST_F(SessionTest, AReaderDoesNotGetTheRightToWrite) {
  const auto use = window("read", owner().user());
  owner().get<reply::Text>(request::SetConsistency{use.window.id, format::Consistency::persistent, false});
  RawClient reader{host().socket()};
  const auto reading = reader.get<nam::WindowUse>(request::OpenWindow{"read", AccessRight::read_only, reader.user()});
  const std::uint64_t root = reading.window.regions[0].allocation_id;
  reader.get<reply::Fabric>(request::OpenFabric{});
  expect_refused(reader, {{"mapped", request::OpenRange{root, 0, kBytes, AccessRight::read_write, false}, Code::access},
                          {"remote", request::OpenRange{root, 0, kBytes, AccessRight::read_write, true}, Code::access},
                          {"reserve", request::ReserveRange{root, 0, kBytes}, Code::access}});
  const auto agent = reader.get<reply::Agent>(request::OpenAgent{reading.window.id});
  EXPECT_FAILS(reader.ask(request::Execute{agent.number, 0, sum_at(0)}), Code::access, "reading");
  auto look = sum_at(0);
  look.op = backends::Op::no_op;
  look.operand.clear();
  look.wants_old = true;
  EXPECT_EQ(reader.get<reply::Bytes>(request::Execute{agent.number, 0, look}).bytes.size(), 8U);
  auto mapped = reader.ask(request::OpenRange{root, 0, kBytes, AccessRight::read_only, false});
  ASSERT_TRUE(mapped) << mapped.error().message;
  ASSERT_EQ(mapped->descriptors.size(), 1U);
  EXPECT_EQ(::fcntl(mapped->descriptors[0].get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST_F(SessionTest, UsersAreSessionsThatLive) {
  auto gone = std::make_unique<RawClient>(host().socket());
  const Users dead = gone->user();
  gone.reset();
  ASSERT_TRUE(await([&] { return host().host().counters().sessions_open == 1; }));
  expect_refused(owner(), {{"dead", request::CreateWindow{draft_of("w", {64}), {}, dead}, Code::peer_lost},
                           {"process", request::CreateWindow{draft_of("w", {64}), {}, me()}, Code::access},
                           {"allocate", request::Allocate{{.size_bytes = 64}, dead}, Code::peer_lost}});
  EXPECT_EQ(windows(), 0U);
  expect_clean();
}

TEST_F(SessionTest, WhatIsNoRequestCostsTheConnectionAndNobodyElseAnything) {
  const auto use = window("kept", owner().user());
  for (const std::size_t bytes : {1U, 8U, 64U, 4096U}) {
    RawClient liar{host().socket()};
    std::vector<std::byte> garbage(bytes, std::byte{0xa5});
    EXPECT_FAILS(liar.channel().call({.body = garbage}, 20s).status(), Code::unreachable, "");
  }
  EXPECT_TRUE(owner().ask(request::GetWindow{use.window.id}).ok());
}

TEST_F(SessionTest, AFileThatAClientCutsShortIsThatClientsLoss) {
  const auto use = window("cut", owner().user());
  const std::uint64_t root = use.window.regions[0].allocation_id;
  const auto agent = owner().get<reply::Agent>(request::OpenAgent{use.window.id});
  auto memory = owner().ask(request::OpenRange{root, 0, kBytes, AccessRight::read_write, false});
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_TRUE(owner().ask(request::Execute{agent.number, 0, sum_at(4096)}).ok());
  ASSERT_EQ(::ftruncate(memory->descriptors[0].get(), 0), 0);
  EXPECT_TRUE(owner().ask(request::Execute{agent.number, 0, sum_at(0)}).ok());
  auto page = owner().ask(request::OpenLocks{use.window.id, 2});
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(::ftruncate(page->descriptors[0].get(), 0), 0);
  EXPECT_TRUE(owner().ask(request::Lock{agent.number, 1, nam::LockKind::exclusive, 0}).ok());
  EXPECT_TRUE(RawClient{host().socket()}.ask(request::Summary{}).ok());
}

TEST_F(SessionTest, OverTcpThereAreNoDescriptors) {
  RawClient remote{host().tcp()};
  const auto use = remote.get<nam::WindowUse>(request::CreateWindow{draft_of("far", {kBytes}), {}, remote.user()});
  const std::uint64_t root = use.window.regions[0].allocation_id;
  expect_refused(remote,
                 {{"memory", request::CreateMemory{root, kBytes, format::Reserve::full, false}, Code::unsupported},
                  {"control", request::CreateControl{use.use_id, 64}, Code::unsupported},
                  {"locks", request::OpenLocks{use.window.id, 1}, Code::unsupported},
                  {"queue", request::OpenNotifications{root}, Code::unsupported}});
  EXPECT_TRUE(remote.ask(request::CreateMemory{root, kBytes, format::Reserve::full, true}).ok());
}

TEST_F(SessionTest, AUseLivesUntilTheLastOfItsSessionsHasEnded) {
  auto second = std::make_unique<RawClient>(host().socket());
  Users both = owner().user();
  both.push_back(second->user().front());
  const auto use = window("shared", both);
  owner_dies();
  ASSERT_TRUE(await([&] { return host().host().counters().sessions_open == 1; }));
  EXPECT_EQ(windows(), 1U);
  EXPECT_TRUE(
      second->ask(request::OpenRange{use.window.regions[0].allocation_id, 0, 1, AccessRight::read_write, false}).ok());
  second.reset();
  EXPECT_TRUE(await([&] { return windows() == 0; }));
  expect_clean();
}

TEST_F(SessionTest, WhatASessionHeldIsFreeWhenItEnds) {
  const auto use = window("locked", owner().user());
  owner().get<reply::Text>(request::SetConsistency{use.window.id, format::Consistency::persistent, false});
  const auto take = [&](RawClient& client, std::uint64_t wait_us) {
    const auto agent = client.get<reply::Agent>(request::OpenAgent{use.window.id});
    return std::pair{agent.number,
                     client.get<reply::Flag>(request::Lock{agent.number, 0, nam::LockKind::exclusive, wait_us}).value};
  };
  RawClient third{host().socket()};
  third.get<nam::WindowUse>(request::OpenWindow{"locked", AccessRight::read_write, third.user()});
  auto second = std::make_unique<RawClient>(host().socket());
  second->get<nam::WindowUse>(request::OpenWindow{"locked", AccessRight::read_write, second->user()});
  EXPECT_TRUE(take(owner(), 0).second);
  EXPECT_FALSE(take(*second, 1000).second) << "it stands in the queue from now on";
  second.reset();
  const auto [agent, had] = take(third, 1000);
  EXPECT_FALSE(had);
  owner_dies();
  EXPECT_TRUE(await([&, id = agent] {
    return third.get<reply::Flag>(request::Lock{id, 0, nam::LockKind::exclusive, 10'000}).value;
  }));
}

TEST_F(SessionTest, AStoppedClientInTheQueueDoesNotKeepOthersFromBeingServed) {
  const auto use = window("held", owner().user());
  const auto agent = owner().get<reply::Agent>(request::OpenAgent{use.window.id});
  EXPECT_TRUE(owner().get<reply::Flag>(request::Lock{agent.number, 0, nam::LockKind::exclusive, 0}).value);
  // More waits than the server has threads for requests.
  std::vector<std::unique_ptr<RawClient>> waiting;
  owner().get<reply::Text>(request::SetConsistency{use.window.id, format::Consistency::persistent, false});
  for (int i = 0; i < 12; ++i) {
    waiting.push_back(std::make_unique<RawClient>(host().socket()));
    RawClient& client = *waiting.back();
    client.get<nam::WindowUse>(request::OpenWindow{"held", AccessRight::read_write, client.user()});
    const auto mine = client.get<reply::Agent>(request::OpenAgent{use.window.id});
    EXPECT_FALSE(client.get<reply::Flag>(request::Lock{mine.number, 0, nam::LockKind::exclusive, 0}).value);
  }
  EXPECT_TRUE(owner().ask(request::Summary{}).ok());
  EXPECT_TRUE(owner().ask(request::Unlock{agent.number, 0}).ok());
}

TEST_F(SessionTest, ReleasedMemoryIsKeptFromOthersUntilTheEndpointIsGone) {
  RawClient remote{host().tcp()};
  remote.get<reply::Fabric>(request::OpenFabric{});
  const auto use = remote.get<nam::AllocationUse>(request::Allocate{{.size_bytes = kBytes}, remote.user()});
  const auto range =
      remote.get<reply::Range>(request::OpenRange{use.allocation.root_id, 0, kBytes, AccessRight::read_write, true});
  EXPECT_NE(range.key, 0U);
  EXPECT_EQ(host().host().quarantined_bytes(), 0U);
  remote.get<reply::Done>(request::Close{use.use_id});
  EXPECT_EQ(host().host().store().summary()->reserved_bytes, 0U);
  EXPECT_EQ(host().host().quarantined_bytes(), kBytes);
  remote.get<reply::Fabric>(request::OpenFabric{});
  EXPECT_EQ(host().host().quarantined_bytes(), 0U);
  expect_clean();
}

/// What another user of this machine is answered; a process of his runs `body` with the socket's address.
int as_nobody(const TestHost& host, const Signal& ready, const std::function<int(RawClient&)>& body) {
  ready.await();
  if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) return 2;
  try {
    RawClient client{host.socket()};
    return body(client);
  } catch (const std::exception&) {
    return 3;
  }
}

bool refused(RawClient& client, const request::Any& what) {
  const auto answer = client.ask(what);
  return !answer && answer.error().code == Code::access;
}

TEST(SessionsOfUsers, AnotherUserGetsWhatTheModeGivesHim) {
  if (::geteuid() != 0) GTEST_SKIP() << "another user can be had by user 0 only";
  TestHost host;
  const Signal ready;
  // Before the server's threads are there: a child has only the thread that forked it.
  Child other{[&] {
    return as_nobody(host, ready, [](RawClient& client) {
      const bool kept_out = refused(client, request::OpenWindow{"private", AccessRight::read_only, client.user()}) &&
                            refused(client, request::RemoveWindow{"private"}) &&
                            refused(client, request::RemoveWindow{"public"}) &&
                            refused(client, request::OpenWindow{"public", AccessRight::read_write, client.user()}) &&
                            refused(client, request::SetCapacity{1}) && refused(client, request::Collect{}) &&
                            refused(client, request::Check{}) && refused(client, request::Publish{"name", "private"});
      const auto list = client.get<reply::Windows>(request::ListWindows{0});
      const auto use = client.get<nam::WindowUse>(request::OpenWindow{"public", AccessRight::read_only, client.user()});
      const auto memory =
          client.ask(request::OpenRange{use.window.regions[0].allocation_id, 0, kBytes, AccessRight::read_only, false});
      return kept_out && list.windows.size() == 1 && memory && memory->descriptors.size() == 1 ? 0 : 1;
    });
  }};
  ASSERT_NO_FATAL_FAILURE(host.start());
  ASSERT_EQ(::chmod(host.folder().c_str(), 0711), 0);
  const auto client = host.client();
  for (const auto& [name, mode] : {std::pair{"private", 0600U}, std::pair{"public", 0644U}}) {
    auto draft = draft_of(name, {kBytes});
    draft.mode = mode;
    const auto use = client->create(std::move(draft), {}, users_of(*client));
    ASSERT_TRUE(use) << use.error().message;
    ASSERT_TRUE(client->create_memory(use->window.regions[0].allocation_id, kBytes, format::Reserve::full).ok());
    make_persistent(*client, use->window.id);
  }
  ready.give();
  EXPECT_EQ(other.wait(), 0);
}

TEST(SessionsOfUsers, AKilledClientLosesWhatWasVolatileAndNothingElse) {
  TestHost host;
  const Signal ready;
  const Signal made;
  Child client{[&] {
    ready.await();
    RawClient raw{host.socket()};
    for (const char* name : {"kept", "lost"}) {
      const auto use = raw.get<nam::WindowUse>(request::CreateWindow{draft_of(name, {kBytes}), {}, raw.user()});
      raw.get<reply::Range>(
          request::CreateMemory{use.window.regions[0].allocation_id, kBytes, format::Reserve::full, false});
      if (name == std::string{"kept"})
        raw.get<reply::Text>(request::SetConsistency{use.window.id, format::Consistency::persistent, false});
    }
    made.give();
    ::pause();
    return 0;
  }};
  ASSERT_NO_FATAL_FAILURE(host.start());
  ready.give();
  made.await();
  EXPECT_EQ(host.host().store().summary()->windows, 2U);
  client.kill();
  EXPECT_TRUE(await([&] { return host.host().store().summary()->windows == 1; }));
  EXPECT_TRUE(await([&] { return host.host().store().summary()->uses == 0; }));
  EXPECT_TRUE(host.host().store().find("kept").ok());
}

}  // namespace
}  // namespace psnam::test
