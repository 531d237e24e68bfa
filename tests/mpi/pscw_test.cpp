// Post, start, complete and wait: only the ranks of a group meet, and what was put is there after the wait.
#include <algorithm>

#include "window.hpp"

namespace psnam::test {
namespace {

constexpr int kRounds = 30;

/// Some ranks of the world.
class Group {
 public:
  explicit Group(std::vector<int> ranks) {
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    MPI_Group world = MPI_GROUP_NULL;
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_incl(world, static_cast<int>(ranks.size()), ranks.data(), &group_);
    MPI_Group_free(&world);
  }
  ~Group() {
    if (group_ != MPI_GROUP_EMPTY) MPI_Group_free(&group_);
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  operator MPI_Group() const noexcept { return group_; }

 private:
  MPI_Group group_ = MPI_GROUP_NULL;
};

[[nodiscard]] std::vector<int> all_ranks() {
  std::vector<int> ranks(static_cast<std::size_t>(world_size()));
  for (std::size_t i = 0; i < ranks.size(); ++i) ranks[i] = static_cast<int>(i);
  return ranks;
}

/// The value of place `place` of this rank's own region; nobody may write there.
[[nodiscard]] int own_value(const PartedWindow& window, std::size_t place) {
  const int me = world_rank();
  int value = -1;
  EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, window.target(me), MPI_MODE_NOCHECK, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&value, 1, MPI_INT, window.target(me), window.displacement(me, place), 1, MPI_INT, window),
            MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_unlock(window.target(me), window), MPI_SUCCESS);
  return value;
}

/// The value is read until the epoch has ended.
int put_int(const PartedWindow& window, int owner, int place, const int& value) {
  return MPI_Put(&value, 1, MPI_INT, window.target(owner), window.displacement(owner, static_cast<std::size_t>(place)),
                 1, MPI_INT, window);
}

int put_int(const PartedWindow& window, int owner, int place, int&& value) = delete;

/// Ends the exposure epoch by tests; a bound on their number would depend on the machine, so the bound is time.
void test_until_done(MPI_Win win) {
  constexpr double kLimitS = 60;
  const double start = MPI_Wtime();
  for (int flag = 0; flag == 0;) {
    ASSERT_EQ(MPI_Win_test(win, &flag), MPI_SUCCESS);
    ASSERT_LT(MPI_Wtime() - start, kLimitS) << "MPI_Win_test does not become true";
  }
}

class PostStart : public testing::TestWithParam<Kind> {
 protected:
  // Groups name the owners of memory, so a flat window is one that all ranks reach at rank 0: there it is all-to-one.
  PartedWindow window_{GetParam(), 4 * sizeof(int), sizeof(int)};
  int me_ = world_rank();
  int ranks_ = world_size();
};
INSTANTIATE_TEST_SUITE_P(Kinds, PostStart, testing::ValuesIn(kKinds), kind_name);

TEST_P(PostStart, AllRanksPutToTheFirstInEveryRound) {
  const Group origins{all_ranks()};
  const Group first{{0}};
  std::vector<int> received(static_cast<std::size_t>(ranks_), -1);
  for (int round = 0; round < kRounds; ++round) {
    const int sent = round * 1000 + me_;
    if (me_ == 0) {
      ASSERT_EQ(MPI_Win_post(origins, 0, window_), MPI_SUCCESS);
    }
    ASSERT_EQ(MPI_Win_start(first, 0, window_), MPI_SUCCESS);
    if (me_ < 4) {
      ASSERT_EQ(put_int(window_, 0, me_, sent), MPI_SUCCESS);
    }
    ASSERT_EQ(MPI_Win_complete(window_), MPI_SUCCESS);
    if (me_ != 0) continue;
    if (round % 2 == 0) {
      ASSERT_EQ(MPI_Win_wait(window_), MPI_SUCCESS);
    } else {
      test_until_done(window_);
    }
    for (int origin = 0; origin < std::min(ranks_, 4); ++origin)
      ASSERT_EQ(own_value(window_, static_cast<std::size_t>(origin)), round * 1000 + origin) << "round " << round;
  }
}

class PostStartOfParts : public PostStart {};
INSTANTIATE_TEST_SUITE_P(Kinds, PostStartOfParts,
                         testing::Values(kKinds[1], kKinds[2], kKinds[4], kKinds[5], kKinds[8]), kind_name);

TEST_P(PostStartOfParts, EachRankPutsToTheNextAndGetsFromThePrevious) {
  const int next = (me_ + 1) % ranks_;
  const int previous = (me_ + ranks_ - 1) % ranks_;
  const Group neighbours{{next, previous}};
  int from_previous = -1;
  for (int round = 0; round < kRounds; ++round) {
    const int place = round % 2;
    const int sent = round * 1000 + me_;
    ASSERT_EQ(MPI_Win_post(neighbours, round % 3 == 0 ? MPI_MODE_NOSTORE : 0, window_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_start(neighbours, 0, window_), MPI_SUCCESS);
    ASSERT_EQ(put_int(window_, next, place, sent), MPI_SUCCESS);
    if (round > 0) {
      ASSERT_EQ(MPI_Get(&from_previous, 1, MPI_INT, previous, (round - 1) % 2, 1, MPI_INT, window_), MPI_SUCCESS);
    }
    ASSERT_EQ(MPI_Win_complete(window_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_wait(window_), MPI_SUCCESS);
    ASSERT_EQ(own_value(window_, static_cast<std::size_t>(place)), round * 1000 + previous) << "round " << round;
    if (round > 0) {
      ASSERT_EQ(from_previous, (round - 1) * 1000 + (previous + ranks_ - 1) % ranks_) << "round " << round;
    }
  }
}

TEST_P(PostStartOfParts, OnlyTheEvenRanksMeet) {
  std::vector<int> even;
  for (const int rank : all_ranks())
    if (rank % 2 == 0) even.push_back(rank);
  const Group group{even};
  if (me_ % 2 == 0) {
    ASSERT_EQ(MPI_Win_post(group, 0, window_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_start(group, 0, window_), MPI_SUCCESS);
    const int next = (me_ + 2) % (ranks_ + ranks_ % 2);
    const int sent = me_ + 10;
    ASSERT_EQ(put_int(window_, next, 3, sent), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_complete(window_), MPI_SUCCESS);
    test_until_done(window_);
    const int evens = ranks_ + ranks_ % 2;
    EXPECT_EQ(own_value(window_, 3), (me_ + evens - 2) % evens + 10);
  } else {
    EXPECT_EQ(own_value(window_, 3), 0);
  }
}

TEST_P(PostStartOfParts, WhatIsKnownToMatchNeedsNoCheck) {
  const int next = (me_ + 1) % ranks_;
  const int previous = (me_ + ranks_ - 1) % ranks_;
  const Group origin{{previous}};
  const Group target{{next}};
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_EQ(MPI_Win_post(origin, MPI_MODE_NOCHECK, window_), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);  // each post is made before the start that it belongs to
    ASSERT_EQ(MPI_Win_start(target, MPI_MODE_NOCHECK, window_), MPI_SUCCESS);
    const int sent = round + me_;
    ASSERT_EQ(put_int(window_, next, 2, sent), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_complete(window_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_wait(window_), MPI_SUCCESS);
    ASSERT_EQ(own_value(window_, 2), round + previous);
  }
}

TEST_P(PostStartOfParts, AnEmptyGroupMeetsNobody) {
  ASSERT_EQ(MPI_Win_post(MPI_GROUP_EMPTY, 0, window_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_start(MPI_GROUP_EMPTY, 0, window_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_complete(window_), MPI_SUCCESS);
  int flag = 0;
  ASSERT_EQ(MPI_Win_test(window_, &flag), MPI_SUCCESS);
  EXPECT_EQ(flag, 1);
}

TEST(PostStartOrder, APutIsNotSeenByTheTargetBeforeItsPost) {
  if (world_size() < 2) GTEST_SKIP() << "needs two ranks";
  const PartedWindow window{kKinds[5], sizeof(int), sizeof(int), MPI_COMM_WORLD, {{"psnam_baseptr", "load_store"}}};
  auto* const own = static_cast<volatile int*>(window.window().base());
  const Group origin{{0}};
  const Group target{{1}};
  for (int round = 1; round <= 10 * kRounds; ++round) {
    if (world_rank() == 0) {
      ASSERT_EQ(MPI_Win_start(target, 0, window), MPI_SUCCESS);
      ASSERT_EQ(put_int(window, 1, 0, round), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_complete(window), MPI_SUCCESS);
    } else if (world_rank() == 1) {
      // The memory is the target's own until it posts: a put that does not wait for that changes one of these loads.
      for (int look = 0; look < 2000; ++look) ASSERT_EQ(*own, -(round - 1)) << "look " << look;
      ASSERT_EQ(MPI_Win_post(origin, 0, window), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_wait(window), MPI_SUCCESS);
      ASSERT_EQ(*own, round);
      *own = -round;
    }
  }
}

TEST(PostStartOrder, AnOperationOnARankOutsideTheGroupIsRefused) {
  if (world_size() < 2) GTEST_SKIP() << "needs two ranks";
  const PartedWindow window{kKinds[5], sizeof(int), sizeof(int)};
  const int me = world_rank();
  const Group self{{me}};
  ASSERT_EQ(MPI_Win_post(self, 0, window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_start(self, 0, window), MPI_SUCCESS);
  const int sent = me + 1;
  EXPECT_EQ(error_class(put_int(window, (me + 1) % world_size(), 0, sent)), MPI_ERR_RMA_SYNC);
  EXPECT_EQ(put_int(window, me, 0, sent), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_complete(window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_wait(window), MPI_SUCCESS);
  EXPECT_EQ(own_value(window, 0), me + 1);
}

TEST(PostStartOrder, AFenceEpochMayComeBeforeAndAfter) {
  const PartedWindow window{kKinds[4], sizeof(int), sizeof(int)};
  const int me = world_rank();
  const Group all{all_ranks()};
  const int first = 1;
  const int second = me + 2;
  window.fence();
  ASSERT_EQ(put_int(window, (me + 1) % world_size(), 0, first), MPI_SUCCESS);
  window.fence();
  ASSERT_EQ(MPI_Win_post(all, 0, window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_start(all, 0, window), MPI_SUCCESS);
  ASSERT_EQ(put_int(window, (me + 1) % world_size(), 0, second), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_complete(window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_wait(window), MPI_SUCCESS);
  window.fence();
  int value = -1;
  ASSERT_EQ(MPI_Get(&value, 1, MPI_INT, me, 0, 1, MPI_INT, window), MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(value, (me + world_size() - 1) % world_size() + 2);
}

}  // namespace
}  // namespace psnam::test
