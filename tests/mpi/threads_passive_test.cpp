// MPI_THREAD_MULTIPLE in passive epochs: threads that change the same elements by every kind of atomic, lock and flush,
// wait for requests, and ask the window while others work on it. Also run under ThreadSanitizer.
#include <array>
#include <atomic>
#include <complex>
#include <cstring>

#include "threads.hpp"
#include "window.hpp"

namespace psnam::test {
namespace {

constexpr int kSteps = 300;
constexpr int kElements = 20;

/// A window of `bytes` for each rank, in an epoch on all of its regions.
class OpenWindow {
 public:
  explicit OpenWindow(std::size_t bytes, std::size_t kind = 5) : window_{kKinds[kind], bytes} {
    EXPECT_EQ(MPI_Win_lock_all(0, window_), MPI_SUCCESS);
  }
  OpenWindow(OpenWindow&&) = delete;
  ~OpenWindow() { EXPECT_EQ(MPI_Win_unlock_all(window_), MPI_SUCCESS); }
  operator MPI_Win() const noexcept { return window_; }
  /// What this rank finds in its own part, when all that it has begun there is complete.
  template <class V>
  void get(V& values, int count, MPI_Datatype type, MPI_Aint displacement = 0) const {
    const int me = world_rank();
    EXPECT_EQ(MPI_Win_flush(me, window_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get(&values, count, type, me, displacement, count, type, window_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(me, window_), MPI_SUCCESS);
  }

 private:
  PartedWindow window_;
};

template <class V>
struct Numbers {
  std::array<V, kElements> values{};
  [[nodiscard]] bool operator==(const Numbers&) const = default;
};

template <class V>
Numbers<V> all(V value) {
  Numbers<V> numbers;
  numbers.values.fill(value);
  return numbers;
}

/// Every thread adds one to each element in each step: all at once, in two parts with old values, or one by one.
template <class V>
int add_in_all_ways(MPI_Datatype type, MPI_Win win, int me, MPI_Aint displacement, int step) {
  const auto ones = all(V{1});
  Numbers<V> old;
  const auto at = [&](int element) { return displacement + element * static_cast<MPI_Aint>(sizeof(V)); };
  int rc = MPI_SUCCESS;
  if (step % 3 == 0) rc = MPI_Accumulate(ones.values.data(), kElements, type, me, at(0), kElements, type, MPI_SUM, win);
  if (step % 3 == 1) {
    const int cut = step % kElements, rest = kElements - cut;
    rc = MPI_Accumulate(ones.values.data(), cut, type, me, at(0), cut, type, MPI_SUM, win);
    if (rc == MPI_SUCCESS)
      rc = MPI_Get_accumulate(ones.values.data(), rest, type, old.values.data(), rest, type, me, at(cut), rest, type,
                              MPI_SUM, win);
  }
  for (int i = 0; step % 3 == 2 && rc == MPI_SUCCESS && i < kElements; ++i)
    rc = MPI_Fetch_and_op(ones.values.data(), old.values.data(), type, me, at(i), MPI_SUM, win);
  return rc;
}

/// The elements begin `shift` bytes from an aligned place.
template <class V>
void sums_are_exact(MPI_Datatype type, std::size_t shift) {
  const OpenWindow window{kElements * sizeof(V) + shift};
  const int me = world_rank();
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    for (int step = 0; step < kSteps; ++step) {
      const int rc = add_in_all_ways<V>(type, window, me, static_cast<MPI_Aint>(shift), step + thread);
      if (rc != MPI_SUCCESS || MPI_Win_flush(me, window) != MPI_SUCCESS) ++failures;
    }
  });
  Numbers<V> sums;
  window.get(sums, kElements, type, static_cast<MPI_Aint>(shift));
  EXPECT_EQ(failures, 0);
  const auto total = static_cast<V>(static_cast<float>(kThreads * kSteps));
  EXPECT_EQ(sums, all(total)) << "width " << sizeof(V) << ", shift " << shift;
}

class Places : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Shifted, Places, testing::Values(0, 3),
                         [](const auto& shift) { return std::to_string(shift.param) + "Bytes"; });

TEST_P(Places, SumsOfEveryWidthAreExact) {
  sums_are_exact<std::uint16_t>(MPI_UINT16_T, GetParam());
  sums_are_exact<std::uint32_t>(MPI_UINT32_T, GetParam());
  sums_are_exact<std::uint64_t>(MPI_UINT64_T, GetParam());
  sums_are_exact<float>(MPI_FLOAT, GetParam());
  sums_are_exact<double>(MPI_DOUBLE, GetParam());
}

TEST_P(Places, SumsOfWhatNoSingleInstructionAddsAreExact) {
  sums_are_exact<long double>(MPI_LONG_DOUBLE, GetParam());
  sums_are_exact<std::complex<double>>(MPI_C_DOUBLE_COMPLEX, GetParam());
  sums_are_exact<std::complex<long double>>(MPI_C_LONG_DOUBLE_COMPLEX, GetParam());
}

/// Threads take turns by compare-and-swap.
template <class V>
void turns_are_taken(MPI_Datatype type, std::size_t shift) {
  const OpenWindow window{sizeof(V) + shift};
  const int me = world_rank();
  const auto place = static_cast<MPI_Aint>(shift);
  constexpr int kTurns = 30;  // of all threads together they fit the narrowest type
  std::atomic<int> failures{0};
  in_threads([&](int) {
    V guess{0};
    for (int turn = 0; turn < kTurns;) {
      const V next = static_cast<V>(guess + 1);
      V found{0};
      if (MPI_Compare_and_swap(&next, &guess, &found, type, me, place, window) != MPI_SUCCESS ||
          MPI_Win_flush_local(me, window) != MPI_SUCCESS) {
        ++failures;
        return;
      }
      turn += found == guess ? 1 : 0;
      guess = found;
    }
  });
  V sum{0};
  window.get(sum, 1, type, place);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(sum, kThreads * kTurns);
}

TEST_P(Places, TurnsTakenByCompareAndSwapAreAllCounted) {
  turns_are_taken<std::int8_t>(MPI_INT8_T, GetParam());
  turns_are_taken<std::int16_t>(MPI_INT16_T, GetParam());
  turns_are_taken<std::int32_t>(MPI_INT32_T, GetParam());
  turns_are_taken<std::int64_t>(MPI_INT64_T, GetParam());
}

TEST(ThreadsPassive, TheLargestValueAndItsLowestPlaceStay) {
  struct Pair {
    double value;
    int place;
  };
  const OpenWindow window{sizeof(Pair)};
  const int me = world_rank();
  const Pair smallest{-1, 1 << 20};
  EXPECT_EQ(MPI_Put(&smallest, 1, MPI_DOUBLE_INT, me, 0, 1, MPI_DOUBLE_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_flush(me, window), MPI_SUCCESS);
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    for (int step = 0; step < kSteps; ++step) {
      const Pair mine{static_cast<double>(step), 10 * step + thread};
      if (MPI_Accumulate(&mine, 1, MPI_DOUBLE_INT, me, 0, 1, MPI_DOUBLE_INT, MPI_MAXLOC, window) != MPI_SUCCESS ||
          MPI_Win_flush_local(me, window) != MPI_SUCCESS)
        ++failures;
    }
  });
  Pair largest{};
  window.get(largest, 1, MPI_DOUBLE_INT);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(largest.value, kSteps - 1);
  EXPECT_EQ(largest.place, 10 * (kSteps - 1));
}

