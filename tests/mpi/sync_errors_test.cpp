// Calls that no epoch allows, and accumulates that MPI does not define: an error with its cause, and nothing happens.
#include <functional>

#include "errors.hpp"

namespace psnam::test {
namespace {

constexpr int kUnknownBit = 1 << 30;

MPI_Op user_operation() {
  MPI_Op op = MPI_OP_NULL;
  MPI_Op_create([](void*, void*, int*, MPI_Datatype*) {}, 1, &op);
  return op;
}

/// A window of 16 ints for each rank whose errors are counted.
class SyncErrors : public testing::Test {
 protected:
  void SetUp() override { handle_errors_of(window_); }
  void TearDown() override {
    EXPECT_EQ(handled(), std::vector<int>{});
    handled().clear();
    MPI_Barrier(MPI_COMM_WORLD);
  }

  /// The call failed with this class and words, and the handler was called once.
  static void expect_refused(int code, int error_class, const std::vector<std::string>& words) {
    expect_handled_once(code);
    expect_error(code, error_class, words);
  }
  static void ok(int code) { EXPECT_EQ(code, MPI_SUCCESS) << error_text(code); }
  void expect_sync(int code, const std::vector<std::string>& words) const {
    expect_refused(code, MPI_ERR_RMA_SYNC, words);
  }
  [[nodiscard]] int put(int rank) const { return MPI_Put(&value_, 1, MPI_INT, rank, 0, 1, MPI_INT, window_); }
  /// Each rank can still use its region.
  void expect_usable_window() {
    ok(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, me_, 0, window_));
    ok(put(me_));
    int seen = -1;
    ok(MPI_Win_flush(me_, window_));
    ok(MPI_Get(&seen, 1, MPI_INT, me_, 0, 1, MPI_INT, window_));
    ok(MPI_Win_unlock(me_, window_));
    EXPECT_EQ(seen, value_);
  }

  int me_ = world_rank();
  int value_ = 77;
  MPI_Group self_ = MPI_GROUP_NULL;
  PartedWindow window_{kKinds[8], 64, 4};
};

TEST_F(SyncErrors, EveryOperationNeedsAnEpoch) {
  int old = 0;
  const int* const v = &value_;
  const MPI_Win w = window_;
  MPI_Request q = MPI_REQUEST_NULL;
  const std::vector<std::pair<const char*, std::function<int()>>> calls{
      {"put", [&] { return put(me_); }},
      {"get", [&] { return MPI_Get(&old, 1, MPI_INT, me_, 0, 1, MPI_INT, w); }},
      {"accumulate", [&] { return MPI_Accumulate(v, 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_SUM, w); }},
      {"accumulate",
       [&] { return MPI_Get_accumulate(v, 1, MPI_INT, &old, 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_SUM, w); }},
      {"accumulate", [&] { return MPI_Fetch_and_op(v, &old, MPI_INT, me_, 0, MPI_SUM, w); }},
      {"compare_and_swap", [&] { return MPI_Compare_and_swap(v, v, &old, MPI_INT, me_, 0, w); }},
      {"put", [&] { return MPI_Rput(v, 1, MPI_INT, me_, 0, 1, MPI_INT, w, &q); }},
      {"get", [&] { return MPI_Rget(&old, 1, MPI_INT, me_, 0, 1, MPI_INT, w, &q); }},
      {"accumulate", [&] { return MPI_Raccumulate(v, 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_SUM, w, &q); }},
      {"accumulate",
       [&] { return MPI_Rget_accumulate(v, 1, MPI_INT, &old, 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_SUM, w, &q); }},
  };
  const auto expect_all_refused = [&] {
    for (const auto& [name, call] : calls) expect_sync(call(), {name, "epoch", "MPI_Win_fence", "MPI_Win_lock"});
    EXPECT_EQ(q, MPI_REQUEST_NULL);
  };
  expect_all_refused();
  ok(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_));
  ok(put(me_));
  if (world_size() > 1) expect_sync(put((me_ + 1) % world_size()), {"epoch"});
  ok(MPI_Win_unlock(me_, window_));
  expect_all_refused();
  ok(MPI_Win_lock_all(0, window_));
  ok(put(me_));
  ok(MPI_Win_unlock_all(window_));
  expect_all_refused();
  window_.fence();
  window_.fence(MPI_MODE_NOSUCCEED);
  expect_all_refused();
}

