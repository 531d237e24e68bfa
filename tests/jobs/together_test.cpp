// Jobs that change one window at the same time: atomics and locks hold between them, also when one of them dies.
#include <unistd.h>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

const std::string kName = "together.window";
constexpr int kMakers = 2;
constexpr int kSteps = 3000;
constexpr int kLockedSteps = 500;
constexpr int kJobs = 2;
constexpr int kRanks = 2;
constexpr int kTickets = kSteps * kJobs * kRanks;

// Places, in longs, of the region of rank 0; rank 1's holds a mark for each ticket.
constexpr MPI_Aint kNextTicket = 0;
constexpr MPI_Aint kLocked = 1;
constexpr MPI_Aint kWide = 2;

[[nodiscard]] long value_at(MPI_Win win, int rank, MPI_Aint place) {
  long value = -1;
  EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, rank, 0, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&value, 1, MPI_LONG, rank, place, 1, MPI_LONG, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_unlock(rank, win), MPI_SUCCESS);
  return value;
}

/// Adds one without an atomic operation; the lock is held.
void add_one(MPI_Win win, MPI_Aint place) {
  long value = -1;
  ASSERT_EQ(MPI_Get(&value, 1, MPI_LONG, 0, place, 1, MPI_LONG, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_flush(0, win), MPI_SUCCESS);
  ++value;
  ASSERT_EQ(MPI_Put(&value, 1, MPI_LONG, 0, place, 1, MPI_LONG, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_flush(0, win), MPI_SUCCESS);
}

void tell_process() { std::cout << "process " << ::getpid() << std::endl; }

TEST(Maker, LeavesCountersAtZero) {
  MPI_Win win = allocate({{"psnam_manifestation", manifestation_of("mixed", world_rank())},
                          {"psnam_consistency", "psnam_consistency_persistent"},
                          {"psnam_window_name", kName}},
                         world_rank() == 0 ? 64 : kTickets * sizeof(long), sizeof(long));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Worker, DrawsTickets) {
  MPI_Win win = connected_window(kName);
  stop_at("ready");
  const long one = 1;
  ASSERT_EQ(MPI_Win_lock_all(0, win), MPI_SUCCESS);
  long last = -1;
  for (int step = 0; step < kSteps; ++step) {
    long ticket = -1;
    ASSERT_EQ(MPI_Fetch_and_op(&one, &ticket, MPI_LONG, 0, kNextTicket, MPI_SUM, win), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush(0, win), MPI_SUCCESS);
    ASSERT_GT(ticket, last);
    ASSERT_LT(ticket, kTickets);
    last = ticket;
    ASSERT_EQ(MPI_Accumulate(&one, 1, MPI_LONG, 1, ticket, 1, MPI_LONG, MPI_SUM, win), MPI_SUCCESS);
  }
  ASSERT_EQ(MPI_Win_unlock_all(win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Worker, CountsUnderTheExclusiveLock) {
  MPI_Win win = connected_window(kName);
  stop_at("ready");
  for (int step = 0; step < kLockedSteps; ++step) {
    ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win), MPI_SUCCESS);
    add_one(win, kLocked);
    ASSERT_EQ(MPI_Win_unlock(0, win), MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Worker, AddsWideNumbersThatNoProcessorAdds) {
  MPI_Win win = connected_window(kName);
  stop_at("ready");
  const long double one = 1;
  ASSERT_EQ(MPI_Win_lock_all(0, win), MPI_SUCCESS);
  for (int step = 0; step < kSteps; ++step) {
    ASSERT_EQ(MPI_Accumulate(&one, 1, MPI_LONG_DOUBLE, 0, kWide, 1, MPI_LONG_DOUBLE, MPI_SUM, win), MPI_SUCCESS);
  }
  ASSERT_EQ(MPI_Win_unlock_all(win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Checker, FindsEachTicketDrawnOnce) {
  MPI_Win win = connected_window(kName);
  EXPECT_EQ(value_at(win, 0, kNextTicket), kTickets);
  std::vector<long> marks(kTickets, -1);
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, 1, 0, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Get(marks.data(), kTickets, MPI_LONG, 1, 0, kTickets, MPI_LONG, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(1, win), MPI_SUCCESS);
  EXPECT_EQ(marks, std::vector<long>(kTickets, 1));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Checker, FindsTheExactSums) {
  MPI_Win win = connected_window(kName);
  EXPECT_EQ(value_at(win, 0, kLocked), kLockedSteps * kJobs * kRanks);
  long double sum = -1;
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Get(&sum, 1, MPI_LONG_DOUBLE, 0, kWide, 1, MPI_LONG_DOUBLE, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(0, win), MPI_SUCCESS);
  EXPECT_EQ(sum, static_cast<long double>(kSteps * kJobs * kRanks));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

// The roles below are one rank each. A victim does not end: the script kills it.

TEST(Victim, HoldsTheExclusiveLock) {
  MPI_Win win = connected_window(kName);
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win), MPI_SUCCESS);
  add_one(win, kLocked);
  tell_process();
  stop_at("in");
}

TEST(Victim, HoldsAllLocks) {
  MPI_Win win = connected_window(kName);
  ASSERT_EQ(MPI_Win_lock_all(0, win), MPI_SUCCESS);
  tell_process();
  stop_at("in");
}

TEST(Victim, AccumulatesUnderAllLocks) {
  MPI_Win win = connected_window(kName);
  ASSERT_EQ(MPI_Win_lock_all(0, win), MPI_SUCCESS);
  tell_process();
  std::cout << "@in" << std::endl;
  const long double one = 1;
  while (MPI_Accumulate(&one, 1, MPI_LONG_DOUBLE, 0, kWide, 1, MPI_LONG_DOUBLE, MPI_SUM, win) == MPI_SUCCESS) {
  }
}

TEST(Victim, IsInAFenceEpoch) {
  MPI_Win win = connected_window(kName);
  ASSERT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  const long value = 1;
  ASSERT_EQ(MPI_Accumulate(&value, 1, MPI_LONG, 0, kLocked, 1, MPI_LONG, MPI_SUM, win), MPI_SUCCESS);
  tell_process();
  stop_at("in");
}

TEST(Survivor, GetsTheLockAndGoesOn) {
  MPI_Win win = connected_window(kName);
  stop_at("ready");
  const long before = value_at(win, 0, kLocked);
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, win), MPI_SUCCESS);
  add_one(win, kLocked);
  const long double wide = 1;
  EXPECT_EQ(MPI_Accumulate(&wide, 1, MPI_LONG_DOUBLE, 0, kWide, 1, MPI_LONG_DOUBLE, MPI_SUM, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(0, win), MPI_SUCCESS);
  EXPECT_EQ(value_at(win, 0, kLocked), before + 1);
  ASSERT_EQ(MPI_Win_lock_all(0, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Accumulate(&wide, 1, MPI_LONG_DOUBLE, 0, kWide, 1, MPI_LONG_DOUBLE, MPI_SUM, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock_all(win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Remover, TakesTheWindowAway) {
  remove_window(connected_window(kName));
  expect_no_window(kName);
}

}  // namespace
}  // namespace psnam::test