TEST(ThreadsPassive, TheFirstAtomicsOfAWindowByAllAtOnce) {
  // What atomics need of a window is made at the first of them: here by several threads at the same moment, and in
  // every second round by one after another with nothing between them that orders memory.
  using Wide = std::complex<long double>;  // which needs a lock
  const Wide one = 1;
  for (int round = 0; round < 10; ++round) {
    const PartedWindow window{kKinds[static_cast<std::size_t>(3 + round % 3)], sizeof(Wide)};
    const int target = window.target(world_rank());
    const MPI_Aint place = window.displacement(world_rank());
    std::atomic<int> failures{0}, finished{0};
    window.fence();
    in_threads([&](int thread) {
      while (round % 2 != 0 && finished.load(std::memory_order_relaxed) < thread) std::this_thread::yield();
      if (MPI_Accumulate(&one, 1, MPI_C_LONG_DOUBLE_COMPLEX, target, place, 1, MPI_C_LONG_DOUBLE_COMPLEX, MPI_SUM,
                         window) != MPI_SUCCESS)
        ++failures;
      finished.fetch_add(1, std::memory_order_relaxed);
    });
    window.fence();
    Wide sum = 0;
    EXPECT_EQ(MPI_Get(&sum, 1, MPI_C_LONG_DOUBLE_COMPLEX, target, place, 1, MPI_C_LONG_DOUBLE_COMPLEX, window),
              MPI_SUCCESS);
    window.fence(MPI_MODE_NOSUCCEED);
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(sum, Wide{kThreads});
  }
}

