// Several processes and threads at once. Children are forked before the parent opens the store, or open it themselves.
#include <thread>

#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::Child;
using test::draft_of;
using test::me;

constexpr int kProcesses = 4;
constexpr int kRounds = 40;

/// Makes and ends windows; 0, or the line that failed.
int work(Store& store, const std::string& prefix) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = prefix + std::to_string(round);
    const auto use = store.create(draft_of(name, {5000, 300}), {}, me());
    if (!use) return __LINE__;
    for (const auto& region : use->window.regions)
      if (!store.create_memory(region.allocation_id, region.size_bytes, format::Reserve::full)) return __LINE__;
    if (!store.set_consistency(use->window.id, Consistency::persistent, false)) return __LINE__;
    if (!store.publish(name, name)) return __LINE__;
    const auto other = store.open(name, AccessRight::read_write, me());
    if (!other || !store.close(use->use_id)) return __LINE__;
    if (round % 2 == 0 && !store.remove(name)) return __LINE__;
    if (!store.close(other->use_id)) return __LINE__;
    if (round % 8 == 0 && !store.collect()) return __LINE__;
  }
  return 0;
}

TEST(StoreProcesses, ManyThatMakeTheStoreAtOnceShareOne) {
  for (int round = 0; round < 10; ++round) {
    const test::TemporaryFolder parent;
    const auto folder = parent.path() / "store";
    const test::Signal go;
    const test::Signal ready;
    const test::Signal end;
    std::vector<Child> children;
    for (int count = 0; count < kProcesses; ++count)
      children.emplace_back([&] {
        go.await();
        const auto store = Store::open({.folder = folder, .capacity_bytes = test::kCapacity});
        const bool made = store && (*store)->create(draft_of("", {100}), {}, me());
        ready.give();
        end.await();
        return made ? 0 : 1;
      });
    for (int count = 0; count < kProcesses; ++count) go.give();
    for (int count = 0; count < kProcesses; ++count) ready.await();
    const auto store = test::open_store(folder);
    ASSERT_NE(store, nullptr);
    const auto summary = store->summary();
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->windows, static_cast<std::uint64_t>(kProcesses));
    for (int count = 0; count < kProcesses; ++count) end.give();
    for (auto& child : children) EXPECT_EQ(child.wait(), 0);
  }
}

TEST(StoreProcesses, ManyThatWorkAtOnceLeaveWhatTheyMeantTo) {
  const test::TemporaryFolder parent;
  std::vector<Child> children;
  for (int count = 0; count < kProcesses; ++count)
    children.emplace_back([&, count] {
      const auto store = Store::open({.folder = parent.path(), .capacity_bytes = test::kCapacity});
      return store ? work(**store, "child" + std::to_string(count) + ".") % 256 : 255;
    });
  for (auto& child : children) EXPECT_EQ(child.wait(), 0);
  const auto store = test::open_store(parent.path());
  ASSERT_NE(store, nullptr);
  const auto summary = store->summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->windows, std::uint64_t{kProcesses * kRounds / 2});
  EXPECT_EQ(summary->services, std::uint64_t{kProcesses * kRounds / 2});
  EXPECT_EQ(summary->uses, 0U);
  EXPECT_EQ(summary->reserved_bytes, std::uint64_t{kProcesses * kRounds / 2} * 5300);
  const auto findings = store->check();
  ASSERT_TRUE(findings);
  EXPECT_EQ(*findings, Findings{});
}

TEST(StoreProcesses, ThreadsOfOneProcessShareAStore) {
  const test::TemporaryFolder parent;
  const auto store = test::open_store(parent.path());
  ASSERT_NE(store, nullptr);
  std::vector<int> failed(kProcesses, -1);
  {
    std::vector<std::jthread> threads;
    for (int count = 0; count < kProcesses; ++count)
      threads.emplace_back([&, count] {
        failed[static_cast<std::size_t>(count)] = work(*store, "thread" + std::to_string(count) + ".");
      });
  }
  EXPECT_EQ(failed, std::vector<int>(kProcesses, 0));
  const auto findings = store->check();
  ASSERT_TRUE(findings);
  EXPECT_EQ(*findings, Findings{});
}

TEST(StoreProcesses, OfTwoThatWantOneNameOneGetsIt) {
  const test::TemporaryFolder parent;
  std::vector<Child> children;
  for (int count = 0; count < 2; ++count)
    children.emplace_back([&] {
      const auto store = Store::open({.folder = parent.path(), .capacity_bytes = test::kCapacity});
      if (!store) return 9;
      const auto use = (*store)->create(draft_of("wanted", {100}), {}, me());
      if (!use) return use.error().code == Code::name_exists ? 1 : 8;
      if (!(*store)->create_memory(use->window.regions[0].allocation_id, 100, format::Reserve::full)) return 7;
      const auto name = (*store)->set_consistency(use->window.id, Consistency::persistent, false);
      if (!name) return name.error().code == Code::name_exists ? 1 : 8;
      return 0;
    });
  EXPECT_EQ(children[0].wait() + children[1].wait(), 1) << "one 0, one 1";
}

TEST(StoreProcesses, AChildOpensTheStoreAgainAfterTheFork) {
  const test::TemporaryFolder parent;
  const auto store = test::open_store(parent.path());
  ASSERT_NE(store, nullptr);
  Child child{[&] {
    const auto mine = Store::open({.folder = parent.path()});
    return mine && (*mine)->create(draft_of("", {100}), {}, me()) ? 0 : 1;
  }};
  EXPECT_EQ(child.wait(), 0);
  const auto collected = store->collect();
  ASSERT_TRUE(collected);
  EXPECT_EQ(collected->windows, 1U);
}

TEST(StoreProcesses, AUserThatIsKilledIsCollectedAndOneThatLivesIsNot) {
  const test::TemporaryFolder parent;
  const test::Signal ready;
  const test::Signal never;
  const auto user = [&] {
    const auto store = Store::open({.folder = parent.path(), .capacity_bytes = test::kCapacity});
    if (!store || !(*store)->create(draft_of("", {100}), {}, me())) return 1;
    ready.give();
    never.await();
    return 0;
  };
  Child dies{user};
  Child lives{user};
  ready.await();
  ready.await();
  const auto store = test::open_store(parent.path());
  ASSERT_NE(store, nullptr);
  dies.kill();
  dies.wait_until_zombie();
  const auto collected = store->collect();
  ASSERT_TRUE(collected);
  EXPECT_EQ(collected->uses, 1U);
  EXPECT_EQ(collected->windows, 1U);
  const auto summary = store->summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->windows, 1U);
}

}  // namespace
}  // namespace psnam::nam
