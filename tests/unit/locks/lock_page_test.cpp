// The page itself: its versions, its users, and where the store keeps it.
#include <cstring>
#include <vector>

#include "support/child.hpp"
#include "support/store_fixture.hpp"
#include "unit/locks/lock_fixture.hpp"

namespace psnam::test {
namespace {

TEST(LockPage, APageOfZerosIsTakenIntoServiceByTheFirst) {
  const PageFile page{3};
  const auto locks = page.attach();
  const Mapping raw = page.map();
  const auto& header = *reinterpret_cast<const format::LockHeader*>(raw.data());
  EXPECT_EQ(header.version.load(), format::kLockMagic | std::uint64_t{format::kLockVersion} << 32);
  EXPECT_EQ(header.shape.load(), 3U | std::uint64_t{192} << 32);
  EXPECT_EQ(header.clients_used.load(), 1U);
  EXPECT_EQ(header.guard.load(), 0U);
}

TEST(LockPage, APageOfAnotherVersionIsRefused) {
  const PageFile page{3};
  const Mapping raw = page.map();
  reinterpret_cast<format::LockHeader*>(raw.data())->version = format::kLockMagic | std::uint64_t{7} << 32;
  EXPECT_FAILS(page.try_attach(), Code::incompatible, "version 7, this library speaks version 1");
}

TEST(LockPage, SomethingElseIsRefused) {
  const PageFile page{3};
  const Mapping raw = page.map();
  std::memset(raw.data(), 'x', 64);
  EXPECT_FAILS(page.try_attach(), Code::corrupt, "begins with 0x78787878");
}

TEST(LockPage, APageForAnotherNumberOfRanksIsRefused) {
  const PageFile page{3};
  const auto locks = page.attach();
  auto other = nam::LockPage::over(page.map(), 2);
  EXPECT_FAILS(other, Code::corrupt, "is for 3 ranks and 192 users instead of 2");
}

TEST(LockPage, TheRoomForUsersHasALimitThatTheErrorNames) {
  const PageFile page{2};
  std::vector<std::unique_ptr<WindowLocks>> clients;
  for (std::uint32_t i = 0; i < format::LockShape::of(2).clients; ++i) clients.push_back(page.attach());
  EXPECT_FAILS(page.try_attach(), Code::no_memory, "have room for 192 users");
  clients.pop_back();
  EXPECT_TRUE(page.try_attach());
}

TEST(LockPage, TheSlotOfADeadUserIsUsedAgainWhenNoOtherIsLeft) {
  const PageFile page{2};
  std::vector<std::unique_ptr<WindowLocks>> clients;
  for (std::uint32_t i = 1; i < format::LockShape::of(2).clients; ++i) clients.push_back(page.attach());
  Child child{[&] {
    const auto locks = page.attach();
    return ::kill(::getpid(), SIGKILL);
  }};
  child.wait_until_zombie();
  EXPECT_TRUE(page.try_attach());
}

TEST(LockPage, WhatAnEarlierBootLeftIsFree) {
  const PageFile page{2};
  auto process = nam::this_process(0);
  auto boot = nam::this_boot();
  ASSERT_TRUE(process && boot);
  auto before = *boot;
  before.bytes[0] ^= std::remove_reference_t<decltype(before.bytes[0])>{1};
  auto old = WindowLocks::attach(page.map(), 2, *process, before);
  ASSERT_TRUE(old);
  NoPoll waiter;
  ASSERT_TRUE((*old)->lock(1, LockKind::exclusive, waiter));
  const auto locks = page.attach();
  EXPECT_TRUE(locks->lock(1, LockKind::exclusive, waiter));
  EXPECT_TRUE(locks->unlock(1));
}

TEST(LockPage, WhoCannotBeJudgedKeepsHisLocks) {
  const PageFile page{2};
  auto elsewhere = nam::this_process(0);
  const auto boot = nam::this_boot();
  ASSERT_TRUE(elsewhere && boot);
  ++elsewhere->pid_namespace;
  ++elsewhere->start_time_ticks;  // here it would count as dead
  auto other = WindowLocks::attach(page.map(), 2, *elsewhere, *boot);
  ASSERT_TRUE(other);
  NoPoll waiter;
  ASSERT_TRUE((*other)->lock(1, LockKind::exclusive, waiter));
  const auto locks = page.attach();
  std::atomic<bool> had{false};
  CountPolls polled;
  std::thread thread{[&] {
    EXPECT_TRUE(locks->lock(1, LockKind::exclusive, polled));
    had = true;
  }};
  while (polled.polls.load() < 30)
    std::this_thread::yield();  // 30 sleeps last longer than the time after which the living are looked at
  EXPECT_FALSE(had.load());
  EXPECT_TRUE((*other)->unlock(1));
  thread.join();
  EXPECT_TRUE(had.load());
}

using LockFile = StoreTest;

TEST_F(LockFile, TheStoreGivesEverybodyTheSamePage) {
  const auto use = make("", {64});
  auto first = store().open_locks(use.window.id, 4);
  auto second = store().open_locks(use.window.id, 4);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->bytes(), format::LockShape::of(4).bytes());
  first->data()[100] = std::byte{7};
  EXPECT_EQ(second->data()[100], std::byte{7});
  expect_clean();
}

TEST_F(LockFile, ThePageGoesWithItsWindow) {
  const auto use = make("", {64});
  ASSERT_TRUE(store().open_locks(use.window.id, 4));
  EXPECT_FALSE(std::filesystem::is_empty(folder() / "locks"));
  ASSERT_TRUE(store().close(use.use_id));
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "locks"));
  expect_empty();
}

TEST_F(LockFile, ThePageOfAPersistentWindowStaysWithIt) {
  const auto use = make_persistent("kept", {64});
  ASSERT_TRUE(store().open_locks(use.window.id, 4));
  ASSERT_TRUE(store().close(use.use_id));
  EXPECT_FALSE(std::filesystem::is_empty(folder() / "locks"));
  ASSERT_TRUE(store().collect());
  EXPECT_FALSE(std::filesystem::is_empty(folder() / "locks"));
  ASSERT_TRUE(store().remove("kept"));
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "locks"));
}

TEST_F(LockFile, APageWithoutAWindowIsFoundAndSweptAway) {
  ASSERT_TRUE(store().open_locks(12345, 4));
  const auto findings = store().check();
  ASSERT_TRUE(findings);
  ASSERT_EQ(findings->size(), 1U);
  EXPECT_NE(findings->front().find("locks/0000000000003039 belongs to no window"), std::string::npos)
      << findings->front();
  ASSERT_TRUE(store().collect());
  expect_clean();
}

}  // namespace
}  // namespace psnam::test
