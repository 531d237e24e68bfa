// What a lock is, between clients and threads of one process.
#include <array>
#include <thread>
#include <vector>

#include "support/store_fixture.hpp"
#include "unit/locks/lock_fixture.hpp"

namespace psnam::test {
namespace {

constexpr std::uint32_t kRanks = 4;

class WindowLocksTest : public ::testing::Test {
 protected:
  [[nodiscard]] bool free_for(WindowLocks& locks, std::uint32_t rank, LockKind kind) {
    auto had = locks.try_lock(rank, kind);
    if (!had) ADD_FAILURE() << had.error().message;
    if (!had || !*had) return false;
    EXPECT_TRUE(locks.unlock(rank));
    return true;
  }

  PageFile page_{kRanks};
  std::unique_ptr<WindowLocks> a_ = page_.attach();
  std::unique_ptr<WindowLocks> b_ = page_.attach();
  NoPoll waiter_;
};

TEST_F(WindowLocksTest, ExclusiveExcludesBothKindsOnItsRankOnly) {
  ASSERT_TRUE(a_->lock(1, LockKind::exclusive, waiter_));
  EXPECT_FALSE(free_for(*b_, 1, LockKind::exclusive));
  EXPECT_FALSE(free_for(*b_, 1, LockKind::shared));
  EXPECT_TRUE(free_for(*b_, 0, LockKind::exclusive));
  EXPECT_TRUE(free_for(*b_, 2, LockKind::exclusive));
  ASSERT_TRUE(a_->unlock(1));
  EXPECT_TRUE(free_for(*b_, 1, LockKind::exclusive));
}

TEST_F(WindowLocksTest, SharedExcludesExclusiveOnly) {
  ASSERT_TRUE(a_->lock(1, LockKind::shared, waiter_));
  EXPECT_TRUE(free_for(*b_, 1, LockKind::shared));
  EXPECT_FALSE(free_for(*b_, 1, LockKind::exclusive));
  ASSERT_TRUE(a_->unlock(1));
  EXPECT_TRUE(free_for(*b_, 1, LockKind::exclusive));
}

TEST_F(WindowLocksTest, LockAllIsSharedOnEveryRank) {
  ASSERT_TRUE(a_->lock_all(waiter_));
  ASSERT_TRUE(b_->lock_all(waiter_));
  ASSERT_TRUE(b_->unlock_all());
  for (std::uint32_t rank = 0; rank < kRanks; ++rank) {
    EXPECT_TRUE(free_for(*b_, rank, LockKind::shared));
    EXPECT_FALSE(free_for(*b_, rank, LockKind::exclusive));
  }
  ASSERT_TRUE(a_->unlock_all());
  EXPECT_TRUE(free_for(*b_, 3, LockKind::exclusive));
}

TEST_F(WindowLocksTest, WhatDoesNotFitIsASynchronisationError) {
  EXPECT_FAILS(a_->unlock(0), Code::sync, "rank 0 cannot be unlocked");
  EXPECT_FAILS(a_->unlock_all(), Code::sync, "has not locked all");
  EXPECT_FAILS(a_->unlock(kRanks), Code::rank, "no rank 4");
  EXPECT_FAILS(a_->lock(kRanks, LockKind::shared, waiter_), Code::rank, "no rank 4");
  ASSERT_TRUE(a_->lock(0, LockKind::shared, waiter_));
  EXPECT_FAILS(a_->lock(0, LockKind::shared, waiter_), Code::sync, "rank 0 is locked");
  ASSERT_TRUE(a_->unlock(0));
  ASSERT_TRUE(a_->lock(0, LockKind::exclusive, waiter_));
  EXPECT_FAILS(a_->lock_all(waiter_), Code::sync, "has locked rank 0");
  ASSERT_TRUE(a_->unlock(0));
  ASSERT_TRUE(a_->lock_all(waiter_));
  EXPECT_FAILS(a_->lock(2, LockKind::exclusive, waiter_), Code::sync, "all ranks are locked");
  EXPECT_FAILS(a_->lock_all(waiter_), Code::sync, "all ranks are locked");
  ASSERT_TRUE(a_->unlock_all());
  EXPECT_TRUE(free_for(*b_, 0, LockKind::exclusive));
}

TEST_F(WindowLocksTest, LeavingReleasesEverything) {
  ASSERT_TRUE(a_->lock(0, LockKind::exclusive, waiter_));
  ASSERT_TRUE(a_->lock(1, LockKind::shared, waiter_));
  a_->lock_stripe(5);
  a_.reset();
  EXPECT_TRUE(free_for(*b_, 0, LockKind::exclusive));
  EXPECT_TRUE(free_for(*b_, 1, LockKind::exclusive));
  b_->lock_stripe(5);
  b_->unlock_stripe(5);
}

TEST_F(WindowLocksTest, OneThreadLocksAndAnotherUnlocks) {
  std::thread{[&] { EXPECT_TRUE(a_->lock(2, LockKind::exclusive, waiter_)); }}.join();
  EXPECT_FALSE(free_for(*b_, 2, LockKind::shared));
  std::thread{[&] { EXPECT_TRUE(a_->unlock(2)); }}.join();
  EXPECT_TRUE(free_for(*b_, 2, LockKind::exclusive));
}

TEST_F(WindowLocksTest, ReadersBehindAWaitingWriterWaitForIt) {
  ASSERT_TRUE(a_->lock(0, LockKind::shared, waiter_));
  std::vector<char> order;
  CountPolls writer_waits, reader_waits;
  std::thread writer{[&] {
    EXPECT_TRUE(b_->lock(0, LockKind::exclusive, writer_waits));
    order.push_back('w');
    EXPECT_TRUE(b_->unlock(0));
  }};
  writer_waits.await_a_poll();
  const auto c = page_.attach();
  EXPECT_FALSE(free_for(*c, 0, LockKind::shared));
  std::thread reader{[&] {
    EXPECT_TRUE(c->lock(0, LockKind::shared, reader_waits));
    order.push_back('r');
    EXPECT_TRUE(c->unlock(0));
  }};
  reader_waits.await_a_poll();
  ASSERT_TRUE(a_->unlock(0));
  writer.join();
  reader.join();
  EXPECT_EQ(order, (std::vector<char>{'w', 'r'}));
}

TEST_F(WindowLocksTest, TheQueueIsServedInTheOrderOfComing) {
  constexpr int kWaiters = 6;
  ASSERT_TRUE(a_->lock(0, LockKind::exclusive, waiter_));
  std::vector<int> order;
  std::array<std::unique_ptr<WindowLocks>, kWaiters> clients;
  std::array<CountPolls, kWaiters> waits;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWaiters; ++i) {
    clients[i] = page_.attach();
    threads.emplace_back([&, i] {
      EXPECT_TRUE(clients[i]->lock(0, LockKind::exclusive, waits[i]));
      order.push_back(i);
      EXPECT_TRUE(clients[i]->unlock(0));
    });
    waits[i].await_a_poll();
  }
  ASSERT_TRUE(a_->unlock(0));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

TEST_F(WindowLocksTest, ManyThreadsOfOneClientWaitForDifferentRanks) {
  constexpr std::uint32_t kMany = 24;  // more than a client has places in queues
  const PageFile page{kMany};
  const auto holder = page.attach();
  const auto many = page.attach();
  for (std::uint32_t rank = 0; rank < kMany; ++rank) ASSERT_TRUE(holder->lock(rank, LockKind::exclusive, waiter_));
  std::array<CountPolls, kMany> waits;
  std::vector<std::thread> threads;
  for (std::uint32_t rank = 0; rank < kMany; ++rank)
    threads.emplace_back([&, rank] {
      EXPECT_TRUE(many->lock(rank, LockKind::exclusive, waits[rank]));
      EXPECT_TRUE(many->unlock(rank));
    });
  for (const auto& wait : waits) wait.await_a_poll();
  for (std::uint32_t rank = kMany; rank-- > 0;) ASSERT_TRUE(holder->unlock(rank));
  for (auto& thread : threads) thread.join();
  for (std::uint32_t rank = 0; rank < kMany; ++rank) EXPECT_TRUE(free_for(*holder, rank, LockKind::exclusive));
}

TEST_F(WindowLocksTest, WhoWaitsForAllRanksKeepsNobodyFromTakingThemOneAfterAnother) {
  ASSERT_TRUE(a_->lock(0, LockKind::exclusive, waiter_));
  CountPolls waits;
  std::thread thread{[&] {
    EXPECT_TRUE(b_->lock_all(waits));
    EXPECT_TRUE(b_->unlock_all());
  }};
  waits.await_a_poll();
  for (std::uint32_t rank = 1; rank < kRanks; ++rank) ASSERT_TRUE(a_->lock(rank, LockKind::exclusive, waiter_));
  for (std::uint32_t rank = kRanks; rank-- > 0;) ASSERT_TRUE(a_->unlock(rank));
  thread.join();
}

/// The number that three threads, clients of the page as given, count to under a stripe.
std::uint64_t counted_under_a_stripe(const std::array<WindowLocks*, 3>& clients, unsigned turns) {
  std::uint64_t counter = 0;
  std::vector<std::thread> threads;
  for (WindowLocks* const locks : clients)
    threads.emplace_back([&counter, turns, locks] {
      for (unsigned i = 0; i < turns; ++i) {
        locks->lock_stripe(3);
        ++counter;
        locks->unlock_stripe(3);
      }
    });
  for (auto& thread : threads) thread.join();
  return counter;
}

TEST_F(WindowLocksTest, ThreadsOfOneClientExcludeEachOtherByStripes) {
  EXPECT_EQ(counted_under_a_stripe({a_.get(), a_.get(), a_.get()}, 20'000), 60'000);
}

TEST_F(WindowLocksTest, ThreadsAndClientsExcludeEachOtherByStripes) {
  EXPECT_EQ(counted_under_a_stripe({a_.get(), a_.get(), b_.get()}, 20'000), 60'000);
}

TEST_F(WindowLocksTest, ReadersNeverSeeAWriterAndTheCountIsExact) {
  std::uint64_t counter = 0, copy = 0;  // not atomic: the locks are what keeps them
  constexpr std::uint64_t kTurns = 3'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      const auto locks = page_.attach();
      NoPoll waiter;
      for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
        if (i == 3 && turn % 4 == 0) {
          EXPECT_TRUE(locks->lock_all(waiter));
          EXPECT_EQ(counter, copy);
          EXPECT_TRUE(locks->unlock_all());
          continue;
        }
        const LockKind kind = (turn + static_cast<unsigned>(i)) % 3 == 0 ? LockKind::shared : LockKind::exclusive;
        EXPECT_TRUE(locks->lock(1, kind, waiter));
        EXPECT_EQ(counter, copy);
        if (kind == LockKind::exclusive) copy = ++counter;
        EXPECT_TRUE(locks->unlock(1));
      }
    });
  for (auto& thread : threads) thread.join();
  // Of each of the first three a third of the turns reads; of the fourth a quarter locks all and a third of the rest
  // reads.
  EXPECT_EQ(counter, 3 * (kTurns - kTurns / 3) + (kTurns - kTurns / 4) - kTurns / 4);
}

}  // namespace
}  // namespace psnam::test