TEST_F(SyncErrors, WhatEndsAnEpochNeedsOneOfItsKind) {
  expect_sync(MPI_Win_unlock(me_, window_), {"MPI_Win_unlock", "target " + std::to_string(me_)});
  expect_sync(MPI_Win_unlock_all(window_), {"MPI_Win_unlock_all", "no epoch"});
  expect_sync(MPI_Win_complete(window_), {"MPI_Win_complete without MPI_Win_start"});
  expect_sync(MPI_Win_wait(window_), {"MPI_Win_wait", "without MPI_Win_post"});
  int flag = 7;
  expect_sync(MPI_Win_test(window_, &flag), {"MPI_Win_test", "without MPI_Win_post"});
  ok(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_));
  expect_sync(MPI_Win_unlock_all(window_), {"MPI_Win_unlock_all", "MPI_Win_lock"});
  ok(MPI_Win_unlock(me_, window_));
  ok(MPI_Win_lock_all(0, window_));
  expect_sync(MPI_Win_unlock(me_, window_), {"MPI_Win_unlock"});
  ok(MPI_Win_unlock_all(window_));
  expect_usable_window();
}

TEST_F(SyncErrors, FlushesNeedALock) {
  const auto expect_all_refused = [&] {
    expect_sync(MPI_Win_flush(me_, window_), {"flush", "target " + std::to_string(me_), "not locked"});
    expect_sync(MPI_Win_flush_local(me_, window_), {"flush", "not locked"});
    expect_sync(MPI_Win_flush_all(window_), {"flush"});
    expect_sync(MPI_Win_flush_local_all(window_), {"flush"});
  };
  expect_all_refused();
  window_.fence();
  expect_all_refused();
  window_.fence(MPI_MODE_NOSUCCEED);
  ok(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_));
  ok(MPI_Win_flush(me_, window_));
  if (world_size() > 1) expect_sync(MPI_Win_flush((me_ + 1) % world_size(), window_), {"flush", "not locked"});
  ok(MPI_Win_unlock(me_, window_));
  expect_all_refused();
}

TEST_F(SyncErrors, ATargetIsLockedOnce) {
  ok(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_));
  expect_sync(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_), {"target " + std::to_string(me_), "already"});
  expect_sync(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, me_, 0, window_), {"already"});
  expect_sync(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, me_, MPI_MODE_NOCHECK, window_), {"already"});
  expect_sync(MPI_Win_lock_all(0, window_), {"MPI_Win_lock_all", "MPI_Win_lock"});
  ok(put(me_));
  ok(MPI_Win_unlock(me_, window_));
  ok(MPI_Win_lock_all(0, window_));
  expect_sync(MPI_Win_lock_all(0, window_), {"MPI_Win_lock_all"});
  expect_sync(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_), {"MPI_Win_lock", "MPI_Win_lock_all"});
  ok(put(me_));
  ok(MPI_Win_unlock_all(window_));
  expect_usable_window();
}

TEST_F(SyncErrors, NoFenceWithinAnotherEpoch) {
  ok(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_));
  expect_sync(MPI_Win_fence(0, window_), {"MPI_Win_fence", "MPI_Win_lock"});
  ok(put(me_));
  ok(MPI_Win_unlock(me_, window_));
  ok(MPI_Win_lock_all(0, window_));
  expect_sync(MPI_Win_fence(0, window_), {"MPI_Win_fence", "MPI_Win_lock_all"});
  ok(MPI_Win_unlock_all(window_));
  ok(MPI_Win_start(MPI_GROUP_EMPTY, 0, window_));
  expect_sync(MPI_Win_fence(0, window_), {"MPI_Win_fence", "MPI_Win_start"});
  expect_sync(MPI_Win_start(MPI_GROUP_EMPTY, 0, window_), {"MPI_Win_start"});
  expect_sync(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, window_), {"MPI_Win_lock", "MPI_Win_start"});
  expect_sync(MPI_Win_lock_all(0, window_), {"MPI_Win_lock_all", "MPI_Win_start"});
  ok(MPI_Win_complete(window_));
  window_.fence();
  ok(put(me_));
  window_.fence(MPI_MODE_NOSUCCEED);
}

