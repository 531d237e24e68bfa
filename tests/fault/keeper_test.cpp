// A job that lives on while others are killed beside it: what it has stays as it is, persistent or not, and it can make
// more.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

const Shape kShape{"managed_distributed"};

MPI_Win make(const std::string& consistency, int salt) {
  MPI_Win win = allocate({{"psnam_manifestation", "psnam_manifestation_pershm"},
                          {"psnam_consistency", "psnam_consistency_" + consistency},
                          {"psnam_window_name", "keeper." + consistency}},
                         kShape.size_of_rank(world_rank()), 1);
  fill(win, kShape, world_size(), salt, world_rank(), world_size());
  return win;
}

TEST(Keeper, KeepsWhatItHas) {
  MPI_Win persistent = make("persistent", 1);
  MPI_Win passing = make("volatile", 2);
  int salt = 3;
  while (stop_at("well") == "go on") {
    expect_pattern(persistent, kShape, world_size(), 1);
    expect_pattern(passing, kShape, world_size(), 2);
    MPI_Win more =
        allocate({{"psnam_manifestation", "psnam_manifestation_libnam"}}, kShape.size_of_rank(world_rank()), 1);
    fill(more, kShape, world_size(), salt, world_rank(), world_size());
    expect_pattern(more, kShape, world_size(), salt);
    EXPECT_EQ(MPI_Win_free(&more), MPI_SUCCESS);
    salt = salt % 100 + 3;
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_EQ(MPI_Win_free(&passing), MPI_SUCCESS);
  remove_window(persistent);
}

}  // namespace
}  // namespace psnam::test
