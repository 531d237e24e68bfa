// MPI_THREAD_MULTIPLE: threads that share a window, threads with a window each, and types that come and go beside them.
#include <array>
#include <atomic>
#include <numeric>

#include "threads.hpp"
#include "window.hpp"

namespace psnam::test {
namespace {

TEST(Threads, TheMpiLibraryGivesTheLevel) {
  int provided = 0;
  MPI_Query_thread(&provided);
  ASSERT_EQ(provided, MPI_THREAD_MULTIPLE);
}

TEST(Threads, AllPutToPlacesOfTheirOwnInOneWindow) {
  constexpr int kPuts = 500;
  const PartedWindow window{kKinds[8], kThreads * kPuts * sizeof(int), sizeof(int)};
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  const int previous = (me + world_size() - 1) % world_size();
  std::vector<int> values(kThreads * kPuts);
  std::iota(values.begin(), values.end(), me * kThreads * kPuts);
  std::atomic<int> failures{0};
  window.fence();
  in_threads([&](int thread) {
    for (int i = 0; i < kPuts; ++i) {
      const int& value = values[static_cast<std::size_t>(thread * kPuts + i)];
      if (MPI_Put(&value, 1, MPI_INT, next, thread * kPuts + i, 1, MPI_INT, window) != MPI_SUCCESS) ++failures;
    }
  });
  window.fence();
  std::vector<int> received(kThreads * kPuts);
  in_threads([&](int thread) {
    int* const mine = &received[static_cast<std::size_t>(thread * kPuts)];
    if (MPI_Get(mine, kPuts, MPI_INT, me, thread * kPuts, kPuts, MPI_INT, window) != MPI_SUCCESS) ++failures;
  });
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(failures, 0);
  for (int i = 0; i < kThreads * kPuts; ++i)
    ASSERT_EQ(received[static_cast<std::size_t>(i)], previous * kThreads * kPuts + i);
}

TEST(Threads, AccumulatesOfThreadsUnderOneExclusiveLockAreExact) {
  // The lock keeps other processes out, not the other threads of its holder.
  constexpr int kSteps = 2000;
  const PartedWindow window{kKinds[5], 8 * sizeof(long), sizeof(long)};
  const int me = world_rank();
  const std::vector<long> ones(8, 1);
  std::atomic<int> failures{0};
  ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, me, 0, window), MPI_SUCCESS);
  in_threads([&](int) {
    for (int step = 0; step < kSteps; ++step)
      if (MPI_Accumulate(ones.data(), 8, MPI_LONG, me, 0, 8, MPI_LONG, MPI_SUM, window) != MPI_SUCCESS) ++failures;
  });
  std::vector<long> sums(8);
  EXPECT_EQ(MPI_Get(sums.data(), 8, MPI_LONG, me, 0, 8, MPI_LONG, window), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock(me, window), MPI_SUCCESS);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(sums, std::vector<long>(8, kThreads * kSteps));
}

TEST(Threads, TheFirstTouchOfARegionByAllAtOnce) {
  // The region of another rank is mapped at the first operation: here by several threads at the same moment.
  for (int round = 0; round < 10; ++round) {
    const PartedWindow window{kKinds[5], kThreads * sizeof(int), sizeof(int)};
    const int me = world_rank();
    const int next = (me + 1) % world_size();
    std::atomic<int> failures{0};
    std::array<int, kThreads> values{};
    std::iota(values.begin(), values.end(), round * 100);
    window.fence();
    in_threads([&](int thread) {
      const int& value = values[static_cast<std::size_t>(thread)];
      if (MPI_Put(&value, 1, MPI_INT, next, thread, 1, MPI_INT, window) != MPI_SUCCESS) ++failures;
    });
    window.fence();
    EXPECT_EQ(failures, 0);
    std::array<int, kThreads> received{};
    EXPECT_EQ(MPI_Get(received.data(), kThreads, MPI_INT, me, 0, kThreads, MPI_INT, window), MPI_SUCCESS);
    window.fence(MPI_MODE_NOSUCCEED);
    for (int thread = 0; thread < kThreads; ++thread)
      EXPECT_EQ(received[static_cast<std::size_t>(thread)], round * 100 + thread);
  }
}

TEST(Threads, EachFencesAWindowOfItsOwn) {
  constexpr int kEpochs = 60;
  const int me = world_rank();
  const int ranks = world_size();
  std::vector<PartedWindow> windows;
  for (std::size_t t = 0; t < kThreads; ++t) windows.emplace_back(kKinds[3 + t % 3], 2 * sizeof(int), sizeof(int));
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    const PartedWindow& window = windows[static_cast<std::size_t>(thread)];
    const int next = (me + 1) % ranks;
    const int previous = (me + ranks - 1) % ranks;
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      const int value = (epoch * kThreads + thread) * 10 + me;
      int received = -1;
      const bool good =
          MPI_Win_fence(0, window) == MPI_SUCCESS &&
          MPI_Put(&value, 1, MPI_INT, window.target(next),
                  window.displacement(next, static_cast<std::size_t>(epoch % 2)), 1, MPI_INT, window) == MPI_SUCCESS &&
          MPI_Win_fence(0, window) == MPI_SUCCESS &&
          MPI_Get(&received, 1, MPI_INT, window.target(me),
                  window.displacement(me, static_cast<std::size_t>(epoch % 2)), 1, MPI_INT, window) == MPI_SUCCESS &&
          MPI_Win_fence(MPI_MODE_NOSUCCEED, window) == MPI_SUCCESS;
      if (!good || received != (epoch * kThreads + thread) * 10 + previous) ++failures;
    }
  });
  EXPECT_EQ(failures, 0);
}

