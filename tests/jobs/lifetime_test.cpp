// Jobs that use one window at the same time, and how long its memory lives.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

const std::string kName = "lifetime.window";
const Shape kShape{"managed_distributed"};
constexpr int kProducers = 2;

MPI_Win make(const std::string& name, const std::string& consistency) {
  return allocate({{"psnam_manifestation", "psnam_manifestation_pershm"},
                   {"psnam_consistency", "psnam_consistency_" + consistency},
                   {"psnam_window_name", name}},
                  kShape.size_of_rank(world_rank()), kShape.unit_of_rank(world_rank()));
}

/// Makes the window, keeps it while others connect, then frees it.
TEST(Maker, KeepsTheWindowOpenWhileOthersUseIt) {
  MPI_Win win = make(kName, "persistent");
  fill(win, kShape, kProducers, 1, world_rank(), kProducers);
  stop_at("made");
  expect_pattern(win, kShape, kProducers, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// A window of a job that still has it is changed by another job.
TEST(Maker, SeesWhatAnotherJobWrote) {
  MPI_Win win = make(kName, "persistent");
  fill(win, kShape, kProducers, 1, world_rank(), kProducers);
  stop_at("made");
  expect_pattern(win, kShape, kProducers, 2);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Writer, Overwrites) {
  MPI_Win win = connected_window(kName);
  fill(win, kShape, kProducers, 2, world_rank(), world_size());
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// Reads before and after another job has removed the window.
TEST(Holder, GoesOnReadingAfterTheRemoval) {
  MPI_Win win = connected_window(kName);
  expect_pattern(win, kShape, kProducers, 1);
  stop_at("connected");
  expect_no_window(kName);
  expect_pattern(win, kShape, kProducers, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// Connected, but the regions are mapped for the first time after the removal.
TEST(Holder, MayReadForTheFirstTimeAfterTheRemoval) {
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter), MPI_SUCCESS);
  stop_at("connected");
  MPI_Win win = window_on(inter);
  EXPECT_EQ(MPI_Comm_disconnect(&inter), MPI_SUCCESS);
  expect_pattern(win, kShape, kProducers, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Holder, OfAHandleOnlyHoldsTheMemory) {
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter), MPI_SUCCESS);
  stop_at("connected");
  EXPECT_EQ(MPI_Comm_free(&inter), MPI_SUCCESS);
}

TEST(Remover, MakesItVolatileAndFrees) {
  remove_window(connected_window(kName));
  expect_no_window(kName);
}

/// The name is free again while the old window is still in use.
TEST(Successor, TakesTheNameOfARemovedWindowInUse) {
  MPI_Win win = make(kName, "persistent");
  fill(win, kShape, kProducers, 3, world_rank(), kProducers);
  expect_pattern(win, kShape, kProducers, 3);
  remove_window(win);
}

TEST(Maker, OfAPersistentWindowEnds) {
  MPI_Win win = make(kName, "persistent");
  fill(win, kShape, kProducers, 1, world_rank(), kProducers);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Maker, TurnsAVolatileWindowPersistent) {
  MPI_Win win = make(kName, "volatile");
  fill(win, kShape, kProducers, 1, world_rank(), kProducers);
  EXPECT_EQ(window_info(win, "psnam_window_name"), "(absent)");
  expect_no_window(kName);
  EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_persistent"}}), MPI_SUCCESS);
  EXPECT_EQ(window_info(win, "psnam_window_name"), kName);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Maker, OfAVolatileWindowLeavesNothing) {
  MPI_Win win = make(kName, "volatile");
  fill(win, kShape, kProducers, 1, world_rank(), kProducers);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Maker, OfATakenNameIsRefusedOnAllRanks) {
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  const Info info{{"psnam_manifestation", "psnam_manifestation_pershm"},
                  {"psnam_consistency", "psnam_consistency_persistent"},
                  {"psnam_window_name", kName}};
  const int rc = MPI_Win_allocate(64, 1, info, MPI_COMM_WORLD, &base, &win);
  EXPECT_EQ(error_class(rc), MPI_ERR_NAME) << error_text(rc);
  EXPECT_NE(error_text(rc).find(kName), std::string::npos) << error_text(rc);
}

}  // namespace
}  // namespace psnam::test
