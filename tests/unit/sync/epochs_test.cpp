#include "sync/epochs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace psnam::sync {
namespace {

using Mode = Epochs::Mode;

constexpr std::size_t kTargets = 3;

void expect_sync_error(const Status& status, const std::string& word) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::sync);
  EXPECT_NE(status.error().message.find(word), std::string::npos) << status.error().message;
}

/// Epochs with one of each mode open.
struct Opened {
  explicit Opened(Mode mode) {
    if (mode == Mode::fence) epochs.fence(true);
    if (mode == Mode::start) {
      EXPECT_TRUE(epochs.begin_start().ok());
    }
    if (mode == Mode::locks) {
      EXPECT_TRUE(epochs.begin_lock(0, LockKind::shared, false).ok());
    }
    if (mode == Mode::lock_all) {
      EXPECT_TRUE(epochs.begin_lock_all(false).ok());
    }
    EXPECT_EQ(epochs.mode(), mode);
  }
  Epochs epochs{kTargets};
};

struct Step {
  const char* name;  ///< as errors name it
  std::function<Status(Epochs&)> take;
  std::vector<Mode> allowed;
};

std::vector<Step> steps() {
  return {
      {"MPI_Win_fence", [](Epochs& e) { return e.check_fence(); }, {Mode::none, Mode::fence}},
      {"MPI_Win_lock",
       [](Epochs& e) { return e.begin_lock(1, LockKind::exclusive, false); },
       {Mode::none, Mode::fence, Mode::locks}},
      {"MPI_Win_lock", [](Epochs& e) { return e.begin_lock_of_nobody(); }, {Mode::none, Mode::fence, Mode::locks}},
      {"MPI_Win_unlock", [](Epochs& e) { return e.end_lock(0).status(); }, {Mode::locks}},
      {"MPI_Win_unlock", [](Epochs& e) { return e.end_lock_of_nobody(); }, {}},
      {"MPI_Win_lock_all", [](Epochs& e) { return e.begin_lock_all(false); }, {Mode::none, Mode::fence}},
      {"MPI_Win_unlock_all", [](Epochs& e) { return e.end_lock_all().status(); }, {Mode::lock_all}},
      {"flush", [](Epochs& e) { return e.check_flush_all(); }, {Mode::locks, Mode::lock_all}},
      {"MPI_Win_start", [](Epochs& e) { return e.begin_start(); }, {Mode::none, Mode::fence}},
      {"MPI_Win_complete", [](Epochs& e) { return e.end_start(); }, {Mode::start}},
      {"MPI_Win_free", [](Epochs& e) { return e.check_free(); }, {Mode::none, Mode::fence}},
  };
}

TEST(Epochs, EachStepIsAllowedInItsModesAndARefusedOneChangesNothing) {
  for (const Step& step : steps()) {
    for (const Mode mode : {Mode::none, Mode::fence, Mode::start, Mode::locks, Mode::lock_all}) {
      Opened opened{mode};
      const Status taken = step.take(opened.epochs);
      const bool allowed = std::find(step.allowed.begin(), step.allowed.end(), mode) != step.allowed.end();
      ASSERT_EQ(taken.ok(), allowed) << step.name << " in mode " << static_cast<int>(mode);
      if (allowed) continue;
      expect_sync_error(taken, step.name);
      EXPECT_EQ(opened.epochs.mode(), mode) << step.name;
    }
  }
}

TEST(Epochs, AFenceOpensAndClosesAnEpoch) {
  Epochs epochs{kTargets};
  epochs.fence(true);
  EXPECT_EQ(epochs.mode(), Mode::fence);
  epochs.fence(false);
  EXPECT_EQ(epochs.mode(), Mode::none);
}

TEST(Epochs, TheLastUnlockEndsTheEpochOfLocks) {
  Epochs epochs{kTargets};
  ASSERT_TRUE(epochs.begin_lock(0, LockKind::shared, false).ok());
  ASSERT_TRUE(epochs.begin_lock(2, LockKind::exclusive, true).ok());
  ASSERT_TRUE(epochs.begin_lock_of_nobody().ok());
  ASSERT_TRUE(epochs.begin_lock_of_nobody().ok());
  const auto first = epochs.end_lock(0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, LockKind::shared);
  EXPECT_FALSE(first->unchecked);
  const auto second = epochs.end_lock(2);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind, LockKind::exclusive);
  EXPECT_TRUE(second->unchecked);
  EXPECT_TRUE(epochs.end_lock_of_nobody().ok());
  EXPECT_EQ(epochs.mode(), Mode::locks);
  EXPECT_TRUE(epochs.end_lock_of_nobody().ok());
  EXPECT_EQ(epochs.mode(), Mode::none);
  expect_sync_error(epochs.end_lock_of_nobody(), "MPI_PROC_NULL");
}

TEST(Epochs, ATargetIsLockedAndUnlockedOnce) {
  Epochs epochs{kTargets};
  ASSERT_TRUE(epochs.begin_lock(1, LockKind::shared, false).ok());
  expect_sync_error(epochs.begin_lock(1, LockKind::shared, false), "target 1");
  expect_sync_error(epochs.end_lock(2).status(), "target 2");
  ASSERT_TRUE(epochs.end_lock(1));
  expect_sync_error(epochs.end_lock(1).status(), "target 1");
  EXPECT_TRUE(epochs.begin_lock(1, LockKind::exclusive, false).ok());
}

TEST(Epochs, LockAllRemembersWhetherItWasChecked) {
  Epochs epochs{kTargets};
  for (const bool unchecked : {true, false}) {
    ASSERT_TRUE(epochs.begin_lock_all(unchecked).ok());
    const auto ended = epochs.end_lock_all();
    ASSERT_TRUE(ended);
    EXPECT_EQ(*ended, unchecked);
  }
}

TEST(Epochs, APostMayBeOpenBesideEachOther) {
  for (const Mode mode : {Mode::none, Mode::fence, Mode::start, Mode::locks, Mode::lock_all}) {
    Opened opened{mode};
    expect_sync_error(opened.epochs.check_posted(), "without MPI_Win_post");
    ASSERT_TRUE(opened.epochs.begin_post().ok());
    EXPECT_TRUE(opened.epochs.check_posted().ok());
    expect_sync_error(opened.epochs.begin_post(), "already");
    expect_sync_error(opened.epochs.check_free(), "MPI_Win_free");
    EXPECT_EQ(opened.epochs.mode(), mode);
    opened.epochs.end_post();
    expect_sync_error(opened.epochs.check_posted(), "without MPI_Win_post");
    EXPECT_EQ(opened.epochs.check_free().ok(), mode == Mode::none || mode == Mode::fence);
  }
}

}  // namespace
}  // namespace psnam::sync