TEST(ThreadsPassive, EachPutsFlushesAndGetsInAPartOfItsOwn) {
  constexpr std::size_t kBytes = 3000;  // a part that shares its first and last cache line with its neighbours
  const OpenWindow window{kThreads * kBytes};
  const int me = world_rank();
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    for (int round = 0; round < 50; ++round) {
      std::vector<std::byte> sent(kBytes), received(kBytes);
      for (std::size_t i = 0; i < kBytes; ++i) sent[i] = pattern(thread, me, i, round);
      const MPI_Aint place = thread * static_cast<MPI_Aint>(kBytes);
      const bool good =
          MPI_Put(sent.data(), kBytes, MPI_BYTE, me, place, kBytes, MPI_BYTE, window) == MPI_SUCCESS &&
          (round % 2 == 0 ? MPI_Win_flush(me, window) : MPI_Win_flush_all(window)) == MPI_SUCCESS &&
          MPI_Win_sync(window) == MPI_SUCCESS &&
          MPI_Get(received.data(), kBytes, MPI_BYTE, me, place, kBytes, MPI_BYTE, window) == MPI_SUCCESS &&
          MPI_Win_flush_local(me, window) == MPI_SUCCESS;
      if (!good || sent != received) ++failures;
    }
  });
  EXPECT_EQ(failures, 0);
}

TEST(ThreadsPassive, EachLocksAndUnlocksWindowsOfItsOwn) {
  // Contended by the other ranks, where there are any; what is counted is not counted by atomics.
  const int target = 0;
  std::vector<PartedWindow> windows;
  for (std::size_t t = 0; t < kThreads; ++t) windows.emplace_back(kKinds[3 + t % 3], sizeof(long), sizeof(long));
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    const PartedWindow& window = windows[static_cast<std::size_t>(thread)];
    for (int step = 0; step < 100; ++step) {
      long count = -1;
      bool good = MPI_Win_lock(MPI_LOCK_EXCLUSIVE, target, 0, window) == MPI_SUCCESS &&
                  MPI_Get(&count, 1, MPI_LONG, target, 0, 1, MPI_LONG, window) == MPI_SUCCESS &&
                  MPI_Win_flush_local(target, window) == MPI_SUCCESS;
      ++count;
      good = good && MPI_Put(&count, 1, MPI_LONG, target, 0, 1, MPI_LONG, window) == MPI_SUCCESS &&
             MPI_Win_unlock(target, window) == MPI_SUCCESS;
      if (!good) ++failures;
    }
  });
  MPI_Barrier(MPI_COMM_WORLD);
  for (const PartedWindow& window : windows) {
    long count = -1;
    EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, target, 0, window), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get(&count, 1, MPI_LONG, target, 0, 1, MPI_LONG, window), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_unlock(target, window), MPI_SUCCESS);
    EXPECT_EQ(count, 100 * world_size());
  }
  EXPECT_EQ(failures, 0);
}

