// Accumulates and atomics: exact results with all ranks at the same element, in each kind of epoch, by each call.
#include <algorithm>
#include <complex>
#include <functional>

#include "window.hpp"

namespace psnam::test {
namespace {

constexpr int kSteps = 60;

enum class Epoch { fence, lock_all, shared_lock, exclusive_lock };

struct Case {
  Kind kind;
  Epoch epoch;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Epoch epoch : {Epoch::fence, Epoch::lock_all, Epoch::shared_lock, Epoch::exclusive_lock})
    for (const std::size_t kind : {std::size_t{0}, std::size_t{4}, std::size_t{5}, std::size_t{8}})
      all.push_back({kKinds[kind], epoch});
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  constexpr const char* kNames[] = {"Fence", "LockAll", "SharedLock", "ExclusiveLock"};
  return std::string{info.param.kind.manifestation} + "_" + info.param.kind.structure + "_" +
         kNames[static_cast<int>(info.param.epoch)];
}

/// A window whose first part all ranks contend for.
class Contended : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::size_t kBytes = 512;

  /// All ranks run `body` in epochs on rank 0's part, which is zero before; then they `look` at it.
  void contend(const std::function<void()>& body, const std::function<void()>& look) {
    if (GetParam().epoch == Epoch::fence) {
      fence();
      body();
      fence();
      look();
      fence(MPI_MODE_NOSUCCEED);
      return;
    }
    open(GetParam().epoch);
    body();
    close(GetParam().epoch);
    MPI_Barrier(MPI_COMM_WORLD);
    open(Epoch::shared_lock);
    look();
    close(Epoch::shared_lock);
    MPI_Barrier(MPI_COMM_WORLD);
  }

  /// Ends an exclusive lock and takes it again, so that the others come in between.
  void let_others_in() {
    if (GetParam().epoch != Epoch::exclusive_lock) return;
    close(Epoch::exclusive_lock);
    open(Epoch::exclusive_lock);
  }

  /// kSteps accumulates of `one` by each rank, as single elements by each call and as arrays, give `sum` after `steps`.
  template <class V>
  void expect_sums(MPI_Datatype type, V one) {
    constexpr int kElements = 3;
    const std::array<V, kElements> ones{one, one, one};
    std::array<V, kElements> olds{};  // written until the epoch ends, and not looked at
    std::array<V, kElements> sums{};
    contend(
        [&] {
          for (int step = 0; step < kSteps; ++step) {
            if (step % 4 == 0) ok(MPI_Accumulate(ones.data(), 3, type, 0, 0, 3, type, MPI_SUM, window_));
            if (step % 4 == 1)
              ok(MPI_Get_accumulate(ones.data(), 3, type, olds.data(), 3, type, 0, 0, 3, type, MPI_SUM, window_));
            if (step % 4 == 2) ok(MPI_Accumulate(ones.data(), 1, type, 0, 0, 1, type, MPI_SUM, window_));
            if (step % 4 == 3) ok(MPI_Fetch_and_op(&one, olds.data(), type, 0, 0, MPI_SUM, window_));
            let_others_in();
          }
        },
        [&] { ok(MPI_Get(sums.data(), 3, type, 0, 0, 3, type, window_)); });
    const V in_all = V(static_cast<float>(kSteps * world_size()));
    const V in_arrays = V(static_cast<float>(kSteps / 2 * world_size()));
    EXPECT_EQ(sums[0], V(in_all * one));
    EXPECT_EQ(sums[1], V(in_arrays * one));
    EXPECT_EQ(sums[2], V(in_arrays * one));
  }

