// Fences: what is visible after them, epoch after epoch, with every combination of assertions.
#include "window.hpp"

namespace psnam::test {
namespace {

constexpr int kEpochs = 300;

TEST(Fence, ACounterIsSeenByTheNextRankInEveryEpoch) {
  const PartedWindow window{kKinds[5], 2 * sizeof(int), sizeof(int)};
  const int me = world_rank();
  const int ranks = world_size();
  const int next = (me + 1) % ranks;
  const int previous = (me + ranks - 1) % ranks;
  window.fence(MPI_MODE_NOPRECEDE);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    // Two places in turn: in one epoch a place is either written or read.
    const int value = epoch * 1000 + me;
    ASSERT_EQ(MPI_Put(&value, 1, MPI_INT, next, epoch % 2, 1, MPI_INT, window), MPI_SUCCESS);
    int before = -1;
    if (epoch > 0) {
      ASSERT_EQ(MPI_Get(&before, 1, MPI_INT, me, (epoch - 1) % 2, 1, MPI_INT, window), MPI_SUCCESS);
    }
    window.fence(epoch + 1 == kEpochs ? MPI_MODE_NOSUCCEED : 0);
    if (epoch > 0) {
      ASSERT_EQ(before, (epoch - 1) * 1000 + previous) << "epoch " << epoch;
    }
  }
}

TEST(Fence, AnEpochOfPutsThenOneOfGetsSeesEveryPutWithEveryAssertion) {
  const int me = world_rank();
  const int ranks = world_size();
  const int previous = (me + ranks - 1) % ranks;
  const PartedWindow window{kKinds[8], 2 * sizeof(int), sizeof(int)};
  for (int round = 0; round < kEpochs / 2; ++round) {
    // The optional assertions by the bits of the round; each is true where it is made. NOPRECEDE and NOSUCCEED are the
    // same on all ranks.
    const int no_store = round & 1 ? MPI_MODE_NOSTORE : 0;
    const int no_put = round & 2 ? MPI_MODE_NOPUT : 0;
    const int no_precede = round & 4 ? MPI_MODE_NOPRECEDE : 0;
    const int no_succeed = round & 8 ? MPI_MODE_NOSUCCEED : 0;
    const int place = round % 2;
    const int value = round * 1000 + me;
    window.fence(no_store | no_precede);
    ASSERT_EQ(MPI_Put(&value, 1, MPI_INT, (me + 1) % ranks, place, 1, MPI_INT, window), MPI_SUCCESS);
    window.fence(no_store | no_put);
    int received = -1;
    ASSERT_EQ(MPI_Get(&received, 1, MPI_INT, me, place, 1, MPI_INT, window), MPI_SUCCESS);
    window.fence(no_store | no_succeed);
    ASSERT_EQ(received, round * 1000 + previous) << "round " << round;
  }
}

TEST(Fence, StoresOfARankAreSeenByGetsAfterIt) {
  const PartedWindow window{kKinds[5], sizeof(int) * 2, sizeof(int), MPI_COMM_WORLD, {{"psnam_baseptr", "load_store"}}};
  const int me = world_rank();
  const int ranks = world_size();
  auto* const own = static_cast<int*>(window.window().base());
  ASSERT_NE(own, nullptr);
  window.fence(MPI_MODE_NOPRECEDE | MPI_MODE_NOSUCCEED);
  for (int round = 0; round < kEpochs / 2; ++round) {
    own[round % 2] = round * 1000 + me;
    window.fence(MPI_MODE_NOPUT | MPI_MODE_NOPRECEDE);
    int received = -1;
    ASSERT_EQ(MPI_Get(&received, 1, MPI_INT, (me + 1) % ranks, round % 2, 1, MPI_INT, window), MPI_SUCCESS);
    window.fence(MPI_MODE_NOSTORE | MPI_MODE_NOSUCCEED);
    ASSERT_EQ(received, round * 1000 + (me + 1) % ranks) << "round " << round;
  }
}

TEST(Fence, PutsAreSeenByLoadsOfTheTargetAfterIt) {
  const PartedWindow window{kKinds[4], sizeof(int) * 2, sizeof(int), MPI_COMM_WORLD, {{"psnam_baseptr", "load_store"}}};
  const int me = world_rank();
  const int ranks = world_size();
  const auto* const own = static_cast<const volatile int*>(window.window().base());
  ASSERT_NE(own, nullptr);
  for (int round = 0; round < kEpochs / 2; ++round) {
    window.fence(MPI_MODE_NOSTORE);
    const int value = round * 1000 + me;
    ASSERT_EQ(MPI_Put(&value, 1, MPI_INT, (me + 1) % ranks, round % 2, 1, MPI_INT, window), MPI_SUCCESS);
    window.fence(MPI_MODE_NOSTORE | MPI_MODE_NOPUT | MPI_MODE_NOSUCCEED);
    ASSERT_EQ(own[round % 2], round * 1000 + (me + ranks - 1) % ranks) << "round " << round;
  }
}

TEST(Fence, TheWholeCollectionOfAssertionsIsTaken) {
  const PartedWindow window{kKinds[5], 8};
  constexpr int kAll = MPI_MODE_NOSTORE | MPI_MODE_NOPUT | MPI_MODE_NOPRECEDE | MPI_MODE_NOSUCCEED;
  for (int i = 0; i < 16; ++i) {
    const int bits = (i & 1 ? MPI_MODE_NOSTORE : 0) | (i & 2 ? MPI_MODE_NOPUT : 0) | (i & 4 ? MPI_MODE_NOPRECEDE : 0) |
                     (i & 8 ? MPI_MODE_NOSUCCEED : 0);
    EXPECT_EQ(bits & ~kAll, 0);
    EXPECT_EQ(MPI_Win_fence(bits, window), MPI_SUCCESS) << "assert " << bits;
  }
}

TEST(Fence, MessagesGoAroundBetweenTheFencesOfTwoWindows) {
  const PartedWindow a{kKinds[5], 8};
  const PartedWindow b{kKinds[3], 8};
  const int me = world_rank();
  const int ranks = world_size();
  for (int round = 0; round < 20; ++round) {
    a.fence();
    int token = me;
    MPI_Sendrecv_replace(&token, 1, MPI_INT, (me + 1) % ranks, 0, (me + ranks - 1) % ranks, 0, MPI_COMM_WORLD,
                         MPI_STATUS_IGNORE);
    EXPECT_EQ(token, (me + ranks - 1) % ranks);
    b.fence();
  }
  a.fence(MPI_MODE_NOSUCCEED);
  b.fence(MPI_MODE_NOSUCCEED);
}

TEST(Fence, LetsAMessageThroughThatTheOtherRankWaitsForBeforeItsFence) {
  if (world_size() < 2) GTEST_SKIP() << "needs two ranks";
  // Larger than what the MPI library sends ahead: rank 0's send completes only if rank 0 makes progress inside its
  // fence.
  constexpr int kCount = 1 << 20;
  const PartedWindow window{kKinds[5], 8};
  const int me = world_rank();
  std::vector<char> message(kCount, static_cast<char>(me + 1));
  MPI_Request request = MPI_REQUEST_NULL;
  if (me == 0) MPI_Isend(message.data(), kCount, MPI_CHAR, 1, 5, MPI_COMM_WORLD, &request);
  if (me == 1) {
    MPI_Recv(message.data(), kCount, MPI_CHAR, 0, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    EXPECT_EQ(message.back(), 1);
  }
  window.fence();
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  window.fence(MPI_MODE_NOSUCCEED);
}

}  // namespace
}  // namespace psnam::test