TEST(ThreadsPassive, EachWaitsForItsRequests) {
  const OpenWindow window{(1 + kThreads) * sizeof(long)};
  const int me = world_rank();
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    const auto mine = static_cast<MPI_Aint>((1 + static_cast<std::size_t>(thread)) * sizeof(long));
    for (long step = 0; step < 50; ++step) {
      const long one = 1;
      long back = -1, sum = -1;
      std::array<MPI_Request, 2> requests{};
      bool good = MPI_Rput(&step, 1, MPI_LONG, me, mine, 1, MPI_LONG, window, &requests[0]) == MPI_SUCCESS &&
                  MPI_Raccumulate(&one, 1, MPI_LONG, me, 0, 1, MPI_LONG, MPI_SUM, window, &requests[1]) == MPI_SUCCESS;
      good = good && MPI_Waitall(2, requests.data(), MPI_STATUSES_IGNORE) == MPI_SUCCESS &&
             MPI_Win_flush(me, window) == MPI_SUCCESS;
      good = good && MPI_Rget(&back, 1, MPI_LONG, me, mine, 1, MPI_LONG, window, &requests[0]) == MPI_SUCCESS &&
             MPI_Rget_accumulate(nullptr, 0, MPI_LONG, &sum, 1, MPI_LONG, me, 0, 1, MPI_LONG, MPI_NO_OP, window,
                                 &requests[1]) == MPI_SUCCESS;
      good = good && MPI_Waitall(2, requests.data(), MPI_STATUSES_IGNORE) == MPI_SUCCESS;
      if (!good || back != step || sum < step + 1 || sum > 50L * kThreads) ++failures;
    }
  });
  EXPECT_EQ(failures, 0);
}

TEST(ThreadsPassive, OneSetsTheInfoWhileOthersAskAndWork) {
  const PartedWindow window{kKinds[2], 64};
  const int me = world_rank();
  ASSERT_EQ(MPI_Win_lock_all(0, window), MPI_SUCCESS);
  std::atomic<int> failures{0};
  in_threads([&](int thread) {
    for (int step = 0; step < 40; ++step) {
      bool good = true;
      if (thread == 0) {
        Info info{};
        info.set("psnam_consistency", step % 2 == 0 ? "psnam_consistency_persistent" : "psnam_consistency_volatile");
        good = MPI_Win_set_info(window, info) == MPI_SUCCESS;
      } else if (thread == 1) {
        good = window_info(window, "psnam_consistency").starts_with("psnam_consistency_");
      } else if (thread == 2) {
        MPI_Aint* bytes = nullptr;
        MPI_Aint size = 0;
        int flag = 0, unit = 0;
        void* base = nullptr;
        good = MPI_Win_get_attr(window, MPI_WIN_SIZE, &bytes, &flag) == MPI_SUCCESS && flag != 0 && *bytes == 64 &&
               MPI_Win_shared_query(window, me, &size, &unit, &base) == MPI_SUCCESS && size == 64;
      } else {
        const int value = step;
        good = MPI_Accumulate(&value, 1, MPI_INT, me, 0, 1, MPI_INT, MPI_MAX, window) == MPI_SUCCESS &&
               MPI_Win_flush(me, window) == MPI_SUCCESS;
      }
      if (!good) ++failures;
    }
  });
  ASSERT_EQ(MPI_Win_unlock_all(window), MPI_SUCCESS);
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(window_info(window, "psnam_consistency"), "psnam_consistency_volatile");
}

}  // namespace
}  // namespace psnam::test
