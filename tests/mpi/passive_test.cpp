// Locks and flushes: what is visible after them, whom they keep out and whom not.
#include "tools/job_window.hpp"
#include "window.hpp"

namespace psnam::test {
namespace {

constexpr int kRounds = 30;

/// The value is read until the epoch has ended, or until a flush.
int put_int(const PartedWindow& window, int owner, std::size_t place, const int& value) {
  return MPI_Put(&value, 1, MPI_INT, window.target(owner), window.displacement(owner, place), 1, MPI_INT, window);
}

int put_int(const PartedWindow& window, int owner, std::size_t place, int&& value) = delete;

int get_int(const PartedWindow& window, int owner, std::size_t place, int& value) {
  return MPI_Get(&value, 1, MPI_INT, window.target(owner), window.displacement(owner, place), 1, MPI_INT, window);
}

/// The value of a place, read under a shared lock.
int locked_read(const PartedWindow& window, int owner, std::size_t place) {
  int value = -1;
  EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, window.target(owner), 0, window), MPI_SUCCESS);
  EXPECT_EQ(get_int(window, owner, place, value), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_unlock(window.target(owner), window), MPI_SUCCESS);
  return value;
}

/// A window of two ints for each rank.
struct Ring {
  explicit Ring(const Kind& kind) : window{kind, 2 * sizeof(int), sizeof(int)} {}

  int me = world_rank();
  int ranks = world_size();
  int next = (me + 1) % ranks;
  int previous = (me + ranks - 1) % ranks;
  PartedWindow window;
};

class Passive : public testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Passive, testing::ValuesIn(kKinds), kind_name);

TEST_P(Passive, PutsUnderALockAreSeenAfterItsUnlock) {
  const Ring r{GetParam()};
  for (int round = 0; round < kRounds; ++round) {
    const int type = round % 2 == 0 ? MPI_LOCK_EXCLUSIVE : MPI_LOCK_SHARED;
    const int target = r.window.target(r.next);
    const int sent = round * 1000 + r.me;
    ASSERT_EQ(MPI_Win_lock(type, target, 0, r.window), MPI_SUCCESS);
    ASSERT_EQ(put_int(r.window, r.next, 0, sent), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock(target, r.window), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    ASSERT_EQ(locked_read(r.window, r.me, 0), round * 1000 + r.previous) << "round " << round;
    MPI_Barrier(MPI_COMM_WORLD);
  }
}

TEST_P(Passive, PutsAreSeenAfterEachFormOfFlushThatCompletesThem) {
  const Ring r{GetParam()};
  ASSERT_EQ(MPI_Win_lock_all(0, r.window), MPI_SUCCESS);
  for (int round = 0; round < kRounds; ++round) {
    const int sent = round * 1000 + r.me;
    ASSERT_EQ(put_int(r.window, r.next, static_cast<std::size_t>(round % 2), sent), MPI_SUCCESS);
    const int target = r.window.target(r.next);
    ASSERT_EQ(round % 3 == 0 ? MPI_Win_flush_all(r.window) : MPI_Win_flush(target, r.window), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_sync(r.window), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    int seen = -1;
    ASSERT_EQ(get_int(r.window, r.me, static_cast<std::size_t>(round % 2), seen), MPI_SUCCESS);
    const int self = r.window.target(r.me);
    ASSERT_EQ(round % 4 < 2 ? MPI_Win_flush_local_all(r.window) : MPI_Win_flush_local(self, r.window), MPI_SUCCESS);
    ASSERT_EQ(seen, round * 1000 + r.previous) << "round " << round;
  }
  ASSERT_EQ(MPI_Win_unlock_all(r.window), MPI_SUCCESS);
}

TEST_P(Passive, AFlushUnderALockOfOneTargetCompletesAGet) {
  const Ring r{GetParam()};
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, r.window.target(r.me), 0, r.window), MPI_SUCCESS);
  for (int value = 1; value <= kRounds; ++value) {
    int seen = -1;
    ASSERT_EQ(put_int(r.window, r.me, 1, value), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush(r.window.target(r.me), r.window), MPI_SUCCESS);
    ASSERT_EQ(get_int(r.window, r.me, 1, seen), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush_all(r.window), MPI_SUCCESS);
    ASSERT_EQ(seen, value);
  }
  ASSERT_EQ(MPI_Win_unlock(r.window.target(r.me), r.window), MPI_SUCCESS);
}

TEST_P(Passive, AnExclusiveLockProtectsAReadModifyWrite) {
  const Ring r{GetParam()};
  constexpr int kSteps = 100;
  const int owner = r.ranks - 1;
  const int target = r.window.target(owner);
  for (int step = 0; step < kSteps; ++step) {
    int value = -1;
    ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, target, 0, r.window), MPI_SUCCESS);
    ASSERT_EQ(get_int(r.window, owner, 1, value), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush(target, r.window), MPI_SUCCESS);
    ++value;
    ASSERT_EQ(put_int(r.window, owner, 1, value), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock(target, r.window), MPI_SUCCESS);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(locked_read(r.window, owner, 1), kSteps * r.ranks);
}

