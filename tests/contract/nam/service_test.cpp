// What nam::Service promises, of each of its implementations: the embedded store, a client that maps, and one that
// reaches all memory over the fabric.
#include <atomic>
#include <thread>

#include "backends/indivisible.hpp"
#include "format/control_page.hpp"
#include "support/host_fixture.hpp"

namespace psnam::test {
namespace {

enum class Kind { embedded, mapped, mapped_after_tcp, fabric, fabric_over_tcp };

std::string name_of(const ::testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::embedded:
      return "Embedded";
    case Kind::mapped:
      return "Mapped";
    case Kind::mapped_after_tcp:
      return "MappedAfterTcp";
    case Kind::fabric:
      return "Fabric";
    case Kind::fabric_over_tcp:
      return "FabricOverTcp";
  }
  return "";
}

class ServiceTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::embedded) {
      store_ = open_store(host_.folder() / "embedded");
      ASSERT_NE(store_, nullptr);
      return;
    }
    ASSERT_NO_FATAL_FAILURE(host_.start());
    first_ = connect();
    ASSERT_NE(first_, nullptr);
  }
  [[nodiscard]] nam::Service& service() {
    if (store_) return *store_;
    return *first_;
  }
  /// Another process, or as good as one. The embedded store is one in a process, and serves for both.
  [[nodiscard]] nam::Service& other() {
    if (store_) return *store_;
    if (!second_) second_ = connect();
    return *second_;
  }
  [[nodiscard]] bool remote() const { return GetParam() == Kind::fabric || GetParam() == Kind::fabric_over_tcp; }
  [[nodiscard]] bool embedded() const { return GetParam() == Kind::embedded; }
  [[nodiscard]] std::vector<format::ProcessIdentity> both() {
    auto users = users_of(service());
    if (!embedded()) users.push_back(users_of(other()).front());
    return users;
  }
  void expect_clean() {
    const auto findings = service().check();
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_EQ(*findings, nam::Findings{});
  }

 private:
  [[nodiscard]] std::unique_ptr<nam::Client> connect() {
    const bool tcp = GetParam() == Kind::mapped_after_tcp || GetParam() == Kind::fabric_over_tcp;
    return host_.client(remote() ? Path::fabric : Path::automatic, tcp);
  }

  TestHost host_;
  std::unique_ptr<nam::Store> store_;
  std::unique_ptr<nam::Client> first_, second_;
};

INSTANTIATE_TEST_SUITE_P(All, ServiceTest,
                         ::testing::Values(Kind::embedded, Kind::mapped, Kind::mapped_after_tcp, Kind::fabric,
                                           Kind::fabric_over_tcp),
                         name_of);

TEST_P(ServiceTest, SaysWhetherMemoryIsMapped) {
  EXPECT_EQ(service().maps(), !remote());
  const auto summary = service().summary();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->id, service().node().store);
  EXPECT_EQ(summary->capacity_bytes, kCapacity);
}

TEST_P(ServiceTest, APersistentWindowIsFoundAndOpenedAgain) {
  const auto use = make_window(service(), "heat", {4096, 8192}, users_of(service()));
  EXPECT_FAILS(service().find("heat"), Code::name_not_found, "heat");
  make_persistent(service(), use.window.id);
  const auto found = other().find("heat");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->uuid, use.window.uuid);
  ASSERT_TRUE(service().close(use.use_id));
  const auto again = other().open("heat", nam::AccessRight::read_write, users_of(other()));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->window.id, use.window.id);
  EXPECT_EQ(again->window.regions.size(), 2U);
  const auto copy = other().duplicate(again->use_id);
  ASSERT_TRUE(copy) << copy.error().message;
  ASSERT_TRUE(other().close(again->use_id));
  EXPECT_TRUE(other().get(use.window.id).ok());
  const auto users = other().count_users(use.window.id);
  ASSERT_TRUE(users) << users.error().message;
  EXPECT_EQ(*users, 1U);
  ASSERT_TRUE(other().close(*copy));
  EXPECT_TRUE(other().close(*copy).ok()) << "closing is idempotent";
  const auto removed = service().remove("heat");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(*removed);
  EXPECT_FAILS(service().find("heat"), Code::name_not_found, "heat");
  expect_clean();
}

TEST_P(ServiceTest, AVolatileWindowGoesWithItsLastUse) {
  const auto use = make_window(service(), "gone", {4096}, users_of(service()));
  ASSERT_TRUE(service().close(use.use_id));
  EXPECT_FAILS(service().get(use.window.id), Code::name_not_found, std::to_string(use.window.id));
  const auto summary = service().summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->windows, 0U);
  EXPECT_EQ(summary->reserved_bytes, 0U);
  expect_clean();
}