TEST(Threads, TypesAreMadeUsedAndFreedByAllAtOnce) {
  constexpr int kRounds = 200;
  constexpr int kPlaces = 64;  // ints of the part that is a thread's own
  const PartedWindow window{kKinds[5], kThreads * kPlaces * sizeof(int), sizeof(int)};
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  const int previous = (me + world_size() - 1) % world_size();
  std::atomic<int> failures{0};
  ASSERT_EQ(MPI_Win_lock_all(0, window), MPI_SUCCESS);
  in_threads([&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      // The stride changes from round to round, so that a layout of an earlier type under the same handle would be
      // seen.
      const int stride = 1 + (round + thread) % 20;
      MPI_Datatype type = MPI_DATATYPE_NULL;
      MPI_Type_vector(3, 1, stride, MPI_INT, &type);
      MPI_Type_commit(&type);
      const std::array<int, 3> sent{round, -round, me};
      if (MPI_Put(sent.data(), 3, MPI_INT, next, thread * kPlaces, 1, type, window) != MPI_SUCCESS) ++failures;
      if (MPI_Win_flush(next, window) != MPI_SUCCESS) ++failures;
      std::array<int, 3> back{};
      if (MPI_Get(back.data(), 3, MPI_INT, next, thread * kPlaces, 1, type, window) != MPI_SUCCESS) ++failures;
      if (MPI_Win_flush(next, window) != MPI_SUCCESS || back != sent) ++failures;
      MPI_Type_free(&type);
    }
  });
  ASSERT_EQ(MPI_Win_unlock_all(window), MPI_SUCCESS);
  window.fence();
  EXPECT_EQ(failures, 0);
  std::vector<int> received(kThreads * kPlaces);
  EXPECT_EQ(MPI_Get(received.data(), kThreads * kPlaces, MPI_INT, me, 0, kThreads * kPlaces, MPI_INT, window),
            MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  for (int thread = 0; thread < kThreads; ++thread) {
    const int* const part = &received[static_cast<std::size_t>(thread * kPlaces)];
    const int stride = 1 + (kRounds - 1 + thread) % 20;
    EXPECT_EQ(part[0], kRounds - 1);
    EXPECT_EQ(part[stride], 1 - kRounds);
    EXPECT_EQ(part[2 * stride], previous);
  }
}

TEST(Threads, EachMakesAndFreesWindowsOnACommunicatorOfItsOwn) {
  std::array<MPI_Comm, kThreads> comms{};
  for (MPI_Comm& comm : comms) MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  const int previous = (me + world_size() - 1) % world_size();
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    for (int round = 0; round < 10; ++round) {
      const PartedWindow window{kKinds[static_cast<std::size_t>(round) % kKinds.size()], 64, 8,
                                comms[static_cast<std::size_t>(thread)]};
      const std::int64_t value = (round * kThreads + thread) * 10 + me;
      std::int64_t received = -1;
      const bool good = MPI_Win_fence(0, window) == MPI_SUCCESS &&
                        MPI_Put(&value, 1, MPI_INT64_T, window.target(next), window.displacement(next, 5), 1,
                                MPI_INT64_T, window) == MPI_SUCCESS &&
                        MPI_Win_fence(0, window) == MPI_SUCCESS &&
                        MPI_Get(&received, 1, MPI_INT64_T, window.target(me), window.displacement(me, 5), 1,
                                MPI_INT64_T, window) == MPI_SUCCESS &&
                        MPI_Win_fence(MPI_MODE_NOSUCCEED, window) == MPI_SUCCESS;
      if (!good || received != (round * kThreads + thread) * 10 + previous) ++failures;
    }
  });
  EXPECT_EQ(failures, 0);
  for (MPI_Comm& comm : comms) MPI_Comm_free(&comm);
}

TEST(Threads, ErrorsOfAllAtOnceEachHaveTheirOwnText) {
  const PartedWindow window{kKinds[5], 64};
  std::atomic<int> failures{0};
  window.fence();
  in_threads([&](int thread) {
    for (int i = 0; i < 20; ++i) {
      const int rank = 1000 + thread * 100 + i;
      const char value = 0;
      const int code = MPI_Put(&value, 1, MPI_CHAR, rank, 0, 1, MPI_CHAR, window);
      if (error_class(code) != MPI_ERR_RANK || error_text(code).find(std::to_string(rank)) == std::string::npos)
        ++failures;
    }
  });
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace psnam::test