TEST_P(Passive, ReadersWithASharedLockNeverSeeAWriterWithAnExclusiveOneHalfWay) {
  const Ring r{GetParam()};
  const int target = r.window.target(0);
  const bool writes = r.me == 0;
  for (int step = 1; step <= 2 * kRounds; ++step) {
    const int opposite = -step;
    ASSERT_EQ(MPI_Win_lock(writes ? MPI_LOCK_EXCLUSIVE : MPI_LOCK_SHARED, target, 0, r.window), MPI_SUCCESS);
    if (writes) {
      ASSERT_EQ(put_int(r.window, 0, 0, step), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_flush(target, r.window), MPI_SUCCESS);
      ASSERT_EQ(put_int(r.window, 0, 1, opposite), MPI_SUCCESS);
    } else {
      int first = 0;
      int second = 0;
      ASSERT_EQ(get_int(r.window, 0, 0, first), MPI_SUCCESS);
      ASSERT_EQ(get_int(r.window, 0, 1, second), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_flush(target, r.window), MPI_SUCCESS);
      ASSERT_EQ(first, -second);
    }
    ASSERT_EQ(MPI_Win_unlock(target, r.window), MPI_SUCCESS);
  }
}

TEST_P(Passive, AnExclusiveLockWaitsForThoseWhoHoldAll) {
  const Ring r{GetParam()};
  const int target = r.window.target(0);
  for (int step = 1; step <= kRounds; ++step) {
    const int opposite = -step;
    if (r.me == 0) {
      ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, target, 0, r.window), MPI_SUCCESS);
      ASSERT_EQ(put_int(r.window, 0, 0, step), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_flush(target, r.window), MPI_SUCCESS);
      ASSERT_EQ(put_int(r.window, 0, 1, opposite), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_unlock(target, r.window), MPI_SUCCESS);
    } else {
      int first = 0;
      int second = 0;
      ASSERT_EQ(MPI_Win_lock_all(0, r.window), MPI_SUCCESS);
      ASSERT_EQ(get_int(r.window, 0, 0, first), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_flush_all(r.window), MPI_SUCCESS);
      ASSERT_EQ(get_int(r.window, 0, 1, second), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_unlock_all(r.window), MPI_SUCCESS);
      ASSERT_EQ(first, -second);
    }
  }
}

TEST_P(Passive, SharedLocksOfAllRanksAreHeldAtOnce) {
  const Ring r{GetParam()};
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, r.window), MPI_SUCCESS);
  MPI_Barrier(MPI_COMM_WORLD);  // passed only if all have it
  ASSERT_EQ(MPI_Win_unlock(0, r.window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_lock_all(0, r.window), MPI_SUCCESS);
  MPI_Barrier(MPI_COMM_WORLD);
  ASSERT_EQ(MPI_Win_unlock_all(r.window), MPI_SUCCESS);
}

TEST_P(Passive, LocksOfEveryTargetAreHeldByOneProcessTogether) {
  const Ring r{GetParam()};
  std::vector<int> sent(static_cast<std::size_t>(r.ranks));
  for (int holder = 0; holder < r.ranks; ++holder) {
    for (int owner = 0; owner < r.ranks; ++owner) sent[static_cast<std::size_t>(owner)] = holder * 100 + owner;
    if (holder == r.me) {
      for (int target = 0; target < r.ranks; ++target)
        ASSERT_EQ(MPI_Win_lock(target % 2 == 0 ? MPI_LOCK_EXCLUSIVE : MPI_LOCK_SHARED, target, 0, r.window),
                  MPI_SUCCESS);
      for (int owner = 0; owner < r.ranks; ++owner)
        ASSERT_EQ(put_int(r.window, owner, 0, sent[static_cast<std::size_t>(owner)]), MPI_SUCCESS);
      for (int target = r.ranks - 1; target >= 0; --target) ASSERT_EQ(MPI_Win_unlock(target, r.window), MPI_SUCCESS);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT_EQ(locked_read(r.window, r.me, 0), holder * 100 + r.me);
    MPI_Barrier(MPI_COMM_WORLD);
  }
}

TEST_P(Passive, LocksThatNeedNoCheckLetOperationsThrough) {
  const Ring r{GetParam()};
  for (const int type : {MPI_LOCK_EXCLUSIVE, MPI_LOCK_SHARED}) {
    const int target = r.window.target(r.next);
    const int sent = type + r.me;
    ASSERT_EQ(MPI_Win_lock(type, target, MPI_MODE_NOCHECK, r.window), MPI_SUCCESS);
    ASSERT_EQ(put_int(r.window, r.next, 0, sent), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock(target, r.window), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    int seen = -1;
    ASSERT_EQ(MPI_Win_lock_all(MPI_MODE_NOCHECK, r.window), MPI_SUCCESS);
    ASSERT_EQ(get_int(r.window, r.me, 0, seen), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock_all(r.window), MPI_SUCCESS);
    EXPECT_EQ(seen, type + r.previous);
    MPI_Barrier(MPI_COMM_WORLD);
  }
}

TEST_P(Passive, ALockMayFollowAFenceThatOpensAnEpoch) {
  const Ring r{GetParam()};
  const int sent = r.me + 50;
  r.window.fence();
  ASSERT_EQ(put_int(r.window, r.next, 0, r.me), MPI_SUCCESS);
  r.window.fence();
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, r.window.target(r.next), 0, r.window), MPI_SUCCESS);
  ASSERT_EQ(put_int(r.window, r.next, 1, sent), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(r.window.target(r.next), r.window), MPI_SUCCESS);
  r.window.fence();
  int first = -1;
  int second = -1;
  ASSERT_EQ(get_int(r.window, r.me, 0, first), MPI_SUCCESS);
  ASSERT_EQ(get_int(r.window, r.me, 1, second), MPI_SUCCESS);
  r.window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(first, r.previous);
  EXPECT_EQ(second, r.previous + 50);
}

