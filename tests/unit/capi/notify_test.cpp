// nam.h: notifications between processes.
#include <sys/syscall.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <thread>

#include "unit/capi/capi_fixture.hpp"

namespace psnam::test {
namespace {

using Notify = CapiTest;

bool sleeps_in_futex(pid_t thread) {
  std::ifstream file{"/proc/self/task/" + std::to_string(thread) + "/syscall"};
  long number = -1;
  file >> number;
  return number == SYS_futex;
}

TEST_F(Notify, ValuesComeInOrderOnceAndAfterTheirData) {
  nam_allocation_t* const memory = nam_calloc(3000, 8);
  const nam_allocation_t record = *memory;
  constexpr std::uint64_t kValues = 3000;  // more than the queue holds
  Child sender{[&] {
    nam_allocation_t mine = record;
    if (nam_connect_allocation(&mine) != 0) return 1;
    for (std::uint64_t i = 0; i < kValues; ++i) {
      const std::uint64_t data = i * i + 1;
      if (nam_put_notify(&data, i * 8, 8, i, &mine) != 8) return 2;
    }
    return nam_free(&mine) == 0 ? 0 : 3;
  }};
  for (std::uint64_t i = 0; i < kValues; ++i) {
    std::uint64_t value = 0, data = 0;
    ASSERT_EQ(nam_wait_notification(memory, &value, -1), 0) << nam_strerror();
    ASSERT_EQ(value, i);
    ASSERT_EQ(nam_get_sync(&data, i * 8, 8, memory), 8);
    ASSERT_EQ(data, i * i + 1);
  }
  EXPECT_EQ(sender.wait(), 0);
  EXPECT_EQ(nam_free(memory), 0);
}

TEST_F(Notify, EachValueGoesToOneWaiter) {
  nam_allocation_t* const memory = nam_malloc(10);
  const nam_allocation_t record = *memory;
  constexpr std::uint64_t kEnd = ~std::uint64_t{0};
  const Pipe<std::uint64_t> sums;
  const auto wait_for_all = [&] {
    nam_allocation_t mine = record;
    if (nam_connect_allocation(&mine) != 0) return 1;
    std::uint64_t value = 0, sum = 0;
    for (;;) {
      if (nam_wait_notification(&mine, &value, 60000) != 0) return 2;
      if (value == kEnd) break;
      sum += value;
    }
    sums.give(sum);
    return 0;
  };
  Child first{wait_for_all}, second{wait_for_all}, third{wait_for_all};
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    ASSERT_EQ(nam_put_notify(nullptr, 0, 0, i, memory), 0) << nam_strerror();
    sum += i;
  }
  for (int i = 0; i < 3; ++i) ASSERT_EQ(nam_put_notify(nullptr, 0, 0, kEnd, memory), 0);
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_EQ(third.wait(), 0);
  EXPECT_EQ(sums.take() + sums.take() + sums.take(), sum);
}

TEST_F(Notify, AWaitEndsAfterItsTime) {
  nam_allocation_t* const memory = nam_malloc(10);
  std::uint64_t value = 0;
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, 0), -1, ETIMEDOUT, "in 0 ms");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, 120), -1, ETIMEDOUT, "in 120 ms");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds{120});
}

TEST_F(Notify, AWaitWhosePartnerDiesEndsWithEPIPEAfterWhatThePartnerSaid) {
  nam_allocation_t* const memory = nam_malloc(10);
  const nam_allocation_t record = *memory;
  Child partner{[&] {
    nam_allocation_t mine = record;
    if (nam_connect_allocation(&mine) != 0 || nam_put_notify(nullptr, 0, 0, 5, &mine) != 0) return 1;
    ::pause();
    return 0;
  }};
  std::uint64_t value = 0;
  ASSERT_EQ(nam_wait_notification(memory, &value, -1), 0) << nam_strerror();
  EXPECT_EQ(value, 5U);
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, 50), -1, ETIMEDOUT, "");
  // Killed once the wait sleeps, hence has seen the partner.
  const auto waiter = ::gettid();
  std::thread killer{[&] {
    while (!sleeps_in_futex(waiter)) std::this_thread::yield();
    partner.kill();
    partner.wait();
  }};
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, -1), -1, EPIPE, "any more");
  killer.join();
}