  /// Completes what was begun, in an epoch of any kind; of a fence's kind it is collective.
  void complete() {
    if (GetParam().epoch == Epoch::fence)
      fence();
    else
      ok(MPI_Win_flush(0, window_));
  }
  static void ok(int code) { ASSERT_EQ(code, MPI_SUCCESS) << error_text(code); }
  void fence(int assertions = 0) { window_.fence(assertions); }
  void open(Epoch epoch) {
    if (epoch == Epoch::lock_all)
      ok(MPI_Win_lock_all(0, window_));
    else
      ok(MPI_Win_lock(epoch == Epoch::shared_lock ? MPI_LOCK_SHARED : MPI_LOCK_EXCLUSIVE, 0, 0, window_));
  }
  void close(Epoch epoch) { ok(epoch == Epoch::lock_all ? MPI_Win_unlock_all(window_) : MPI_Win_unlock(0, window_)); }

  PartedWindow window_{GetParam().kind, kBytes};
};
INSTANTIATE_TEST_SUITE_P(Kinds, Contended, testing::ValuesIn(cases()), case_name);

TEST_P(Contended, SumsOfIntAreExact) { expect_sums<int>(MPI_INT, 3); }
TEST_P(Contended, SumsOfBytesOfAnIntegerAreExact) { expect_sums<std::uint8_t>(MPI_UINT8_T, 1); }
TEST_P(Contended, SumsOfLongAreExact) { expect_sums<long>(MPI_LONG, 1L << 33); }
TEST_P(Contended, SumsOfDoubleAreExact) { expect_sums<double>(MPI_DOUBLE, 0.5); }
TEST_P(Contended, SumsOfLongDoubleAreExact) { expect_sums<long double>(MPI_LONG_DOUBLE, 0.25L); }
TEST_P(Contended, SumsOfComplexAreExact) { expect_sums<std::complex<double>>(MPI_C_DOUBLE_COMPLEX, {1.0, -2.0}); }

TEST_P(Contended, MinlocFindsTheSmallestAndWhoHasIt) {
  struct Pair {
    double value;
    int index;
  };
  const int me = world_rank();
  const int ranks = world_size();
  std::vector<Pair> pairs(kSteps);
  Pair least{};
  contend(
      [&] {
        for (int step = 0; step < kSteps; ++step) {
          Pair& mine = pairs[static_cast<std::size_t>(step)];
          mine = {-static_cast<double>(step * ranks + me), step * ranks + me};
          ok(MPI_Accumulate(&mine, 1, MPI_DOUBLE_INT, 0, 0, 1, MPI_DOUBLE_INT, MPI_MINLOC, window_));
          let_others_in();
        }
      },
      [&] { ok(MPI_Get(&least, 1, MPI_DOUBLE_INT, 0, 0, 1, MPI_DOUBLE_INT, window_)); });
  EXPECT_EQ(least.value, -static_cast<double>(kSteps * ranks - 1));
  EXPECT_EQ(least.index, kSteps * ranks - 1);
}

TEST_P(Contended, FetchAndOpGivesEachTicketOnce) {
  std::vector<long> tickets(kSteps);
  const long one = 1;
  contend(
      [&] {
        for (long& ticket : tickets) {
          ok(MPI_Fetch_and_op(&one, &ticket, MPI_LONG, 0, 8, MPI_SUM, window_));
          let_others_in();
        }
      },
      [&] {
        std::vector<long> all(tickets.size() * static_cast<std::size_t>(world_size()));
        MPI_Allgather(tickets.data(), kSteps, MPI_LONG, all.data(), kSteps, MPI_LONG, MPI_COMM_WORLD);
        std::sort(all.begin(), all.end());
        for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<long>(i));
      });
}

