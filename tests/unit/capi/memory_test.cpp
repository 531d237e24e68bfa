// nam.h: allocations, handles, transfers.
#include <array>
#include <cstdint>
#include <fstream>
#include <thread>

#include "unit/capi/capi_fixture.hpp"

namespace psnam::test {
namespace {

using Memory = CapiTest;
using Bytes = std::array<unsigned char, 256>;

Bytes pattern(unsigned char start) {
  Bytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(start + i * 7);
  return bytes;
}

TEST_F(Memory, WhatWasPutIsGot) {
  nam_allocation_t* const memory = nam_malloc(1000);
  ASSERT_NE(memory, nullptr) << nam_strerror();
  EXPECT_EQ(memory->status, NAM_STATUS_CONNECTED);
  EXPECT_EQ(memory->persistent, 0);
  EXPECT_EQ(memory->size, 1000U);
  EXPECT_NE(memory->challenge, 0U);
  const Bytes sent = pattern(3);
  Bytes got{};
  EXPECT_EQ(nam_put_sync(sent.data(), 744, sent.size(), memory), 256) << nam_strerror();
  EXPECT_EQ(nam_get_sync(got.data(), 744, got.size(), memory), 256) << nam_strerror();
  EXPECT_EQ(sent, got);
  EXPECT_EQ(nam_put_sync(nullptr, 1000, 0, memory), 0) << nam_strerror();
  EXPECT_EQ(nam_free(memory), 0) << nam_strerror();
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, CallocIsZeroedAndAProductThatOverflowsIsENOMEM) {
  nam_allocation_t* const memory = nam_calloc(16, 16);
  ASSERT_NE(memory, nullptr) << nam_strerror();
  EXPECT_EQ(memory->size, 256U);
  Bytes got = pattern(1);
  EXPECT_EQ(nam_get_sync(got.data(), 0, 256, memory), 256);
  EXPECT_EQ(got, Bytes{});
  EXPECT_NAM_FAILS(nam_calloc(SIZE_MAX / 2, 3), kNoAllocation, ENOMEM, "times 3 bytes");
}

TEST_F(Memory, WhatCannotBeAllocatedSaysWhy) {
  EXPECT_NAM_FAILS(nam_malloc(0), kNoAllocation, EINVAL, "0 bytes");
  EXPECT_NAM_FAILS(nam_calloc(0, 5), kNoAllocation, EINVAL, "0 bytes");
  EXPECT_NAM_FAILS(nam_malloc(std::size_t{1} << 60), kNoAllocation, ENOMEM, "");
  EXPECT_NAM_FAILS(nam_malloc(SIZE_MAX), kNoAllocation, ENOMEM, "");
  EXPECT_NAM_FAILS(nam_alloc(10, 0, 1, 0), kNoAllocation, EINVAL, "there is 1 NAM");
  EXPECT_NAM_FAILS(nam_alloc(10, 0, -2, 0), kNoAllocation, EINVAL, "NAM -2");
  EXPECT_NAM_FAILS(nam_alloc(10, 77, 0, 0), kNoAllocation, EINVAL, "flag 77");
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, TheGeneralFormTakesKindNamAndPersistence) {
  nam_allocation_t* const memory = nam_alloc(10, NM_CPRS, 0, 1);
  ASSERT_NE(memory, nullptr) << nam_strerror();
  EXPECT_EQ(memory->persistent, 1);
  EXPECT_EQ(memory->persistant, 1);
  nam_stat_t stat{};
  ASSERT_EQ(nam_stat(memory, &stat), 0) << nam_strerror();
  EXPECT_EQ(stat.flag, NM_CPRS);
  EXPECT_EQ(stat.persistent, 1);
  EXPECT_EQ(nam_free(memory), 0);
}

TEST_F(Memory, AnAccessOutsideIsERANGEAndWritesNothing) {
  nam_allocation_t* const memory = nam_calloc(100, 1);
  Bytes bytes = pattern(1);
  for (const auto& [offset, length] : std::initializer_list<std::pair<std::size_t, std::size_t>>{
           {0, 101}, {100, 1}, {101, 0}, {50, 51}, {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}}) {
    EXPECT_NAM_FAILS(nam_put_sync(bytes.data(), offset, length, memory), -1, ERANGE, "has 100");
    EXPECT_NAM_FAILS(nam_get_sync(bytes.data(), offset, length, memory), -1, ERANGE, "has 100");
    EXPECT_NAM_FAILS(nam_put_notify(bytes.data(), offset, length, 1, memory), -1, ERANGE, "has 100");
  }
  std::array<unsigned char, 100> got{};
  EXPECT_EQ(nam_get_sync(got.data(), 0, 100, memory), 100);
  EXPECT_EQ(got, (std::array<unsigned char, 100>{}));
  std::uint64_t value = 0;
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, 0), -1, ETIMEDOUT, "no value");
}