TEST_P(ServiceTest, BytesOfAWindowReachAnotherProcess) {
  const auto use = make_window(service(), "bytes", {4096, 1 << 20}, both());
  const std::uint64_t root = use.window.regions[1].allocation_id;
  auto mine = service().open_range(root, 0, 1 << 20, Protection::read_write);
  ASSERT_TRUE(mine) << mine.error().message;
  EXPECT_EQ(mine->remote != nullptr, remote());
  ASSERT_TRUE(write_to(*mine, 12345, "here they are"));
  auto theirs = other().open_range(root, 12000, 4096, Protection::read_only);
  ASSERT_TRUE(theirs) << theirs.error().message;
  const auto text = read_from(*theirs, 345, 13);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "here they are");
  const auto beyond = other().open_range(root, 1 << 20, 1, Protection::read_only);
  EXPECT_FALSE(beyond.ok());
}

TEST_P(ServiceTest, AnEmptyRangeIsOpenedToo) {
  const auto use = make_window(service(), "empty", {4096}, users_of(service()));
  const auto nothing = service().open_range(use.window.regions[0].allocation_id, 64, 0, Protection::read_only);
  EXPECT_TRUE(nothing.ok()) << nothing.error().message;
}

TEST_P(ServiceTest, AllocationsHaveALifeOfTheirOwn) {
  auto use = service().allocate({.size_bytes = 65536, .consistency = format::Consistency::persistent, .name = "field"},
                                users_of(service()));
  ASSERT_TRUE(use) << use.error().message;
  auto memory = service().open_memory(use->allocation.id, 65536, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  ASSERT_TRUE(write_to(*memory, 100, "kept"));
  *memory = {};
  ASSERT_TRUE(service().close(use->use_id));
  const auto found = other().find_allocation("field");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->challenge, use->allocation.challenge);
  EXPECT_FAILS(other().open_allocation(found->id, found->challenge + 1, nam::AccessRight::read_only, users_of(other())),
               Code::access, "challenge");
  auto again = other().open_allocation(found->id, found->challenge, nam::AccessRight::read_only, users_of(other()));
  ASSERT_TRUE(again) << again.error().message;
  auto there = other().open_memory(found->id, 65536, Protection::read_only);
  ASSERT_TRUE(there) << there.error().message;
  EXPECT_EQ(*read_from(*there, 100, 4), "kept");
  const auto reports = service().allocations();
  ASSERT_TRUE(reports);
  ASSERT_EQ(reports->size(), 1U);
  EXPECT_EQ(reports->front().uses.size(), 1U);
  *there = {};
  ASSERT_TRUE(other().close(again->use_id));
  const auto freed = service().free_allocation(found->id, false);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_TRUE(*freed);
  EXPECT_FAILS(service().find_allocation(found->id), Code::name_not_found, std::to_string(found->id));
  expect_clean();
}

TEST_P(ServiceTest, AWindowLiesInASegmentOfAnAllocation) {
  auto parent =
      service().allocate({.size_bytes = 65536, .consistency = format::Consistency::persistent}, users_of(service()));
  ASSERT_TRUE(parent) << parent.error().message;
  const std::vector sources{nam::AllocationSource{
      .kind = nam::AllocationSource::Kind::segment, .id = parent->allocation.id, .offset_bytes = 8192}};
  const auto use = service().create(draft_of("part", {4096}), sources, users_of(service()));
  ASSERT_TRUE(use) << use.error().message;
  const auto& region = use->window.regions[0];
  EXPECT_EQ(region.allocation_id, parent->allocation.id);
  EXPECT_EQ(region.offset_bytes, 8192U);
  ASSERT_TRUE(service().reserve_range(region.allocation_id, region.offset_bytes, 4096));
  auto memory = service().open_range(region.allocation_id, region.offset_bytes, 4096, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  ASSERT_TRUE(write_to(*memory, 0, "segment"));
  auto whole = service().open_memory(parent->allocation.id, 65536, Protection::read_only);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(*read_from(*whole, 8192, 7), "segment");
  EXPECT_FAILS(service().free_allocation(parent->allocation.id, false), Code::busy, "part");
}

TEST_P(ServiceTest, NamesLeadToWindows) {
  const auto use = make_window(service(), "heat", {4096}, users_of(service()));
  make_persistent(service(), use.window.id);
  ASSERT_TRUE(service().publish("ocean", "heat"));
  EXPECT_EQ(*other().lookup("ocean"), "heat");
  EXPECT_FAILS(other().publish("ocean", "heat"), Code::service_exists, "ocean");
  const auto list = other().list();
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().services, std::vector<std::string>{"ocean"});
  ASSERT_TRUE(other().unpublish("ocean", "heat"));
  EXPECT_FAILS(service().lookup("ocean"), Code::service_not_found, "ocean");
}

TEST_P(ServiceTest, AControlPageIsSharedByTheProcessesOfAUse) {
  const auto use = make_window(service(), "page", {4096}, both());
  if (remote()) {
    EXPECT_FALSE(service().maps());
    return;
  }
  const std::size_t bytes = format::control_page_bytes(2);
  auto page = service().create_control(use.use_id, bytes);
  ASSERT_TRUE(page) << page.error().message;
  page->data()[7] = std::byte{42};
  const auto theirs = other().open_control(use.use_id, bytes);
  ASSERT_TRUE(theirs) << theirs.error().message;
  EXPECT_EQ(theirs->data()[7], std::byte{42});
  ASSERT_TRUE(service().drop_control(use.use_id));
  EXPECT_FAILS(other().open_control(use.use_id, bytes), Code::name_not_found, "");
}