TEST_P(Contended, CompareAndSwapMakesEachStepOnce) {
  // What is there is only a hint for the first try; each success is one step. A try is completed by a fence that all
  // ranks take part in, or by a flush, so there the ranks try equally often, and here until each has made its steps.
  const bool together = GetParam().epoch == Epoch::fence;
  int steps = 0;
  int expected = 0;
  int sum = -1;
  contend(
      [&] {
        for (int tries = 0; together ? tries < 3 * kSteps : steps < kSteps; ++tries) {
          int old = -1;
          const int desired = expected + 1;
          ok(MPI_Compare_and_swap(&desired, &expected, &old, MPI_INT, 0, 4, window_));
          complete();
          steps += old == expected ? 1 : 0;
          expected = old;
          let_others_in();
        }
      },
      [&] { ok(MPI_Get(&sum, 1, MPI_INT, 0, 4, 1, MPI_INT, window_)); });
  int all_steps = 0;
  MPI_Allreduce(&steps, &all_steps, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_EQ(sum, all_steps);
  EXPECT_GE(all_steps, kSteps);
}

TEST_P(Contended, ReplacedArraysKeepWholeElements) {
  // Every element is one rank's value at any time, never a mixture of two.
  const int me = world_rank();
  const std::uint64_t mine = 0x0101010101010101ULL * static_cast<std::uint64_t>(me + 1);
  const std::vector<std::uint64_t> values(16, mine);
  std::vector<std::vector<std::uint64_t>> all_seen(kSteps, std::vector<std::uint64_t>(16));
  contend(
      [&] {
        for (std::vector<std::uint64_t>& seen : all_seen) {
          ok(MPI_Accumulate(values.data(), 16, MPI_UINT64_T, 0, 0, 16, MPI_UINT64_T, MPI_REPLACE, window_));
          ok(MPI_Get_accumulate(nullptr, 0, MPI_UINT64_T, seen.data(), 16, MPI_UINT64_T, 0, 0, 16, MPI_UINT64_T,
                                MPI_NO_OP, window_));
          let_others_in();
        }
      },
      [] {});
  for (const std::vector<std::uint64_t>& seen : all_seen)
    for (const std::uint64_t value : seen) {
      ASSERT_EQ(value % 0x0101010101010101ULL, 0U) << std::hex << value;
      ASSERT_GT(value, 0U);
    }
}

/// A window of 64 ints for each rank, this process's epoch open on all.
class Locked : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(MPI_Win_lock_all(0, window_), MPI_SUCCESS); }
  void TearDown() override { EXPECT_EQ(MPI_Win_unlock_all(window_), MPI_SUCCESS); }

  std::vector<int> target_ints() {
    std::vector<int> ints(64, -1);
    flush();
    EXPECT_EQ(MPI_Get(ints.data(), 64, MPI_INT, me_, 0, 64, MPI_INT, window_), MPI_SUCCESS);
    flush();
    return ints;
  }
  void flush() const { EXPECT_EQ(MPI_Win_flush(me_, window_), MPI_SUCCESS); }

  PartedWindow window_{kKinds[8], 256, 4};
  int me_ = world_rank();
};

TEST_F(Locked, DerivedTypesAreWalkedOnAllSides) {
  MPI_Datatype every_second = MPI_DATATYPE_NULL;
  MPI_Datatype every_third = MPI_DATATYPE_NULL;
  MPI_Type_vector(5, 1, 2, MPI_INT, &every_second);
  MPI_Type_vector(5, 1, 3, MPI_INT, &every_third);
  MPI_Type_commit(&every_second);
  MPI_Type_commit(&every_third);
  std::vector<int> origin(16);
  for (int i = 0; i < 16; ++i) origin[static_cast<std::size_t>(i)] = i + 1;
  std::array<int, 5> old{};
  ASSERT_EQ(MPI_Accumulate(origin.data(), 1, every_second, me_, 2, 1, every_third, MPI_SUM, window_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Get_accumulate(origin.data(), 1, every_third, old.data(), 5, MPI_INT, me_, 2, 1, every_third, MPI_SUM,
                               window_),
            MPI_SUCCESS);
  const std::vector<int> ints = target_ints();
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(old[i], origin[2 * i]);
    EXPECT_EQ(ints[2 + 3 * i], origin[2 * i] + origin[3 * i]);
    EXPECT_EQ(ints[3 + 3 * i], 0);
  }
  MPI_Type_free(&every_second);
  MPI_Type_free(&every_third);
}