TEST_F(Notify, AWaitWithoutALimitEndsWhenNobodyComes) {
  nam_allocation_t* const memory = nam_malloc(10);
  std::uint64_t value = 0;
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, -1), -1, EPIPE, "no other process uses");
}

TEST_F(Notify, AFullQueueIsETIMEDOUTAndTheDataAreThere) {
  nam_allocation_t* const memory = nam_calloc(1, 8);
  for (std::uint64_t i = 0; i < NAM_NOTIFICATIONS_MAX; ++i) ASSERT_EQ(nam_put_notify(nullptr, 0, 0, i, memory), 0);
  std::uint64_t data = 42, value = 0;
  EXPECT_NAM_FAILS(nam_put_notify(&data, 0, 8, 7, memory), -1, ETIMEDOUT, "keeps 1000 values");
  data = 0;
  EXPECT_EQ(nam_get_sync(&data, 0, 8, memory), 8);
  EXPECT_EQ(data, 42U);
  // Room that comes while one waits for it is enough.
  std::thread taker{[&] { EXPECT_EQ(nam_wait_notification(memory, &value, 0), 0); }};
  EXPECT_EQ(nam_put_notify(nullptr, 0, 0, 1000, memory), 0) << nam_strerror();
  taker.join();
  EXPECT_EQ(value, 0U);
  for (std::uint64_t i = 1; i <= NAM_NOTIFICATIONS_MAX; ++i) {
    ASSERT_EQ(nam_wait_notification(memory, &value, 0), 0) << nam_strerror();
    ASSERT_EQ(value, i);
  }
}

TEST_F(Notify, ValuesOfAPersistentAllocationWaitForALaterProcess) {
  const Pipe<nam_allocation_t> records;
  Child sender{[&] {
    nam_allocation_t* const memory = nam_malloc_persistent(10);
    if (memory == nullptr || nam_put_notify(nullptr, 0, 0, 99, memory) != 0) return 1;
    records.give(*memory);
    return 0;
  }};
  nam_allocation_t record = records.take();
  ASSERT_EQ(sender.wait(), 0);
  ASSERT_EQ(nam_connect_allocation(&record), 0);
  std::uint64_t value = 0;
  EXPECT_EQ(nam_wait_notification(&record, &value, -1), 0) << nam_strerror();
  EXPECT_EQ(value, 99U);
  EXPECT_EQ(nam_free(&record), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "store" / "notifications"));
}

TEST_F(Notify, SendersKilledAnywhereLeaveAQueueThatWorks) {
  nam_allocation_t* const memory = nam_malloc(10);
  const nam_allocation_t record = *memory;
  for (int round = 0; round < 10; ++round) {
    Child sender{[&] {
      nam_allocation_t mine = record;
      if (nam_connect_allocation(&mine) != 0) return 1;
      for (std::uint64_t i = 0;; ++i)
        if (nam_put_notify(nullptr, 0, 0, i, &mine) != 0) return 2;
    }};
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
      ASSERT_EQ(nam_wait_notification(memory, &value, -1), 0) << nam_strerror();
      ASSERT_EQ(value, i);
    }
    sender.kill();
    EXPECT_EQ(sender.wait(), -SIGKILL);
    std::uint64_t next = 200;
    while (nam_wait_notification(memory, &value, 0) == 0) EXPECT_EQ(value, next++);
    EXPECT_EQ(errno, ETIMEDOUT) << nam_strerror();
  }
}

}  // namespace
}  // namespace psnam::test
