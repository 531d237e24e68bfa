// A rank that dies while others wait for it: they get an error, they do not wait for ever.
#include <unistd.h>
#include <csignal>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

MPI_Win make() {
  // By this signal MPICH's launcher tells the living of a death.
  std::signal(SIGUSR1, SIG_IGN);
  return allocate({{"psnam_manifestation", "psnam_manifestation_pershm"}}, 4096, 1);
}

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

/// MPI_Finalize would wait for the dead, in the MPI library.
[[noreturn]] void leave_at_once() {
  const bool failed = testing::Test::HasFailure();
  std::cout << (failed ? "lost: failed" : "lost: told") << std::endl;
  ::_exit(0);
}

void expect_lost(int rc) {
  EXPECT_EQ(error_class(rc), MPI_ERR_OTHER) << error_text(rc);
  EXPECT_NE(error_text(rc).find("has ended"), std::string::npos) << error_text(rc);
}

TEST(Lost, RankEndsTheFenceOfTheOthersWithAnError) {
  MPI_Win win = make();
  MPI_Win_fence(0, win);
  if (world_rank() == world_size() - 1) die();
  expect_lost(MPI_Win_fence(0, win));
  expect_lost(MPI_Win_fence(0, win));
  leave_at_once();
}

TEST(Lost, RankEndsTheFreeOfTheOthersWithAnError) {
  MPI_Win win = make();
  MPI_Win_fence(0, win);
  if (world_rank() == world_size() - 1) die();
  expect_lost(MPI_Win_free(&win));
  leave_at_once();
}

TEST(Lost, RankEndsAChangeOfConsistencyWithAnError) {
  MPI_Win win = make();
  MPI_Win_fence(0, win);
  if (world_rank() == world_size() - 1) die();
  expect_lost(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_persistent"}}));
  leave_at_once();
}

}  // namespace
}  // namespace psnam::test
