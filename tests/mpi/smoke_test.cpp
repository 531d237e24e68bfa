// The shortest way through a window: made, written, read, freed.
#include "mpi_test.hpp"

namespace psnam::test {
namespace {

TEST(Smoke, APutIsReadByItsTargetAfterAFence) {
  const Info info{{"psnam_manifestation", "psnam_manifestation_pershm"}};
  int base_is_set = 0;
  void* base = &base_is_set;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(64 * sizeof(int), sizeof(int), info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  EXPECT_EQ(base, nullptr);
  const int rank = world_rank();
  const int size = world_size();
  MPI_Win_fence(0, win);
  EXPECT_EQ(MPI_Put(&rank, 1, MPI_INT, (rank + 1) % size, 7, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  int received = -1;
  EXPECT_EQ(MPI_Get(&received, 1, MPI_INT, rank, 7, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  EXPECT_EQ(received, (rank + size - 1) % size);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

}  // namespace
}  // namespace psnam::test
