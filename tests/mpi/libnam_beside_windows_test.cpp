// libNAM and windows in one process: one store, opened once, whichever of them ends first.
#include <nam_ext.h>

#include <filesystem>
#include <string>

#include "mpi/mpi_test.hpp"

namespace psnam::test {
namespace {

/// How often this process has the catalog's lock file open.
int open_catalogs() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone && target.filename() == "catalog.mdb-lock") ++count;
  }
  return count;
}

void put_and_check(MPI_Win win, int value) {
  int got = -1;
  MPI_Win_fence(0, win);
  ASSERT_EQ(MPI_Put(&value, 1, MPI_INT, world_rank(), 0, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  ASSERT_EQ(MPI_Get(&got, 1, MPI_INT, world_rank(), 0, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  EXPECT_EQ(got, value);
}

TEST(LibnamBesideWindows, ShareOneStore) {
  const Info info{{"psnam_manifestation", "psnam_manifestation_libnam"}};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  nam_ext_allocation_t* const set = nam_malloc_all(64, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  ASSERT_EQ(MPI_Win_allocate(4, 4, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  EXPECT_EQ(open_catalogs(), 1);
  put_and_check(win, 1 + world_rank());
  int value = 5;
  EXPECT_EQ(nam_bcast(0, &value, 4, 0, set), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  ASSERT_EQ(nam_finalize(), 0) << nam_strerror();
  put_and_check(win, 100 + world_rank());
  nam_allocation_t* const memory = nam_malloc(10);
  ASSERT_NE(memory, nullptr) << nam_strerror();
  EXPECT_EQ(open_catalogs(), 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_EQ(nam_put_sync(&value, 0, 4, memory), 4) << nam_strerror();
  EXPECT_EQ(nam_free(memory), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
