#include "checkpoint/survey.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace psnam::checkpoint {
namespace {

constexpr VersionKey kOld{1, 10}, kNew{2, 20};

/// Ranks 0 and 2 are one set, 1 and 3 the other; ranks 0 and 1 lead.
class SurveyOfTwoSets : public ::testing::Test {
 protected:
  void SetUp() override {
    for (RankState& state : states_) state.copies = {kOld, kNew};
    for (const std::size_t leader : {0U, 1U}) states_[leader].parities = {kNew, kOld};
  }
  [[nodiscard]] Survey survey() const { return {series_, states_}; }

  Series series_{.id = {}, .name = "two", .sets = 2, .parities = 1, .block_bytes = 65536, .set_of = {0, 1, 0, 1}};
  std::vector<RankState> states_ = std::vector<RankState>(4);
};

TEST_F(SurveyOfTwoSets, TheNewestIsThatOfAllSets) {
  EXPECT_EQ(survey().newest(), kNew);
  EXPECT_EQ(survey().before(kNew), kOld);
  EXPECT_EQ(survey().versions(), (std::vector{kNew, kOld}));
  EXPECT_EQ(*survey().choose(0, false), kNew);
  EXPECT_EQ(*survey().choose(1, false), kOld);
}

TEST_F(SurveyOfTwoSets, OneOfEachSetMayBeLost) {
  states_[0].copies = {};
  states_[3].copies = {kOld, {}};
  EXPECT_EQ(survey().newest(), kNew);
  EXPECT_EQ(survey().judge(kNew).lost, (std::vector<std::uint32_t>{0, 3}));
}

TEST_F(SurveyOfTwoSets, TwoOfOneSetAreTooManyAndNamed) {
  states_[1].copies = {kOld, {}};
  states_[3].copies = {kOld, {}};
  EXPECT_EQ(survey().newest(), kOld);
  const auto refused = survey().choose(0, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::peer_lost);
  EXPECT_NE(refused.error().message.find("ranks 1, 3 are lost"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("version 1 is complete"), std::string::npos) << refused.error().message;
  EXPECT_EQ(*survey().choose(0, true), kOld);
}

TEST_F(SurveyOfTwoSets, WhatOneSetHasNotCommittedIsNoVersion) {
  states_[1].parities = {kOld};
  states_[3].copies = {kOld, {}};
  EXPECT_EQ(survey().newest(), kOld);
  EXPECT_EQ(*survey().choose(0, false), kOld) << "a job died in the middle of it";
  EXPECT_EQ(survey().choose(2, false).error().code, Code::name_not_found);
}

TEST_F(SurveyOfTwoSets, WithAllCopiesNoParityIsNeeded) {
  for (RankState& state : states_) state.parities = {};
  EXPECT_EQ(survey().newest(), kNew);
  EXPECT_FALSE(survey().judge(kNew).committed);
  states_[2].copies = {};
  EXPECT_FALSE(survey().newest());
  EXPECT_FALSE(*survey().choose(0, false));
}

TEST_F(SurveyOfTwoSets, APartnersCopyIsOneToo) {
  states_[1].copies = {};
  states_[3].copies = {};
  states_[1].partners = {kOld, kNew};
  EXPECT_EQ(survey().newest(), kNew);
  EXPECT_EQ(survey().judge(kNew).lost, (std::vector<std::uint32_t>{1, 3}));
  states_[0].copies = {};
  states_[2].copies = {};
  EXPECT_EQ(survey().choose(0, false).error().code, Code::peer_lost);
  states_[0].partners = {kNew, {}};
  EXPECT_EQ(*survey().choose(0, false), kNew);
}

TEST_F(SurveyOfTwoSets, WithoutParityACopyTellsThatAVersionWasComplete) {
  series_.parities = 0;
  for (RankState& state : states_) state.parities = {};
  states_[2].copies = {kOld, {}};
  EXPECT_EQ(*survey().choose(0, false), kOld) << "a job died in the middle of it";
  states_[0].confirmed = 2;
  const auto refused = survey().choose(0, false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("ranks 2 are lost, and so are the copies with their partners; version 1"),
            std::string::npos)
      << refused.error().message;
  EXPECT_EQ(*survey().choose(0, true), kOld);
}

TEST_F(SurveyOfTwoSets, ATotalLossIsNoFirstStart) {
  states_ = std::vector<RankState>(4);
  EXPECT_FALSE(*survey().choose(0, false));
  series_.newest = 2;
  EXPECT_EQ(survey().choose(0, false).error().code, Code::peer_lost);
  EXPECT_EQ(survey().choose(0, true).error().code, Code::peer_lost);
  for (RankState& state : states_) state.copies = {kOld, {}};
  EXPECT_EQ(survey().choose(0, false).error().code, Code::peer_lost);
  EXPECT_EQ(*survey().choose(0, true), kOld);
  EXPECT_EQ(*survey().choose(1, false), kOld);
}

TEST_F(SurveyOfTwoSets, WhatASaveThatFailedHasLeftIsNotKept) {
  EXPECT_EQ(survey().to_keep({}), kNew);
  states_[1].parities = {kOld};
  EXPECT_EQ(survey().newest(), kNew) << "all copies are there";
  EXPECT_EQ(survey().to_keep({}), kOld) << "which the parity of both sets protects";
  states_[3].confirmed = 2;
  EXPECT_EQ(survey().to_keep({}), kNew) << "somebody was told that it is saved";
  EXPECT_EQ(survey().to_keep(kNew), kOld) << "it is damaged beyond repair";
  states_[3].confirmed = 0;
  for (RankState& state : states_) state.copies = {VersionKey{}, kNew};
  EXPECT_EQ(survey().to_keep({}), kNew) << "there is nothing else";
}

TEST_F(SurveyOfTwoSets, AVersionIsKeptForItsPartnersCopiesToo) {
  series_.partner_of = {1, 2, 3, 3};
  for (RankState& state : states_) state.partners = {kOld, kNew};
  states_[3].partners = {};
  EXPECT_EQ(survey().to_keep({}), kNew) << "rank 3 has no partner but itself";
  states_[2].partners = {kOld, {}};
  EXPECT_EQ(survey().to_keep({}), kOld);
}

TEST_F(SurveyOfTwoSets, TwoAttemptsAtOneNumberAreTwoVersions) {
  constexpr VersionKey kAgain{2, 30};
  states_[1].parities = {kAgain, kOld};
  for (const std::size_t rank : {1U, 3U}) states_[rank].copies = {kOld, kAgain};
  EXPECT_EQ(survey().newest(), kOld);
}

}  // namespace
}  // namespace psnam::checkpoint