TEST_F(Memory, NullIsEINVALEverywhere) {
  nam_allocation_t* const memory = nam_malloc(10);
  nam_async_request_t request = NAM_ASYNC_REQUEST_NULL;
  nam_stat_t stat;
  std::uint64_t value = 0;
  char byte = 0;
  EXPECT_NAM_FAILS(nam_free(nullptr), -1, EINVAL, "nam_free: the handle is NULL");
  EXPECT_NAM_FAILS(nam_connect_allocation(nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_put_sync(&byte, 0, 1, nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_get_sync(&byte, 0, 1, nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_put_sync(nullptr, 0, 1, memory), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_get_sync(nullptr, 0, 1, memory), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_put_async(&byte, 0, 1, nullptr, &request), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_get_async(&byte, 0, 1, nullptr, &request), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_put_async(&byte, 0, 1, memory, nullptr), -1, EINVAL, "request is NULL");
  EXPECT_NAM_FAILS(nam_get_async(&byte, 0, 1, memory, nullptr), -1, EINVAL, "request is NULL");
  EXPECT_NAM_FAILS(nam_test(nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_wait(nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_wait_all(1, nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_wait_all(-1, &request), -1, EINVAL, "-1 requests");
  EXPECT_NAM_FAILS(nam_put_notify(&byte, 0, 1, 0, nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_put_notify(nullptr, 0, 1, 0, memory), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_wait_notification(nullptr, &value, 0), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_wait_notification(memory, nullptr, 0), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_wait_notification(memory, &value, -2), -1, EINVAL, "-2 ms");
  EXPECT_NAM_FAILS(nam_stat(memory, nullptr), -1, EINVAL, "NULL");
  EXPECT_NAM_FAILS(nam_print_allocation(nullptr), -1, EINVAL, "NULL");
  EXPECT_EQ(nam_stat(nullptr, &stat), 0) << nam_strerror();
  EXPECT_EQ(nam_wait_all(0, nullptr), 0) << nam_strerror();
}

TEST_F(Memory, AFreedOrForeignHandleIsEINVAL) {
  nam_allocation_t* const memory = nam_malloc(10);
  ASSERT_EQ(nam_free(memory), 0);
  char byte = 0;
  EXPECT_NAM_FAILS(nam_free(memory), -1, EINVAL, "no handle");
  EXPECT_NAM_FAILS(nam_get_sync(&byte, 0, 1, memory), -1, EINVAL, "no handle");
  // An address that nobody may touch.
  auto* const foreign = reinterpret_cast<nam_allocation_t*>(std::uintptr_t{16});
  EXPECT_NAM_FAILS(nam_get_sync(&byte, 0, 1, foreign), -1, EINVAL, "no handle");
  EXPECT_NAM_FAILS(nam_free(foreign), -1, EINVAL, "no handle");
  EXPECT_NAM_FAILS(nam_stat(foreign, nullptr), -1, EINVAL, "");
  EXPECT_NAM_FAILS(nam_print_allocation(foreign), -1, EINVAL, "no handle");
}

TEST_F(Memory, AFreedHandleIsNotTakenForTheNextAllocation) {
  nam_allocation_t* const freed = nam_malloc(10);
  ASSERT_EQ(nam_free(freed), 0);
  std::vector<nam_allocation_t*> others;
  for (int i = 0; i < 20; ++i) others.push_back(nam_malloc(10));
  char byte = 0;
  EXPECT_NAM_FAILS(nam_put_sync(&byte, 0, 1, freed), -1, EINVAL, "no handle");
  EXPECT_EQ(freed->status, NAM_STATUS_FREED);
}

TEST_F(Memory, ACopiedRecordIsNoHandleUntilItIsConnected) {
  nam_allocation_t* const memory = nam_malloc(10);
  nam_allocation_t copy = *memory;
  char byte = 7;
  EXPECT_NAM_FAILS(nam_put_sync(&byte, 0, 1, &copy), -1, EINVAL, "no handle");
  ASSERT_EQ(nam_connect_allocation(&copy), 0) << nam_strerror();
  ASSERT_EQ(nam_connect_allocation(&copy), 0) << nam_strerror();
  EXPECT_EQ(nam_put_sync(&byte, 9, 1, &copy), 1) << nam_strerror();
  byte = 0;
  EXPECT_EQ(nam_get_sync(&byte, 9, 1, memory), 1) << nam_strerror();
  EXPECT_EQ(byte, 7);
  EXPECT_EQ(nam_free(memory), 0);
  EXPECT_EQ(memory_files(), 1U) << "the copy uses it still";
  EXPECT_EQ(nam_free(&copy), 0) << nam_strerror();
  EXPECT_EQ(copy.status, NAM_STATUS_FREED);
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, ARecordWhoseMemoryIsUsedAgainStandsForTheNewAllocation) {
  nam_allocation_t* const first = nam_malloc_persistent(10);
  nam_allocation_t* const second = nam_malloc_persistent(20);
  nam_allocation_t record = *first;
  ASSERT_EQ(nam_connect_allocation(&record), 0);
  record = *second;
  char byte = 0;
  EXPECT_NAM_FAILS(nam_get_sync(&byte, 15, 1, &record), -1, EINVAL, "no handle");
  ASSERT_EQ(nam_connect_allocation(&record), 0);
  EXPECT_EQ(nam_get_sync(&byte, 15, 1, &record), 1) << nam_strerror();
  EXPECT_EQ(nam_free(&record), 0);
  EXPECT_EQ(nam_free(first), 0);
  EXPECT_EQ(nam_free(second), 0) << nam_strerror();
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, AfterFinalizeEveryHandleIsEINVALAndUseBeginsAnew) {
  EXPECT_EQ(nam_init(), 0);
  nam_allocation_t* const memory = nam_malloc(10);
  nam_allocation_t* const persistent = nam_malloc_persistant(10);
  nam_allocation_t record = *persistent;
  ASSERT_EQ(nam_finalize(), 0);
  EXPECT_EQ(memory_files(), 1U);
  char byte = 0;
  EXPECT_NAM_FAILS(nam_put_sync(&byte, 0, 1, memory), -1, EINVAL, "no handle");
  EXPECT_NAM_FAILS(nam_free(persistent), -1, EINVAL, "no handle");
  EXPECT_EQ(nam_finalize(), 0);
  ASSERT_EQ(nam_connect_allocation(&record), 0) << nam_strerror();
  EXPECT_EQ(nam_free(&record), 0);
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, AnotherProcessGetsAPersistentAllocationBackByItsChallenge) {
  const Pipe<nam_allocation_t> records;
  Child maker{[&] {
    nam_allocation_t* const memory = nam_malloc_persistent(256);
    if (memory == nullptr || nam_put_sync(pattern(9).data(), 0, 256, memory) != 256) return 1;
    records.give(*memory);
    return 0;
  }};
  nam_allocation_t record = records.take();
  ASSERT_EQ(maker.wait(), 0);
  record.private_data = &record;  // whatever stood there in the other process
  record.status = NAM_STATUS_NONE;
  ASSERT_EQ(nam_connect_allocation(&record), 0) << nam_strerror();
  EXPECT_EQ(record.persistent, 1);
  Bytes got{};
  EXPECT_EQ(nam_get_sync(got.data(), 0, 256, &record), 256) << nam_strerror();
  EXPECT_EQ(got, pattern(9));
  EXPECT_EQ(nam_free(&record), 0) << nam_strerror();
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, AWrongRecordIsRefused) {
  nam_allocation_t* const memory = nam_malloc_persistent(256);
  nam_allocation_t record = *memory;
  record.challenge ^= 1;
  EXPECT_NAM_FAILS(nam_connect_allocation(&record), -1, EACCES, "challenge");
  record.challenge = 0;
  EXPECT_NAM_FAILS(nam_connect_allocation(&record), -1, EACCES, "challenge");
  record = *memory;
  record.size = 257;
  EXPECT_NAM_FAILS(nam_connect_allocation(&record), -1, EINVAL, "has 256 bytes; the record says 257");
  record = *memory;
  record.address += 1000;
  EXPECT_NAM_FAILS(nam_connect_allocation(&record), -1, ENOENT, "");
  record = *memory;
  record.nam_index = 3;
  EXPECT_NAM_FAILS(nam_connect_allocation(&record), -1, EINVAL, "there is 1 NAM");
  record = *memory;
  record.size = 0;
  record.nam_index = -1;
  EXPECT_EQ(nam_connect_allocation(&record), 0) << nam_strerror();
  EXPECT_EQ(record.size, 256U);
  EXPECT_EQ(nam_free(memory), 0);
}

TEST_F(Memory, AnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only user 0 can become another one";
  nam_allocation_t* const memory = nam_malloc_persistent(10);
  nam_allocation_t record = *memory;
  Child other{[&] {
    if (::setuid(65534) != 0) return 1;
    return nam_connect_allocation(&record) == -1 && errno == EACCES ? 0 : 2;
  }};
  EXPECT_EQ(other.wait(), 0);
  EXPECT_EQ(nam_free(memory), 0);
}

TEST_F(Memory, VolatileAllocationsOfAKilledProcessVanishAndPersistentOnesStay) {
  const Pipe<nam_allocation_t> records;
  Child killed{[&] {
    if (nam_malloc(1000) == nullptr) return 1;
    nam_allocation_t* const kept = nam_malloc_persistent(500);
    records.give(*kept);
    ::pause();
    return 0;
  }};
  nam_allocation_t kept = records.take();
  EXPECT_EQ(memory_files(), 2U);
  killed.kill();
  EXPECT_EQ(killed.wait(), -SIGKILL);
  ASSERT_EQ(nam_init(), 0);
  EXPECT_EQ(memory_files(), 1U);
  ASSERT_EQ(nam_connect_allocation(&kept), 0) << nam_strerror();
  EXPECT_EQ(nam_free(&kept), 0);
}

TEST_F(Memory, AChildHasNoneOfItsParentsHandlesAndBeginsAnew) {
  nam_allocation_t* const memory = nam_malloc(10);
  char byte = 5;
  Child child{[&] {
    if (nam_put_sync(&byte, 0, 1, memory) != -1 || errno != EINVAL) return 1;
    if (std::string{nam_strerror()}.find("none of the handles of its parent") == std::string::npos) return 2;
    if (nam_free(memory) != -1) return 3;
    nam_allocation_t record = *memory;
    if (nam_connect_allocation(&record) != 0) return 4;
    if (nam_put_sync(&byte, 1, 1, &record) != 1) return 5;
    nam_allocation_t* const own = nam_malloc(20);
    if (own == nullptr || nam_finalize() != 0) return 6;
    return 0;
  }};
  EXPECT_EQ(child.wait(), 0);
  byte = 0;
  EXPECT_EQ(nam_get_sync(&byte, 1, 1, memory), 1) << nam_strerror();
  EXPECT_EQ(byte, 5);
  EXPECT_EQ(memory_files(), 1U);
  EXPECT_EQ(nam_free(memory), 0) << nam_strerror();
}

TEST_F(Memory, RequestsAreInactiveAfterTheWaitAndComplete) {
  nam_allocation_t* const memory = nam_malloc(512);
  const Bytes sent = pattern(1);
  Bytes got{};
  nam_async_request_t requests[3] = {NAM_ASYNC_REQUEST_NULL, NAM_ASYNC_REQUEST_NULL, NAM_ASYNC_REQUEST_NULL};
  ASSERT_EQ(nam_put_async(sent.data(), 0, 256, memory, &requests[0]), 0) << nam_strerror();
  EXPECT_EQ(nam_wait(&requests[0]), 0);
  EXPECT_EQ(requests[0].bytes, 256);
  EXPECT_EQ(nam_wait(&requests[0]), 0) << "an inactive request is complete";
  EXPECT_EQ(nam_test(&requests[0]), 1);
  ASSERT_EQ(nam_put_async(sent.data(), 256, 256, memory, &requests[0]), 0);
  ASSERT_EQ(nam_get_async(got.data(), 0, 256, memory, &requests[2]), 0);
  EXPECT_EQ(nam_wait_all(3, requests), 0) << nam_strerror();
  EXPECT_EQ(got, sent);
  ASSERT_EQ(nam_get_async(got.data(), 256, 256, memory, &requests[1]), 0);
  while (nam_test(&requests[1]) == 0) std::this_thread::yield();
  EXPECT_EQ(got, sent);
  requests[1] = {~std::uint64_t{0}, -1, -1, -1};  // never initialised
  EXPECT_EQ(nam_wait(&requests[1]), 0);
  EXPECT_NAM_FAILS(nam_put_async(sent.data(), 300, 256, memory, &requests[1]), -1, ERANGE, "");
  EXPECT_EQ(nam_test(&requests[1]), 1) << "what was not begun is inactive";
}

TEST_F(Memory, StatTellsAllocationAndNam) {
  nam_stat_t before{}, after{}, gone{};
  ASSERT_EQ(nam_stat(nullptr, &before), 0) << nam_strerror();
  EXPECT_EQ(before.nam_count, 1);
  EXPECT_GT(before.capacity_bytes, 0U);
  EXPECT_EQ(before.size, 0U);
  nam_allocation_t* const memory = nam_malloc(1 << 20);
  ASSERT_EQ(nam_put_notify(nullptr, 0, 0, 1, memory), 0) << nam_strerror();
  ASSERT_EQ(nam_stat(memory, &after), 0) << nam_strerror();
  EXPECT_EQ(after.address, memory->address);
  EXPECT_EQ(after.size, std::uint64_t{1} << 20);
  EXPECT_EQ(after.processes, 1U);
  EXPECT_EQ(after.notifications, 1U);
  EXPECT_EQ(after.persistent, 0);
  EXPECT_EQ(after.flag, 0);
  EXPECT_GT(after.created, 1700000000);
  EXPECT_LE(after.free_bytes + (1 << 20), before.capacity_bytes);
  ASSERT_EQ(nam_free(memory), 0);
  ASSERT_EQ(nam_stat(nullptr, &gone), 0);
  EXPECT_EQ(gone.capacity_bytes, before.capacity_bytes);
}

TEST_F(Memory, PrintGivesOneLine) {
  nam_allocation_t* const memory = nam_malloc_persistent(77);
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(nam_print_allocation(memory), 0) << nam_strerror();
  std::fflush(stdout);
  const std::string line = ::testing::internal::GetCapturedStdout();
  EXPECT_NE(line.find("77 bytes, persistent"), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  EXPECT_EQ(nam_free(memory), 0);
}

TEST_F(Memory, AManagerThatDoesNotAnswerIsAnError) {
  ::setenv("PSNAM_MANAGER", "127.0.0.1:1", 1);
  EXPECT_NAM_FAILS(nam_init(), -1, EHOSTUNREACH, "127.0.0.1:1");
  EXPECT_NAM_FAILS(nam_malloc(10), kNoAllocation, EHOSTUNREACH, "127.0.0.1:1");
  ::unsetenv("PSNAM_MANAGER");
  EXPECT_EQ(nam_init(), 0) << nam_strerror();
}

TEST_F(Memory, AWrongEnvironmentSaysVariableAndValue) {
  ::setenv("PSNAM_PATH", "sideways", 1);
  EXPECT_NAM_FAILS(nam_init(), -1, EINVAL, "PSNAM_PATH");
  ::unsetenv("PSNAM_PATH");
  EXPECT_EQ(nam_init(), 0) << nam_strerror();
}

TEST_F(Memory, ThreadsUseAndFreeAllocationsAtOnceAndKeepTheirOwnErrors) {
  nam_allocation_t* const shared = nam_calloc(8, 64);
  std::vector<std::thread> threads;
  std::array<bool, 8> good{};
  for (std::size_t number = 0; number < good.size(); ++number)
    threads.emplace_back([&, number] {
      bool all = true;
      for (int round = 0; round < 20; ++round) {
        nam_allocation_t* const own = nam_malloc(100 + number);
        std::array<std::size_t, 8> values{};
        values.fill(number);
        all = all && own != nullptr && nam_put_sync(values.data(), 64 * number, 64, shared) == 64;
        all = all && nam_get_sync(values.data(), 50, 64 + number, own) == -1;
        all = all && std::string{nam_strerror()}.find("has " + std::to_string(100 + number)) != std::string::npos;
        all = all && nam_free(own) == 0 && nam_free(own) == -1;
      }
      good[number] = all;
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t number = 0; number < good.size(); ++number) {
    EXPECT_TRUE(good[number]) << number;
    std::array<std::size_t, 8> values{};
    EXPECT_EQ(nam_get_sync(values.data(), 64 * number, 64, shared), 64);
    for (const std::size_t value : values) EXPECT_EQ(value, number);
  }
  EXPECT_EQ(nam_free(shared), 0);
  EXPECT_EQ(memory_files(), 0U);
}

TEST_F(Memory, ManyThreadsFreeOneHandleAndOneOfThemDoes) {
  for (int round = 0; round < 20; ++round) {
    nam_allocation_t* const memory = nam_malloc(10);
    std::array<int, 4> results{};
    std::vector<std::thread> threads;
    for (int& result : results) threads.emplace_back([&result, memory] { result = nam_free(memory); });
    for (auto& thread : threads) thread.join();
    EXPECT_GE(std::count(results.begin(), results.end(), 0), 1);
    EXPECT_EQ(memory_files(), 0U);
  }
}

}  // namespace
}  // namespace psnam::test