TEST_F(SyncErrors, OnePostAtATime) {
  ok(MPI_Win_post(MPI_GROUP_EMPTY, 0, window_));
  expect_sync(MPI_Win_post(MPI_GROUP_EMPTY, 0, window_), {"MPI_Win_post", "already"});
  ok(MPI_Win_wait(window_));
  expect_sync(MPI_Win_wait(window_), {"without MPI_Win_post"});
}

TEST_F(SyncErrors, AWrongLockTypeOrAssertionIsNamed) {
  constexpr int kWrongType = 99;
  expect_refused(MPI_Win_lock(kWrongType, me_, 0, window_), MPI_ERR_LOCKTYPE, {"lock_type = 99", "MPI_LOCK_SHARED"});
  const std::string value = "assert = " + std::to_string(kUnknownBit);
  expect_refused(MPI_Win_lock(MPI_LOCK_SHARED, me_, kUnknownBit, window_), MPI_ERR_ASSERT, {value, "MPI_Win_lock"});
  expect_refused(MPI_Win_lock(MPI_LOCK_SHARED, me_, MPI_MODE_NOPUT, window_), MPI_ERR_ASSERT, {"MPI_MODE_NOCHECK"});
  expect_refused(MPI_Win_lock_all(kUnknownBit, window_), MPI_ERR_ASSERT, {value, "MPI_Win_lock"});
  expect_refused(MPI_Win_post(MPI_GROUP_EMPTY, kUnknownBit, window_), MPI_ERR_ASSERT, {value, "MPI_Win_post"});
  expect_refused(MPI_Win_start(MPI_GROUP_EMPTY, kUnknownBit, window_), MPI_ERR_ASSERT, {value, "MPI_Win_start"});
  expect_refused(MPI_Win_fence(kUnknownBit, window_), MPI_ERR_ASSERT, {value, "MPI_Win_fence"});
  expect_usable_window();
}

TEST_F(SyncErrors, ATargetThatIsNoneIsNamed) {
  const int beyond = world_size();
  const std::vector<std::string> words{"target_rank = " + std::to_string(beyond)};
  expect_refused(MPI_Win_lock(MPI_LOCK_SHARED, beyond, 0, window_), MPI_ERR_RANK, words);
  expect_refused(MPI_Win_lock(MPI_LOCK_SHARED, -7, 0, window_), MPI_ERR_RANK, {"-7"});
  expect_refused(MPI_Win_unlock(beyond, window_), MPI_ERR_RANK, words);
  expect_refused(MPI_Win_flush(beyond, window_), MPI_ERR_RANK, words);
  expect_refused(MPI_Win_flush_local(beyond, window_), MPI_ERR_RANK, words);
  expect_usable_window();
}

/// The epochs that keep a window from being freed, opened by rank 0 alone.
struct OpenEpoch {
  const char* name;
  std::function<int(MPI_Win)> open;
  std::function<int(MPI_Win)> close;
};

TEST(SyncErrorsOfFree, AnOpenEpochOnOneRankIsAnErrorOnAllAndTheWindowStays) {
  const std::vector<OpenEpoch> epochs{
      {"MPI_Win_lock", [](MPI_Win w) { return MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, w); },
       [](MPI_Win w) { return MPI_Win_unlock(0, w); }},
      {"MPI_Win_lock_all", [](MPI_Win w) { return MPI_Win_lock_all(0, w); },
       [](MPI_Win w) { return MPI_Win_unlock_all(w); }},
      {"MPI_Win_start", [](MPI_Win w) { return MPI_Win_start(MPI_GROUP_EMPTY, 0, w); },
       [](MPI_Win w) { return MPI_Win_complete(w); }},
      {"MPI_Win_post", [](MPI_Win w) { return MPI_Win_post(MPI_GROUP_EMPTY, 0, w); },
       [](MPI_Win w) { return MPI_Win_wait(w); }},
  };
  for (const OpenEpoch& epoch : epochs) {
    Info info{kPershm};
    void* base = nullptr;
    MPI_Win win = MPI_WIN_NULL;
    ASSERT_EQ(MPI_Win_allocate(64, 4, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
    handle_errors_of(win);
    if (world_rank() == 0) {
      ASSERT_EQ(epoch.open(win), MPI_SUCCESS);
    }
    MPI_Win copy = win;
    const int code = MPI_Win_free(&copy);
    expect_handled_once(code);
    expect_same_error(code, MPI_ERR_RMA_SYNC, {"MPI_Win_free", epoch.name}, MPI_COMM_WORLD);
    EXPECT_EQ(copy, win);
    if (world_rank() == 0) {
      EXPECT_EQ(epoch.close(win), MPI_SUCCESS);
    }
    const int value = 5 + world_rank();
    int seen = -1;
    EXPECT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, world_rank(), 0, win), MPI_SUCCESS);
    EXPECT_EQ(MPI_Put(&value, 1, MPI_INT, world_rank(), 0, 1, MPI_INT, win), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get(&seen, 1, MPI_INT, world_rank(), 0, 1, MPI_INT, win), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_unlock(world_rank(), win), MPI_SUCCESS);
    EXPECT_EQ(seen, value);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
    EXPECT_EQ(win, MPI_WIN_NULL);
  }
  expect_files(0, MPI_COMM_WORLD);
}

