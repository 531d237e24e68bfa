#include "checkpoint/uses.hpp"

#include <gtest/gtest.h>

namespace psnam::checkpoint {
namespace {

TEST(WhenLetGo, TriesAgainUntilItIsNotInUseAnyMore) {
  int attempts = 0;
  const auto got = when_let_go([&]() -> Result<int> {
    if (++attempts < 4) return Error{Code::busy, "in use"};
    return 7;
  });
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, 7);
  EXPECT_EQ(attempts, 4);
}

TEST(WhenLetGo, GivesUpWithWhatTheLastAttemptSaid) {
  int attempts = 0;
  const auto got = when_let_go([&]() -> Result<int> {
    return Error{Code::busy, "attempt " + std::to_string(++attempts)};
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::busy);
  EXPECT_GT(attempts, 1);
  EXPECT_EQ(got.error().message, "attempt " + std::to_string(attempts));
}

TEST(WhenLetGo, ReturnsAnyOtherFailureAtOnce) {
  int attempts = 0;
  const auto got = when_let_go([&]() -> Result<int> {
    ++attempts;
    return Error{Code::access, "not yours"};
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::access);
  EXPECT_EQ(attempts, 1);
}

}  // namespace
}  // namespace psnam::checkpoint