TEST_F(Locked, RequestsAreWaitedForTogetherWithMessages) {
  const int next = (me_ + 1) % world_size();
  const int previous = (me_ + world_size() - 1) % world_size();
  for (int way = 0; way < 3; ++way) {
    const std::array<int, 4> values{way + 1, 2, 3, 4};
    std::array<int, 4> got{};
    std::array<int, 4> old{-1, -1, -1, -1};
    int message = -1;
    const int token = way * 100 + me_;
    std::array<MPI_Request, 6> requests;
    requests.fill(MPI_REQUEST_NULL);
    ASSERT_EQ(MPI_Irecv(&message, 1, MPI_INT, previous, way, MPI_COMM_WORLD, &requests[0]), MPI_SUCCESS);
    ASSERT_EQ(MPI_Rput(values.data(), 4, MPI_INT, me_, 0, 4, MPI_INT, window_, &requests[1]), MPI_SUCCESS);
    flush();
    ASSERT_EQ(MPI_Raccumulate(values.data(), 4, MPI_INT, me_, 0, 4, MPI_INT, MPI_PROD, window_, &requests[2]),
              MPI_SUCCESS);
    ASSERT_EQ(MPI_Rget_accumulate(values.data(), 4, MPI_INT, old.data(), 4, MPI_INT, me_, 0, 4, MPI_INT, MPI_SUM,
                                  window_, &requests[3]),
              MPI_SUCCESS);
    flush();
    ASSERT_EQ(MPI_Rget(got.data(), 4, MPI_INT, me_, 0, 4, MPI_INT, window_, &requests[4]), MPI_SUCCESS);
    ASSERT_EQ(MPI_Isend(&token, 1, MPI_INT, next, way, MPI_COMM_WORLD, &requests[5]), MPI_SUCCESS);
    if (way == 0) {
      ASSERT_EQ(MPI_Waitall(6, requests.data(), MPI_STATUSES_IGNORE), MPI_SUCCESS);
    }
    for (int done = 0; way == 1 && done < 6; ++done) {
      int index = MPI_UNDEFINED;
      ASSERT_EQ(MPI_Waitany(6, requests.data(), &index, MPI_STATUS_IGNORE), MPI_SUCCESS);
      ASSERT_NE(index, MPI_UNDEFINED);
    }
    for (int done = 0; way == 2 && done < 6;) {
      int count = 0;
      std::array<int, 6> indices{};
      ASSERT_EQ(MPI_Testsome(6, requests.data(), &count, indices.data(), MPI_STATUSES_IGNORE), MPI_SUCCESS);
      ASSERT_NE(count, MPI_UNDEFINED);
      done += count;
    }
    for (const MPI_Request request : requests) EXPECT_EQ(request, MPI_REQUEST_NULL);
    EXPECT_EQ(message, way * 100 + previous);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(old[i], values[i] * values[i]);
      EXPECT_EQ(got[i], values[i] * values[i] + values[i]);
    }
  }
}

TEST_F(Locked, LargeCountTwinsDoTheSame) {
  const std::array<int, 2> values{5, 7};
  std::array<int, 2> old{};
  std::array<int, 2> got{};
  std::array<MPI_Request, 4> requests;
  requests.fill(MPI_REQUEST_NULL);
  ASSERT_EQ(MPI_Rput_c(values.data(), 2, MPI_INT, me_, 4, 2, MPI_INT, window_, &requests[0]), MPI_SUCCESS);
  ASSERT_EQ(MPI_Wait(&requests[0], MPI_STATUS_IGNORE), MPI_SUCCESS);
  flush();
  ASSERT_EQ(MPI_Accumulate_c(values.data(), 2, MPI_INT, me_, 4, 2, MPI_INT, MPI_SUM, window_), MPI_SUCCESS);
  ASSERT_EQ(
      MPI_Get_accumulate_c(values.data(), 2, MPI_INT, old.data(), 2, MPI_INT, me_, 4, 2, MPI_INT, MPI_MAX, window_),
      MPI_SUCCESS);
  flush();
  EXPECT_EQ(old, (std::array<int, 2>{10, 14}));
  ASSERT_EQ(MPI_Raccumulate_c(values.data(), 2, MPI_INT, me_, 4, 2, MPI_INT, MPI_SUM, window_, &requests[1]),
            MPI_SUCCESS);
  ASSERT_EQ(MPI_Rget_accumulate_c(values.data(), 2, MPI_INT, old.data(), 2, MPI_INT, me_, 4, 2, MPI_INT, MPI_REPLACE,
                                  window_, &requests[2]),
            MPI_SUCCESS);
  flush();
  ASSERT_EQ(MPI_Rget_c(got.data(), 2, MPI_INT, me_, 4, 2, MPI_INT, window_, &requests[3]), MPI_SUCCESS);
  ASSERT_EQ(MPI_Waitall(4, requests.data(), MPI_STATUSES_IGNORE), MPI_SUCCESS);
  EXPECT_EQ(old, (std::array<int, 2>{15, 21}));
  EXPECT_EQ(got, values);
}