TEST_P(ServiceTest, NotificationsComeInTheirOrder) {
  const auto use = service().allocate({.size_bytes = 4096}, both());
  ASSERT_TRUE(use) << use.error().message;
  auto mine = service().open_notifications(use->allocation.id);
  ASSERT_TRUE(mine) << mine.error().message;
  auto theirs = other().open_notifications(use->allocation.id);
  ASSERT_TRUE(theirs) << theirs.error().message;
  const auto soon = nam::NotificationQueue::Clock::now() + std::chrono::seconds{20};
  EXPECT_EQ(*(*theirs)->take({}), std::nullopt);
  EXPECT_TRUE(*(*mine)->post(7, soon));
  EXPECT_TRUE(*(*mine)->post(8, soon));
  EXPECT_EQ(*(*theirs)->size(), 2U);
  EXPECT_EQ(*(*theirs)->take(soon), 7U);
  EXPECT_EQ(*(*theirs)->take(soon), 8U);
  std::thread later{[&] { EXPECT_TRUE(*(*mine)->post(9, soon)); }};
  EXPECT_EQ(*(*theirs)->take(soon), 9U);
  later.join();
}

TEST_P(ServiceTest, TheLocksOfAWindowExcludeWhoMapsAndWhoDoesNot) {
  const auto use = make_window(service(), "locks", {4096, 4096}, both());
  if (embedded()) {
    EXPECT_FAILS(service().open_agent(use.window.id), Code::unsupported, "mapped");
    return;
  }
  auto mine = service().open_agent(use.window.id);
  ASSERT_TRUE(mine) << mine.error().message;
  auto theirs = other().open_agent(use.window.id);
  ASSERT_TRUE(theirs) << theirs.error().message;
  PatientWaiter waiter;
  ASSERT_TRUE((*mine)->lock(1, nam::LockKind::exclusive, waiter));
  EXPECT_FAILS((*mine)->lock(1, nam::LockKind::exclusive, waiter), Code::sync, "1");
  ASSERT_TRUE((*theirs)->lock(0, nam::LockKind::exclusive, waiter));
  ASSERT_TRUE((*theirs)->unlock(0));
  std::atomic<bool> had{false};
  PatientWaiter patient;
  std::thread second{[&] {
    EXPECT_TRUE((*theirs)->lock(1, nam::LockKind::shared, patient));
    had = true;
  }};
  while (patient.polls < 3) std::this_thread::yield();
  EXPECT_FALSE(had);
  ASSERT_TRUE((*mine)->unlock(1));
  second.join();
  EXPECT_TRUE(had);
  ASSERT_TRUE((*theirs)->unlock(1));
  EXPECT_FAILS((*theirs)->unlock(1), Code::sync, "1");
  ASSERT_TRUE((*mine)->lock_all(waiter));
  ASSERT_TRUE((*theirs)->lock_all(waiter));
  ASSERT_TRUE((*mine)->unlock_all());
  ASSERT_TRUE((*theirs)->unlock_all());
}

TEST_P(ServiceTest, AnAgentAccumulatesIndivisibly) {
  if (embedded()) GTEST_SKIP() << "who embeds the store maps, and needs no agent";
  const auto use = make_window(service(), "sum", {4096}, both());
  constexpr std::int64_t kRounds = 200;
  const auto add = [&](nam::Service& from) {
    auto agent = from.open_agent(use.window.id);
    ASSERT_TRUE(agent) << agent.error().message;
    backends::IndivisibleRequest one;
    one.op = backends::Op::sum;
    one.kind = backends::Kind::int64;
    one.target = {{.offset = 80, .length = 8, .stride = 0, .count = 1}};
    const std::int64_t value = 1;
    one.operand.resize(sizeof value);
    std::memcpy(one.operand.data(), &value, sizeof value);
    for (std::int64_t i = 0; i < kRounds; ++i) ASSERT_TRUE((*agent)->execute(0, one));
  };
  std::thread second{[&] { add(other()); }};
  add(service());
  second.join();
  auto memory = service().open_memory(use.window.regions[0].allocation_id, 4096, Protection::read_only);
  ASSERT_TRUE(memory) << memory.error().message;
  const auto text = read_from(*memory, 80, sizeof(std::int64_t));
  ASSERT_TRUE(text) << text.error().message;
  std::int64_t sum = 0;
  std::memcpy(&sum, text->data(), sizeof sum);
  EXPECT_EQ(sum, 2 * kRounds);
}

TEST_P(ServiceTest, TheAdministratorChangesTheCapacity) {
  ASSERT_TRUE(service().set_capacity(8192));
  EXPECT_EQ(service().summary()->capacity_bytes, 8192U);
  EXPECT_FAILS(service().create(draft_of("large", {16384}), {}, users_of(service())), Code::no_memory, "16384");
  EXPECT_TRUE(service().collect().ok());
}

}  // namespace
}  // namespace psnam::test
