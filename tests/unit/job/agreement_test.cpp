// Ranks as threads: all act at the same safe point, however they come to it.
#include "job/agreement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <random>
#include <thread>
#include <vector>

#include "job/requests.hpp"
#include "unit/job/record_memory.hpp"

namespace psnam::job {
namespace {

using format::JobControl;
using format::JobRequest;
using format::JobState;

constexpr std::uint32_t kRanks = 4;

class AgreementOnASafePoint : public ::testing::Test {
 protected:
  RecordMemory memory_{{.name = "work", .ranks = kRanks, .abilities = format::kJobSaves}};
  const Control& control() { return memory_.control(); }
  /// As rank 0 does.
  void say(JobState state) {
    JobControl now = *control().word();
    now.state = state;
    now.asked = state != JobState::none;
    EXPECT_TRUE(control().say(now));
  }
};

TEST_F(AgreementOnASafePoint, NothingIsDoneWhereNothingIsAsked) {
  const Agreement rank{control(), 2};
  EXPECT_FALSE(rank.arrive());
  const auto here = rank.act_here(0);
  ASSERT_TRUE(here);
  EXPECT_FALSE(*here);
  EXPECT_EQ(rank.count(), 1U);
}

TEST_F(AgreementOnASafePoint, NobodyActsBeforeAllHaveSeenTheRequest) {
  ASSERT_TRUE(ask(control(), {.what = JobRequest::checkpoint}));
  for (int turn = 0; turn < 10; ++turn)
    for (std::uint32_t one = 0; one + 1 < kRanks; ++one) {
      const Agreement rank{control(), one};
      EXPECT_TRUE(rank.arrive());
      EXPECT_FALSE(*rank.act_here(0));
    }
  EXPECT_EQ(control().word()->state, JobState::pending);
  // The last one is far behind: it acts when it has come as far.
  const Agreement last{control(), kRanks - 1};
  for (int turn = 0; turn < 10; ++turn) {
    EXPECT_TRUE(last.arrive());
    EXPECT_FALSE(*last.act_here(0)) << turn;
  }
  for (std::uint32_t one = 0; one < kRanks; ++one) {
    const Agreement rank{control(), one};
    EXPECT_TRUE(rank.arrive());
    EXPECT_TRUE(*rank.act_here(0)) << one;
    EXPECT_EQ(rank.count(), 11U);
  }
}

TEST_F(AgreementOnASafePoint, WhoIsPastItIsToldThatRanksDoNotKeepStep) {
  ASSERT_TRUE(ask(control(), {.what = JobRequest::checkpoint}));
  for (std::uint32_t one = 0; one < kRanks; ++one) {
    const Agreement rank{control(), one};
    EXPECT_TRUE(rank.arrive());
    EXPECT_FALSE(*rank.act_here(0));
  }
  const Agreement rank{control(), 0};
  EXPECT_TRUE(rank.arrive());
  EXPECT_TRUE(*rank.act_here(0));
  EXPECT_TRUE(rank.arrive());
  const auto past = rank.act_here(0);
  ASSERT_FALSE(past);
  EXPECT_EQ(past.error().code, Code::sync);
  EXPECT_EQ(past.error().message,
            "rank 0 is at its safe point 3, and all act at 2: all ranks have to come to safe points equally often");
}

/// Threads that run free of each other, and meet only where they act: at the same number every time.
TEST_F(AgreementOnASafePoint, AllActAtTheSameOneWhileRequestsComeAtAnyTime) {
  constexpr std::uint32_t kRequests = 300;
  std::vector<std::vector<std::uint64_t>> acted(kRanks);
  std::barrier meeting{kRanks};
  const auto run = [&](std::uint32_t one) {
    const Agreement rank{control(), one};
    std::minstd_rand random{one + 1};
    while (acted[one].size() < kRequests) {
      if (random() % 64 == 0) std::this_thread::yield();
      if (!rank.arrive()) continue;
      const auto here = rank.act_here(static_cast<std::uint32_t>(acted[one].size()));
      ASSERT_TRUE(here) << here.error().message;
      if (!*here) continue;
      acted[one].push_back(rank.count());
      if (one == 0) say(JobState::running);
      meeting.arrive_and_wait();
      if (one != 0) continue;
      const JobControl now = *control().word();
      ASSERT_TRUE(
          control().publish({.sequence = now.sequence, .failed = false, .version = 0, .safe_point = 0, .text = {}}));
      say(JobState::none);
    }
  };
  std::vector<std::thread> ranks;
  for (std::uint32_t one = 0; one < kRanks; ++one) ranks.emplace_back(run, one);
  for (std::uint32_t number = 1; number <= kRequests; ++number) {
    const auto sequence = ask(control(), {.what = JobRequest::checkpoint});
    ASSERT_TRUE(sequence) << sequence.error().message;
    EXPECT_EQ(*sequence, number);
    const auto outcome =
        await_outcome(control(), *sequence, std::chrono::seconds{60}, [] { return Result<bool>{true}; });
    ASSERT_TRUE(outcome) << outcome.error().message;
  }
  for (auto& rank : ranks) rank.join();
  for (std::uint32_t one = 1; one < kRanks; ++one) EXPECT_EQ(acted[one], acted[0]) << one;
  EXPECT_TRUE(std::ranges::is_sorted(acted[0]));
}

}  // namespace
}  // namespace psnam::job
