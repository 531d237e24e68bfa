// What a service tells of itself: counted, sent, and read again.
#include "nam/statistics.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "nam/request_meter.hpp"

namespace psnam::nam {
namespace {

using namespace std::chrono_literals;

Statistics full() {
  Statistics statistics;
  statistics.software_version = "1.2.3";
  statistics.provider = "net";
  std::uint64_t value = 1;
  for (auto member : {&Statistics::began_unix_seconds,
                      &Statistics::now_unix_us,
                      &Statistics::sessions_open,
                      &Statistics::sessions_accepted,
                      &Statistics::sessions_refused,
                      &Statistics::sessions_dropped,
                      &Statistics::control_requests,
                      &Statistics::control_received_bytes,
                      &Statistics::control_sent_bytes,
                      &Statistics::fabric_endpoints,
                      &Statistics::fabric_registered_bytes,
                      &Statistics::agent_bytes,
                      &Statistics::quarantine_bytes,
                      &Statistics::windows,
                      &Statistics::allocations,
                      &Statistics::uses,
                      &Statistics::capacity_bytes,
                      &Statistics::reserved_bytes,
                      &Statistics::file_system_bytes,
                      &Statistics::file_system_free_bytes,
                      &Statistics::catalog_bytes,
                      &Statistics::catalog_limit_bytes})
    statistics.*member = value++;
  statistics.requests.push_back({.kind = "open", .requests = 9, .failed = 2, .total_time_us = 77});
  statistics.requests.back().latencies.back() = 5;
  statistics.refusals = {{"access", 3}, {"no_memory", 4}};
  statistics.users.push_back({.uid = 4, .reserved_bytes = 5, .objects = 6, .quota_bytes = 7, .sessions = 8});
  statistics.sessions.push_back({1, 2, 3, "host", "10.0.0.1", "munge", 4, 5, 6, 7});
  statistics.nams.push_back({1, format::random_uuid(), "b", "b:7760", false, 10, 11});
  return statistics;
}

TEST(StatisticsOfAService, ComeBackAsTheyWereSent) {
  const Statistics sent = full();
  const auto received = decode_statistics(encode(sent));
  ASSERT_TRUE(received) << received.error().message;
  EXPECT_EQ(*received, sent);
  const auto empty = decode_statistics(encode(Statistics{}));
  ASSERT_TRUE(empty) << empty.error().message;
  EXPECT_EQ(*empty, Statistics{});
}

TEST(StatisticsOfAService, DamagedOnesAreAnErrorAndNothingElse) {
  const auto sent = encode(full());
  for (std::size_t bytes = 0; bytes < sent.size(); bytes += 7) {
    const auto cut = decode_statistics(std::span{sent}.first(bytes));
    EXPECT_TRUE(cut || cut.error().code == Code::corrupt);
    EXPECT_TRUE(bytes >= 8 || !cut);
  }
  std::mt19937 random{4711};
  std::size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    auto damaged = sent;
    for (int i = 0; i < 4; ++i) damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    const auto read = decode_statistics(damaged);
    if (read) continue;
    EXPECT_EQ(read.error().code, Code::corrupt);
    ++refused;
  }
  EXPECT_GT(refused, 0U);
}

TEST(RequestMeter, CountsByKindByTimeAndByRefusal) {
  constexpr std::array<std::string_view, 3> kKinds{"open", "close", "never"};
  RequestMeter meter{kKinds};
  meter.record(0, 3us, std::nullopt);
  meter.record(0, 4us, Code::no_memory);
  meter.record(0, 5us, Code::name_not_found);
  meter.record(1, 1h, Code::service_not_found);
  meter.record(17, 1us, Code::access);
  Statistics statistics;
  meter.read(statistics);
  ASSERT_EQ(statistics.requests.size(), 2U) << "a kind that did not occur is not shown";
  const RequestStatistics& open = statistics.requests[0];
  EXPECT_EQ(open.kind, "open");
  EXPECT_EQ(open.requests, 3U);
  EXPECT_EQ(open.failed, 2U);
  EXPECT_EQ(open.total_time_us, 12U);
  EXPECT_EQ(open.latencies[0], 2U) << "limits are inclusive";
  EXPECT_EQ(open.latencies[1], 1U);
  EXPECT_EQ(statistics.requests[1].latencies.back(), 1U);
  ASSERT_EQ(statistics.refusals.size(), 2U);
  for (const auto& refusal : statistics.refusals) EXPECT_EQ(refusal.count, refusal.kind == "not_found" ? 2U : 1U);
}

TEST(RequestMeter, LosesNothingWhenManyThreadsCount) {
  constexpr std::array<std::string_view, 1> kKinds{"open"};
  constexpr int kThreads = 4;
  constexpr int kEach = 10'000;
  RequestMeter meter{kKinds};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      for (int one = 0; one < kEach; ++one) meter.record(0, 10us, Code::access);
    });
  for (auto& thread : threads) thread.join();
  Statistics statistics;
  meter.read(statistics);
  EXPECT_EQ(statistics.requests.at(0).requests, std::uint64_t{kThreads} * kEach);
  EXPECT_EQ(statistics.requests.at(0).latencies[1], std::uint64_t{kThreads} * kEach);
  EXPECT_EQ(statistics.refusals.at(0).count, std::uint64_t{kThreads} * kEach);
}

}  // namespace
}  // namespace psnam::nam