/// Accumulates that are refused, in an epoch that would allow them.
class AccumulateErrors : public SyncErrors {
 protected:
  void SetUp() override {
    SyncErrors::SetUp();
    ok(MPI_Win_lock_all(0, window_));
  }
  void TearDown() override {
    ints_.fill(-1);
    ok(MPI_Get(ints_.data(), 16, MPI_INT, me_, 0, 16, MPI_INT, window_));
    ok(MPI_Win_unlock_all(window_));
    EXPECT_EQ(ints_, (std::array<int, 16>{})) << "a refused call has changed the target";
    SyncErrors::TearDown();
  }

  /// Each call that takes an operation, with one element of `type`.
  void expect_each_refused(MPI_Datatype type, MPI_Op op, int error_class, const std::vector<std::string>& words,
                           bool fetching_only = false) {
    MPI_Request q = MPI_REQUEST_NULL;
    int* const from = ints_.data();
    int* const to = ints_.data() + 8;
    const MPI_Win w = window_;
    if (!fetching_only) {
      expect_refused(MPI_Accumulate(from, 1, type, me_, 0, 1, type, op, w), error_class, words);
      expect_refused(MPI_Raccumulate(from, 1, type, me_, 0, 1, type, op, w, &q), error_class, words);
      expect_refused(MPI_Accumulate_c(from, 1, type, me_, 0, 1, type, op, w), error_class, words);
    }
    expect_refused(MPI_Get_accumulate(from, 1, type, to, 1, type, me_, 0, 1, type, op, w), error_class, words);
    expect_refused(MPI_Rget_accumulate(from, 1, type, to, 1, type, me_, 0, 1, type, op, w, &q), error_class, words);
    expect_refused(MPI_Fetch_and_op(from, to, type, me_, 0, op, w), error_class, words);
    EXPECT_EQ(q, MPI_REQUEST_NULL);
  }

  std::array<int, 16> ints_{3, 3, 3, 3, 3, 3, 3, 3};
};

TEST_F(AccumulateErrors, AnOperationOfTheUserIsRefused) {
  MPI_Op op = user_operation();
  expect_each_refused(MPI_INT, op, MPI_ERR_OP, {"MPI_SUM", "MPI_REPLACE"});
  MPI_Op_free(&op);
  expect_each_refused(MPI_INT, MPI_OP_NULL, MPI_ERR_OP, {});
}

TEST_F(AccumulateErrors, AnOperationThatTheTypeDoesNotHaveIsRefused) {
  expect_each_refused(MPI_2INT, MPI_SUM, MPI_ERR_OP, {"MPI_SUM"});
  expect_each_refused(MPI_INT, MPI_MINLOC, MPI_ERR_OP, {"MPI_MINLOC"});
  expect_each_refused(MPI_DOUBLE, MPI_BAND, MPI_ERR_OP, {"MPI_BAND"});
  expect_each_refused(MPI_BYTE, MPI_SUM, MPI_ERR_OP, {"MPI_SUM"});
}

