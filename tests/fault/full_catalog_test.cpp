// A manager whose catalog is full: nothing new is made, what is there is used and removed as always.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr std::size_t kBytes = 1 << 16;
constexpr int kSalt = 11;
const std::string kKept = "catalog.kept";
const std::string kPassing = "catalog.passing";

Info info_for(const std::string& name, const std::string& consistency) {
  return Info{{"psnam_manifestation", "psnam_manifestation_libnam"},
              {"psnam_structure", "psnam_structure_managed_distributed"},
              {"psnam_consistency", "psnam_consistency_" + consistency},
              {"psnam_window_name", name}};
}

/// Long, so that not too many of them fill a catalog.
std::string filler(int i) { return "catalog.filler." + std::to_string(i) + "." + std::string(200, 'x'); }

/// A persistent window of the calling rank alone.
int make_filler(int i) {
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int rc = MPI_Win_allocate(64, 1, info_for(filler(i), "persistent"), MPI_COMM_SELF, &base, &win);
  return rc == MPI_SUCCESS ? MPI_Win_free(&win) : rc;
}

void expect_full(int rc) {
  EXPECT_EQ(error_class(rc), MPI_ERR_NO_MEM) << error_text(rc);
  EXPECT_NE(error_text(rc).find("is full: its records take"), std::string::npos) << error_text(rc);
}

/// Rank 0 makes windows until that is refused; how many it made, on all ranks.
int fill_catalog() {
  int made = 0;
  if (world_rank() == 0) {
    int rc = MPI_SUCCESS;
    while ((rc = make_filler(made)) == MPI_SUCCESS) ++made;
    expect_full(rc);
  }
  MPI_Bcast(&made, 1, MPI_INT, 0, MPI_COMM_WORLD);
  return made;
}

void expect_nothing_new() {
  void* base = nullptr;
  MPI_Win late = MPI_WIN_NULL;
  expect_full(MPI_Win_allocate(kBytes, 1, info_for("catalog.late", "volatile"), MPI_COMM_WORLD, &base, &late));
  if (world_rank() == 0) expect_full(MPI_Publish_name("catalog.service", MPI_INFO_NULL, kKept.c_str()));
}

void write_pattern(MPI_Win win) {
  const auto data = pattern_of(kSalt, world_rank(), kBytes);
  EXPECT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  EXPECT_EQ(put_bytes(win, world_rank(), data), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
}

void expect_written(MPI_Win win) {
  const int other = world_size() - 1 - world_rank();
  std::vector<std::uint8_t> seen(kBytes);
  EXPECT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  EXPECT_EQ(get_bytes(win, other, seen), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
  EXPECT_EQ(first_difference(seen, kSalt, other), -1);
}

class FullCatalog : public testing::Test {
 protected:
  FullCatalog() {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  }
};

TEST_F(FullCatalog, WhatIsThereIsWrittenConnectedToAndKept) {
  MPI_Win kept = allocate(info_for(kKept, "persistent"), kBytes, 1);
  MPI_Win passing = allocate(info_for(kPassing, "volatile"), kBytes, 1);
  const int fillers = fill_catalog();
  EXPECT_GT(fillers, 100);
  write_note("fillers", std::to_string(fillers));
  expect_nothing_new();
  write_pattern(kept);
  MPI_Win again = connected_window(kKept);
  ASSERT_NE(again, MPI_WIN_NULL);
  expect_written(again);
  EXPECT_EQ(MPI_Win_free(&again), MPI_SUCCESS);
  write_pattern(passing);
  EXPECT_EQ(MPI_Win_set_info(passing, Info{{"psnam_consistency", "psnam_consistency_persistent"}}), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&passing), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&kept), MPI_SUCCESS);
}

TEST_F(FullCatalog, ALaterJobFindsAllOfItAndMakesRoom) {
  const int fillers = std::stoi(read_note("fillers"));
  expect_nothing_new();
  for (const std::string& name : {kKept, kPassing}) {
    MPI_Win win = connected_window(name);
    ASSERT_NE(win, MPI_WIN_NULL);
    expect_written(win);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  }
  for (int i = world_rank() + 1; i < fillers; i += world_size())  // number 0 was removed from outside
    remove_window(connected_window(filler(i), "", MPI_COMM_SELF));
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Win late = allocate(info_for("catalog.late", "volatile"), kBytes, 1);
  write_pattern(late);
  expect_written(late);
  EXPECT_EQ(MPI_Win_free(&late), MPI_SUCCESS);
  for (const std::string& name : {kKept, kPassing}) remove_window(connected_window(name));
}

}  // namespace
}  // namespace psnam::test
