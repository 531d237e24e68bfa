// What namctl makes of the numbers of a manager.
#include "cli/manager.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/json.hpp"

namespace psnam::cli {
namespace {

using testing::HasSubstr;

nam::Statistics reading(std::uint64_t seconds, std::uint64_t requests) {
  nam::Statistics statistics;
  statistics.software_version = "1.0";
  statistics.began_unix_seconds = 100;
  statistics.now_unix_us = seconds * 1'000'000;
  statistics.control_requests = requests;
  statistics.requests.push_back(
      {.kind = "open", .requests = requests, .failed = requests / 2, .total_time_us = requests * 30});
  return statistics;
}

TEST(RatesOfAManager, AreDifferencesByTheClockOfTheManager) {
  const auto rates = rates_between(reading(200, 10), reading(204, 50));
  ASSERT_TRUE(rates);
  EXPECT_DOUBLE_EQ(rates->seconds, 4);
  EXPECT_DOUBLE_EQ(rates->requests, 10);
  EXPECT_DOUBLE_EQ(rates->failures, 5);
  EXPECT_DOUBLE_EQ(rates->mean_latency_us, 30);
}

TEST(RatesOfAManager, ThereAreNoneWhenItBeganAnewOrItsClockWentBack) {
  nam::Statistics anew = reading(204, 50);
  anew.began_unix_seconds = 203;
  EXPECT_FALSE(rates_between(reading(200, 10), anew));
  EXPECT_FALSE(rates_between(reading(200, 10), reading(200, 50)));
  EXPECT_FALSE(rates_between(reading(200, 10), reading(190, 50)));
  EXPECT_FALSE(rates_between(reading(200, 10), reading(204, 9)));
}

TEST(PageOfAManager, TellsUsersRequestsAndSessions) {
  nam::Statistics statistics = reading(200, 10);
  statistics.users.push_back(
      {.uid = 4'000'000'001, .reserved_bytes = 2048, .objects = 3, .quota_bytes = 4096, .sessions = 1});
  statistics.sessions.push_back(
      {.session = 0xabc, .uid = 4'000'000'001, .pid = 77, .host = "node-a", .method = "munge"});
  const std::string page = page_text("/run/a.sock", statistics, rates_between(reading(196, 2), statistics));
  EXPECT_THAT(page, HasSubstr("/run/a.sock: psnam 1.0"));
  EXPECT_THAT(page, HasSubstr("2 requests/s"));
  EXPECT_THAT(page, HasSubstr("4.0 KiB"));
  EXPECT_THAT(page, HasSubstr("0000000000000abc"));
  EXPECT_THAT(page, HasSubstr("node-a"));
  EXPECT_THAT(page, HasSubstr("munge"));
}

TEST(PageOfAManager, AsJsonHasNullWhereThereIsNoLimitAndNoRate) {
  nam::Statistics statistics = reading(200, 10);
  statistics.users.push_back({.uid = 7, .quota_bytes = 4096});
  const auto json = test::Json::parse(page_json("a:1", statistics, std::nullopt));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->at("manager"), "a:1");
  EXPECT_EQ(json->at("rates"), "null");
  EXPECT_EQ(json->at("users.0.quota_bytes"), "4096");
  EXPECT_EQ(json->at("users.0.quota_objects"), "null");
  EXPECT_EQ(json->at("requests.0.kind"), "open");
}

TEST(NamsOfAManager, SayWhichDoNotAnswer) {
  nam::Statistics statistics;
  statistics.nams.push_back({.index = 0, .store = {}, .name = "here"});
  statistics.nams.push_back({.index = 2, .store = {}, .name = "there", .address = "b:7760", .reachable = false});
  const std::string text = nams_text(statistics);
  EXPECT_THAT(text, HasSubstr("up"));
  EXPECT_THAT(text, HasSubstr("b:7760"));
  EXPECT_THAT(text, HasSubstr("down"));
}

}  // namespace
}  // namespace psnam::cli