TEST_F(Locked, NothingIsDoneToNobodyAndByZeroCounts) {
  const int value = 9;
  int old = 5;
  const auto both = [&](int rank, int count) {
    MPI_Request q = MPI_REQUEST_NULL;
    const std::vector<std::function<int()>> calls{
        [&] { return MPI_Accumulate(&value, count, MPI_INT, rank, 0, count, MPI_INT, MPI_SUM, window_); },
        [&] {
          return MPI_Get_accumulate(&value, count, MPI_INT, &old, count, MPI_INT, rank, 0, count, MPI_INT, MPI_SUM,
                                    window_);
        },
        [&] { return MPI_Rput(&value, count, MPI_INT, rank, 0, count, MPI_INT, window_, &q); },
        [&] { return MPI_Rget(&old, count, MPI_INT, rank, 0, count, MPI_INT, window_, &q); },
        [&] { return MPI_Raccumulate(&value, count, MPI_INT, rank, 0, count, MPI_INT, MPI_SUM, window_, &q); },
        [&] {
          return MPI_Rget_accumulate(&value, count, MPI_INT, &old, count, MPI_INT, rank, 0, count, MPI_INT, MPI_SUM,
                                     window_, &q);
        }};
    for (std::size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i](), MPI_SUCCESS) << "call " << i;
      EXPECT_EQ(q != MPI_REQUEST_NULL, i >= 2) << "call " << i;
      EXPECT_EQ(MPI_Wait(&q, MPI_STATUS_IGNORE), MPI_SUCCESS);
    }
  };
  both(MPI_PROC_NULL, 1);
  both(me_, 0);
  EXPECT_EQ(MPI_Fetch_and_op(&value, &old, MPI_INT, MPI_PROC_NULL, 0, MPI_SUM, window_), MPI_SUCCESS);
  EXPECT_EQ(MPI_Compare_and_swap(&value, &value, &old, MPI_INT, MPI_PROC_NULL, 0, window_), MPI_SUCCESS);
  flush();
  EXPECT_EQ(old, 5);
  EXPECT_EQ(target_ints(), std::vector<int>(64));
}

TEST_F(Locked, AFetchThatChangesNothingNeedsNoOrigin) {
  const std::array<int, 3> values{1, 2, 3};
  ASSERT_EQ(MPI_Accumulate(values.data(), 3, MPI_INT, me_, 0, 3, MPI_INT, MPI_REPLACE, window_), MPI_SUCCESS);
  std::array<int, 3> old{};
  ASSERT_EQ(
      MPI_Get_accumulate(nullptr, 0, MPI_DATATYPE_NULL, old.data(), 3, MPI_INT, me_, 0, 3, MPI_INT, MPI_NO_OP, window_),
      MPI_SUCCESS);
  flush();
  EXPECT_EQ(old, values);
  int one = 0;
  ASSERT_EQ(MPI_Fetch_and_op(nullptr, &one, MPI_INT, me_, 2, MPI_NO_OP, window_), MPI_SUCCESS);
  flush();
  EXPECT_EQ(one, 3);
}

}  // namespace
}  // namespace psnam::test