TEST_F(AccumulateErrors, NoOpIsForFetchesOnly) {
  const std::vector<std::string> words{"MPI_NO_OP", "MPI_Get_accumulate"};
  MPI_Request q = MPI_REQUEST_NULL;
  expect_refused(MPI_Accumulate(ints_.data(), 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_NO_OP, window_), MPI_ERR_OP, words);
  expect_refused(MPI_Accumulate_c(ints_.data(), 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_NO_OP, window_), MPI_ERR_OP, words);
  expect_refused(MPI_Raccumulate(ints_.data(), 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_NO_OP, window_, &q), MPI_ERR_OP,
                 words);
}

TEST_F(AccumulateErrors, ATypeOfSeveralPredefinedOnesIsRefused) {
  const std::array<int, 2> lengths{1, 1};
  const std::array<MPI_Aint, 2> places{0, 8};
  const std::array<MPI_Datatype, 2> types{MPI_INT, MPI_DOUBLE};
  MPI_Datatype mixed = MPI_DATATYPE_NULL;
  MPI_Type_create_struct(2, lengths.data(), places.data(), types.data(), &mixed);
  MPI_Type_commit(&mixed);
  const MPI_Win w = window_;
  expect_refused(MPI_Accumulate(ints_.data(), 1, mixed, me_, 0, 1, mixed, MPI_SUM, w), MPI_ERR_TYPE, {"predefined"});
  expect_refused(MPI_Accumulate(ints_.data(), 1, MPI_INT, me_, 0, 1, MPI_FLOAT, MPI_SUM, w), MPI_ERR_TYPE, {});
  expect_refused(MPI_Accumulate(ints_.data(), 1, MPI_INT, me_, 0, 2, MPI_INT, MPI_SUM, w), MPI_ERR_TYPE, {"4", "8"});
  MPI_Type_free(&mixed);
}

TEST_F(AccumulateErrors, CompareAndSwapTakesIntegersOnly) {
  const int* const v = ints_.data();
  int* const old = ints_.data() + 8;
  expect_refused(MPI_Compare_and_swap(v, v, old, MPI_DOUBLE, me_, 0, window_), MPI_ERR_TYPE, {});
  expect_refused(MPI_Compare_and_swap(v, v, old, MPI_2INT, me_, 0, window_), MPI_ERR_TYPE, {});
  expect_refused(MPI_Compare_and_swap(v, v, old, MPI_INT, me_, 16, window_), MPI_ERR_RMA_RANGE, {"64"});
  expect_refused(MPI_Compare_and_swap(v, v, old, MPI_INT, world_size(), 0, window_), MPI_ERR_RANK, {"target_rank"});
  expect_refused(MPI_Compare_and_swap(nullptr, v, old, MPI_INT, me_, 0, window_), MPI_ERR_BUFFER, {"origin_addr"});
  expect_refused(MPI_Compare_and_swap(v, nullptr, old, MPI_INT, me_, 0, window_), MPI_ERR_BUFFER, {"compare_addr"});
  expect_refused(MPI_Compare_and_swap(v, v, nullptr, MPI_INT, me_, 0, window_), MPI_ERR_BUFFER, {"result_addr"});
}

TEST_F(AccumulateErrors, BeyondTheRegionIsARangeError) {
  const MPI_Win w = window_;
  int old = 0;
  expect_refused(MPI_Accumulate(ints_.data(), 2, MPI_INT, me_, 15, 2, MPI_INT, MPI_SUM, w), MPI_ERR_RMA_RANGE, {"64"});
  expect_refused(MPI_Fetch_and_op(ints_.data(), &old, MPI_INT, me_, -1, MPI_SUM, w), MPI_ERR_RMA_RANGE, {"-4"});
  expect_refused(MPI_Fetch_and_op(ints_.data(), &old, MPI_INT, world_size(), 0, MPI_SUM, w), MPI_ERR_RANK,
                 {"target_rank"});
  expect_refused(MPI_Accumulate(nullptr, 1, MPI_INT, me_, 0, 1, MPI_INT, MPI_SUM, w), MPI_ERR_BUFFER, {"origin_addr"});
  expect_refused(MPI_Fetch_and_op(ints_.data(), nullptr, MPI_INT, me_, 0, MPI_SUM, w), MPI_ERR_BUFFER, {"result_addr"});
  expect_refused(MPI_Accumulate(ints_.data(), -1, MPI_INT, me_, 0, -1, MPI_INT, MPI_SUM, w), MPI_ERR_COUNT, {"-1"});
}

}  // namespace
}  // namespace psnam::test