TEST(PassiveOnNobody, ALockIsAnEpochForOperationsOnNobody) {
  const Ring r{kKinds[5]};
  int value = 7;
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, MPI_PROC_NULL, 0, r.window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(&value, 1, MPI_INT, MPI_PROC_NULL, 0, 1, MPI_INT, r.window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&value, 1, MPI_INT, MPI_PROC_NULL, 0, 1, MPI_INT, r.window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_flush(MPI_PROC_NULL, r.window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_flush_local(MPI_PROC_NULL, r.window), MPI_SUCCESS);
  // A rank at the edge of a grid has several neighbours that are nobody, beside real ones.
  EXPECT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, MPI_PROC_NULL, 0, r.window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, r.next, 0, r.window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_unlock(MPI_PROC_NULL, r.window), MPI_SUCCESS);
  EXPECT_EQ(put_int(r.window, r.next, 0, value), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(r.next, r.window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(&value, 1, MPI_INT, MPI_PROC_NULL, 0, 1, MPI_INT, r.window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(MPI_PROC_NULL, r.window), MPI_SUCCESS);
  EXPECT_EQ(error_class(MPI_Win_unlock(MPI_PROC_NULL, r.window)), MPI_ERR_RMA_SYNC);
  EXPECT_EQ(value, 7);
}

TEST(PassiveOnMappedMemory, StoresOfTheOwnerAndPutsOfOthersMeetBySync) {
  const PartedWindow window{kKinds[5], sizeof(int), sizeof(int), MPI_COMM_WORLD, {{"psnam_baseptr", "load_store"}}};
  auto* const own = static_cast<volatile int*>(window.window().base());
  ASSERT_NE(own, nullptr);
  const int me = world_rank();
  const int ranks = world_size();
  ASSERT_EQ(MPI_Win_lock_all(MPI_MODE_NOCHECK, window), MPI_SUCCESS);
  for (int round = 0; round < kRounds; ++round) {
    *own = round * 1000 + me;
    ASSERT_EQ(MPI_Win_sync(window), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    int seen = -1;
    ASSERT_EQ(get_int(window, (me + 1) % ranks, 0, seen), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush_all(window), MPI_SUCCESS);
    ASSERT_EQ(seen, round * 1000 + (me + 1) % ranks);
    MPI_Barrier(MPI_COMM_WORLD);
    const int sent = -round * 1000 - me;
    ASSERT_EQ(put_int(window, (me + 1) % ranks, 0, sent), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush((me + 1) % ranks, window), MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    ASSERT_EQ(MPI_Win_sync(window), MPI_SUCCESS);
    ASSERT_EQ(*own, -round * 1000 - (me + ranks - 1) % ranks);
  }
  ASSERT_EQ(MPI_Win_unlock_all(window), MPI_SUCCESS);
}

TEST(PassiveOnAConnectedWindow, ItsLocksAreThoseOfTheWindow) {
  Info info{kPershm, {"psnam_consistency", "psnam_consistency_persistent"}, {"psnam_window_name", "passive.window"}};
  MPI_Win made = allocate(info, 2 * sizeof(int), sizeof(int));
  MPI_Win win = connected_window("passive.window");
  ASSERT_NE(win, MPI_WIN_NULL);
  constexpr int kSteps = 50;
  // Each rank adds by both handles in turn: they exclude each other only if the lock is the window's.
  for (int step = 0; step < kSteps; ++step) {
    const MPI_Win handle = (step + world_rank()) % 2 == 0 ? made : win;
    int value = -1;
    ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, handle), MPI_SUCCESS);
    ASSERT_EQ(MPI_Get(&value, 1, MPI_INT, 0, 1, 1, MPI_INT, handle), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_flush(0, handle), MPI_SUCCESS);
    ++value;
    ASSERT_EQ(MPI_Put(&value, 1, MPI_INT, 0, 1, 1, MPI_INT, handle), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock(0, handle), MPI_SUCCESS);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  int sum = -1;
  ASSERT_EQ(MPI_Win_lock_all(0, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Get(&sum, 1, MPI_INT, 0, 1, 1, MPI_INT, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock_all(win), MPI_SUCCESS);
  EXPECT_EQ(sum, kSteps * world_size());
  EXPECT_EQ(MPI_Win_free(&made), MPI_SUCCESS);
  remove_window(win);
}

}  // namespace
}  // namespace psnam::test
