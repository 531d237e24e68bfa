// The three steps: memory that is granted before the job starts, a raw-and-flat window over it, and managed windows in
// segments of that; and what a later job finds of it.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr std::size_t kGrantBytes = 4 << 20;
constexpr std::size_t kFirstOffset = 1 << 16;
constexpr int kMakers = 3;
const Shape kShape{"managed_distributed"};

/// Where rank's segment is cut in the window whose offsets are told.
[[nodiscard]] std::size_t offset_of(int rank) {
  return kFirstOffset + static_cast<std::size_t>(rank) * (std::size_t{1} << 18);
}

MPI_Win raw_window_over_the_grant() {
  const char* const granted = std::getenv("SLURM_NAM_ALLOC_ID");
  EXPECT_NE(granted, nullptr);
  MPI_Win raw = allocate({{"psnam_manifestation", "psnam_manifestation_libnam"},
                          {"psnam_structure", "psnam_structure_raw_and_flat"},
                          {"psnam_consistency", "psnam_consistency_persistent"},
                          {"psnam_window_name", "grant.raw"},
                          {"psnam_libnam_allocation_id", granted}},
                         world_rank() == 0 ? kGrantBytes : 0, 1);
  EXPECT_EQ(window_info(raw, "psnam_allocation_id"), granted);
  EXPECT_EQ(window_info(raw, "psnam_libnam_allocation_id"), granted);
  return raw;
}

MPI_Win managed_window(MPI_Win raw, const std::string& name, const std::string& structure, bool placed,
                       const std::string& consistency) {
  Info info{{"psnam_manifestation", "psnam_manifestation_segment"},
            {"psnam_structure", "psnam_structure_" + structure},
            {"psnam_consistency", "psnam_consistency_" + consistency},
            {"psnam_window_name", name},
            {"psnam_segment_allocation_id", window_info(raw, "psnam_allocation_id")}};
  if (placed) info.set("psnam_segment_offset", std::to_string(offset_of(world_rank())));
  return allocate(info, kShape.size_of_rank(world_rank()), kShape.unit_of_rank(world_rank()));
}

/// The bytes of a segment as the raw window has them at its place.
void expect_in_raw_window(MPI_Win raw, std::size_t offset, int salt, int rank) {
  std::vector<std::uint8_t> data(kShape.size_of_rank(rank));
  const int count = static_cast<int>(data.size());
  ASSERT_EQ(MPI_Win_fence(0, raw), MPI_SUCCESS);
  ASSERT_EQ(MPI_Get(data.data(), count, MPI_BYTE, 0, static_cast<MPI_Aint>(offset), count, MPI_BYTE, raw), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, raw), MPI_SUCCESS);
  EXPECT_EQ(first_difference(data, salt, rank), -1) << "rank " << rank;
}

TEST(Maker, DividesTheGrant) {
  ASSERT_EQ(world_size(), kMakers);
  MPI_Win raw = raw_window_over_the_grant();
  MPI_Win placed = managed_window(raw, "grant.placed", "managed_distributed", true, "persistent");
  MPI_Win found = managed_window(raw, "grant.found", "managed_distributed", false, "persistent");
  MPI_Win contiguous = managed_window(raw, "grant.contiguous", "managed_contiguous", false, "persistent");
  MPI_Win passing = managed_window(raw, "grant.passing", "managed_distributed", false, "volatile");
  MPI_Win windows[] = {placed, found, contiguous, passing};
  for (int i = 0; i < 4; ++i) fill(windows[i], kShape, kMakers, i, world_rank(), kMakers);
  for (int i = 0; i < 4; ++i) expect_pattern(windows[i], kShape, kMakers, i);
  for (int rank = 0; rank < kMakers; ++rank) expect_in_raw_window(raw, offset_of(rank), 0, rank);
  for (MPI_Win win : {placed, found, contiguous, raw}) EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  if (argument("end") == "killed") stop_at("made");
  EXPECT_EQ(MPI_Win_free(&passing), MPI_SUCCESS);
}

TEST(Reader, FindsWhatLiesInTheGrant) {
  const char* const names[] = {"grant.placed", "grant.found", "grant.contiguous"};
  for (int i = 0; i < 3; ++i) {
    MPI_Win win = connected_window(names[i]);
    ASSERT_NE(win, MPI_WIN_NULL);
    expect_pattern(win, kShape, kMakers, i);
    for (int rank = 0; rank < kMakers; ++rank) expect_bounds(win, kShape, rank);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  }
  MPI_Win raw = connected_window("grant.raw");
  ASSERT_NE(raw, MPI_WIN_NULL);
  EXPECT_EQ(window_info(raw, "psnam_allocation_id"), std::getenv("SLURM_NAM_ALLOC_ID"));
  for (int rank = 0; rank < kMakers; ++rank) expect_in_raw_window(raw, offset_of(rank), 0, rank);
  EXPECT_EQ(MPI_Win_free(&raw), MPI_SUCCESS);
  expect_no_window("grant.passing");
}

/// What was cut by a job that is gone can be cut again only when it is removed.
TEST(Taker, CannotCutWhatIsTaken) {
  MPI_Win raw = connected_window("grant.raw");
  ASSERT_NE(raw, MPI_WIN_NULL);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  const Info info{{"psnam_manifestation", "psnam_manifestation_segment"},
                  {"psnam_structure", "psnam_structure_raw_and_flat"},
                  {"psnam_segment_allocation_id", window_info(raw, "psnam_allocation_id")},
                  {"psnam_segment_offset", std::to_string(offset_of(0) + 10)}};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int rc = MPI_Win_allocate(world_rank() == 0 ? 16 : 0, 1, info, MPI_COMM_WORLD, &base, &win);
  if (argument("taken") == "yes") {
    EXPECT_EQ(error_class(rc), MPI_ERR_INFO_VALUE) << error_text(rc);
  } else {
    EXPECT_EQ(rc, MPI_SUCCESS) << error_text(rc);
    if (rc == MPI_SUCCESS) {
      EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
    }
  }
  EXPECT_EQ(MPI_Win_free(&raw), MPI_SUCCESS);
}

}  // namespace
}  // namespace psnam::test
