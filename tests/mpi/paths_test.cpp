// Ranks that map a window's memory and ranks that reach it over the fabric work on it at the same time: what one does
// indivisibly is indivisible for the other, and a lock that one has keeps the other out. Run with ranks of one kind as
// well, where the same must hold.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kRounds = 200;

/// What all ranks work on: on rank 0.
struct Shared {
  std::int64_t sum;
  std::int64_t tickets;
  std::int64_t swapped;
  std::int64_t locked;
  long double wide;  // more than a processor adds
};

class Paths : public testing::Test {
 protected:
  void SetUp() override {
    win_ = allocate({{"psnam_manifestation", "psnam_manifestation_libnam"}}, world_rank() == 0 ? sizeof(Shared) : 0, 1);
    ASSERT_NE(win_, MPI_WIN_NULL);
    if (world_rank() == 0) {
      const Shared nothing{};
      MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win_);
      EXPECT_EQ(MPI_Put(&nothing, sizeof nothing, MPI_BYTE, 0, 0, sizeof nothing, MPI_BYTE, win_), MPI_SUCCESS);
      EXPECT_EQ(MPI_Win_unlock(0, win_), MPI_SUCCESS);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }
  void TearDown() override {
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT_EQ(MPI_Win_free(&win_), MPI_SUCCESS);
  }
  /// The same on all ranks, and after all that they have done.
  Shared read() {
    MPI_Barrier(MPI_COMM_WORLD);
    Shared now{};
    MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, win_);
    EXPECT_EQ(MPI_Get(&now, sizeof now, MPI_BYTE, 0, 0, sizeof now, MPI_BYTE, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_unlock(0, win_), MPI_SUCCESS);
    return now;
  }

  MPI_Win win_ = MPI_WIN_NULL;
};

TEST_F(Paths, AreThoseThatTheJobWasGiven) {
  const char* const path = std::getenv("PSNAM_PATH");
  const int fabric = path != nullptr && std::string{path} == "fabric" ? 1 : 0;
  int over_fabric = 0;
  MPI_Allreduce(&fabric, &over_fabric, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  const char* const given = std::getenv("TEST_JOB_PATHS");
  const std::map<std::string, int> expected{
      {"", 0}, {"mapped", 0}, {"fabric", world_size()}, {"mixed", world_size() / 2}};
  EXPECT_EQ(over_fabric, expected.at(given == nullptr ? "" : given));
}

TEST_F(Paths, AgreeOnSums) {
  const std::int64_t one = 1;
  const long double half = 0.5L;
  MPI_Win_lock_all(0, win_);
  for (int i = 0; i < kRounds; ++i) {
    EXPECT_EQ(MPI_Accumulate(&one, 1, MPI_INT64_T, 0, offsetof(Shared, sum), 1, MPI_INT64_T, MPI_SUM, win_),
              MPI_SUCCESS);
    EXPECT_EQ(MPI_Accumulate(&half, 1, MPI_LONG_DOUBLE, 0, offsetof(Shared, wide), 1, MPI_LONG_DOUBLE, MPI_SUM, win_),
              MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  const Shared now = read();
  EXPECT_EQ(now.sum, kRounds * world_size());
  EXPECT_EQ(now.wide, 0.5L * kRounds * world_size());
}

TEST_F(Paths, DrawEachTicketOnce) {
  const std::int64_t one = 1;
  std::vector<std::int64_t> drawn(kRounds);
  MPI_Win_lock_all(0, win_);
  for (auto& ticket : drawn) {
    EXPECT_EQ(MPI_Fetch_and_op(&one, &ticket, MPI_INT64_T, 0, offsetof(Shared, tickets), MPI_SUM, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(0, win_), MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  std::vector<std::int64_t> all(drawn.size() * static_cast<std::size_t>(world_size()));
  MPI_Allgather(drawn.data(), kRounds, MPI_INT64_T, all.data(), kRounds, MPI_INT64_T, MPI_COMM_WORLD);
  const std::set<std::int64_t> different{all.begin(), all.end()};
  EXPECT_EQ(different.size(), all.size());
  EXPECT_EQ(*different.begin(), 0);
  EXPECT_EQ(*different.rbegin(), static_cast<std::int64_t>(all.size()) - 1);
}

TEST_F(Paths, SwapOnlyWhatTheyHaveSeen) {
  MPI_Win_lock_all(0, win_);
  std::int64_t seen = 0;
  for (int done = 0; done < kRounds;) {
    const std::int64_t next = seen + 1;
    std::int64_t found = -1;
    ASSERT_EQ(MPI_Compare_and_swap(&next, &seen, &found, MPI_INT64_T, 0, offsetof(Shared, swapped), win_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush(0, win_), MPI_SUCCESS);
    if (found == seen) ++done;
    seen = found == seen ? next : found;
  }
  EXPECT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  EXPECT_EQ(read().swapped, kRounds * world_size());
}

TEST_F(Paths, AreKeptOutByAnExclusiveLock) {
  for (int i = 0; i < kRounds; ++i) {
    std::int64_t number = -1;
    ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Get(&number, 1, MPI_INT64_T, 0, offsetof(Shared, locked), 1, MPI_INT64_T, win_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush(0, win_), MPI_SUCCESS);
    ++number;
    ASSERT_EQ(MPI_Put(&number, 1, MPI_INT64_T, 0, offsetof(Shared, locked), 1, MPI_INT64_T, win_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock(0, win_), MPI_SUCCESS);
  }
  EXPECT_EQ(read().locked, kRounds * world_size());
}

}  // namespace
}  // namespace psnam::test
