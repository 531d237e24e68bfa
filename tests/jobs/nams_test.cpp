// Windows over the NAMs of a manager. The script runs the manager and two memory nodes, and the roles.
#include <array>
#include <chrono>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

class Role : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static Shape shape() { return {GetParam()}; }
  [[nodiscard]] static std::string name() { return "nams." + GetParam(); }
  /// Ranks of the job that made the window.
  [[nodiscard]] static int makers() { return std::stoi(argument("makers", std::to_string(world_size()))); }
};

Info info_of(const std::string& structure, const std::string& consistency, const std::string& name = "") {
  return {{"psnam_manifestation", "psnam_manifestation_libnam"},
          {"psnam_structure", "psnam_structure_" + structure},
          {"psnam_consistency", "psnam_consistency_" + consistency},
          {"psnam_window_name", name.empty() ? "nams." + structure : name},
          {"psnam_nam_index", argument("index", "any")}};
}

/// That of a window which others must find beside that of the role.
const char* const kSurvivor = "nams.survivor";

MPI_Win make(const std::string& structure, const std::string& consistency) {
  const Shape shape{structure};
  return allocate(info_of(structure, consistency), shape.size_of_rank(world_rank()), shape.unit_of_rank(world_rank()));
}

class Volatile : public Role {};
TEST_P(Volatile, EveryRankPutsToAndGetsFromEveryRegion) {
  MPI_Win win = make(GetParam(), "volatile");
  for (int turn = 0; turn < world_size(); ++turn) {
    fill(win, shape(), world_size(), 10 + turn, (world_rank() + turn) % world_size(), world_size());
    expect_pattern(win, shape(), world_size(), 10 + turn);
  }
  expect_bounds(win, shape(), world_size() - 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Producer : public Role {};
TEST_P(Producer, LeavesAWindow) {
  MPI_Win win = make(GetParam(), "persistent");
  fill(win, shape(), world_size(), 1, (world_rank() + 1) % world_size(), world_size());
  EXPECT_EQ(window_info(win, "psnam_window_name"), name());
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Reader : public Role {};
TEST_P(Reader, ReadsEveryByte) {
  MPI_Win win = connected_window(name());
  ASSERT_NE(win, MPI_WIN_NULL);
  expect_pattern(win, shape(), makers(), std::stoi(argument("salt")));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Writer : public Role {};
TEST_P(Writer, OverwritesEveryRegion) {
  MPI_Win win = connected_window(name());
  ASSERT_NE(win, MPI_WIN_NULL);
  fill(win, shape(), makers(), 2, world_rank(), world_size());
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Remover : public Role {};
TEST_P(Remover, RemovesAllParts) {
  remove_window(connected_window(name()));
  expect_no_window(name());
}

/// Every rank adds to a counter in each region, by one operation and by three under a lock.
TEST(Counters, OfAllRegionsAreExact) {
  constexpr int kTimes = 50;
  MPI_Win win = allocate(info_of("managed_distributed", "volatile"), 2 * sizeof(std::int64_t), sizeof(std::int64_t));
  MPI_Win_fence(0, win);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  const std::int64_t one = 1;
  for (int i = 0; i < kTimes; ++i)
    for (int target = 0; target < world_size(); ++target) {
      EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, target, 0, win), MPI_SUCCESS);
      EXPECT_EQ(MPI_Accumulate(&one, 1, MPI_INT64_T, target, 0, 1, MPI_INT64_T, MPI_SUM, win), MPI_SUCCESS);
      EXPECT_EQ(MPI_Win_unlock(target, win), MPI_SUCCESS);
      std::int64_t value = 0;
      EXPECT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, target, 0, win), MPI_SUCCESS);
      EXPECT_EQ(MPI_Get(&value, 1, MPI_INT64_T, target, 1, 1, MPI_INT64_T, win), MPI_SUCCESS);
      EXPECT_EQ(MPI_Win_flush(target, win), MPI_SUCCESS);
      ++value;
      EXPECT_EQ(MPI_Put(&value, 1, MPI_INT64_T, target, 1, 1, MPI_INT64_T, win), MPI_SUCCESS);
      EXPECT_EQ(MPI_Win_unlock(target, win), MPI_SUCCESS);
    }
  MPI_Barrier(MPI_COMM_WORLD);
  const std::int64_t expected = std::int64_t{kTimes} * world_size();
  for (int target = 0; target < world_size(); ++target) {
    std::array<std::int64_t, 2> sums{};
    EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, target, 0, win), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get(sums.data(), 2, MPI_INT64_T, target, 0, 2, MPI_INT64_T, win), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_unlock(target, win), MPI_SUCCESS);
    EXPECT_EQ(sums[0], expected) << target;
    EXPECT_EQ(sums[1], expected) << target;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// `says`: what the message must name.
TEST(WrongIndex, IsRefusedOnAllRanks) {
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int rc = MPI_Win_allocate(64, 1, info_of("managed_distributed", "volatile"), MPI_COMM_WORLD, &base, &win);
  EXPECT_EQ(error_class(rc), MPI_ERR_INFO_VALUE) << error_text(rc);
  EXPECT_NE(error_text(rc).find(argument("says")), std::string::npos) << error_text(rc);
}

/// What becomes of one put to `target`.
int put_one(MPI_Win win, int target) {
  const std::uint8_t byte = pattern(1, target, 0);
  int rc = MPI_Win_lock(MPI_LOCK_SHARED, target, 0, win);
  if (rc != MPI_SUCCESS) return rc;
  rc = MPI_Put(&byte, 1, MPI_BYTE, target, 0, 1, MPI_BYTE, win);
  const int flushed = rc == MPI_SUCCESS ? MPI_Win_flush(target, win) : rc;
  const int unlocked = MPI_Win_unlock(target, win);
  return flushed != MPI_SUCCESS ? flushed : unlocked;
}

/// A window with a part in each NAM, and the NAM of region `lost` is killed in the middle.
TEST(Survivor, GetsAnErrorForTheLostRegionOnlyAndInTime) {
  const int lost = std::stoi(argument("lost"));
  MPI_Win win = allocate(info_of("managed_distributed", "persistent", kSurvivor), 4096, 1);
  const auto mine = pattern_of(1, world_rank(), 4096);
  MPI_Win_fence(0, win);
  EXPECT_EQ(put_bytes(win, world_rank(), mine), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
  for (int target = 0; target < world_size(); ++target) EXPECT_EQ(put_one(win, target), MPI_SUCCESS);
  stop_at("kill");
  const auto began = std::chrono::steady_clock::now();
  const int rc = put_one(win, lost);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  // What is mapped is still there.
  EXPECT_EQ(rc != MPI_SUCCESS, argument("path") == "fabric") << error_text(rc);
  EXPECT_LT(took.count(), std::stoi(argument("limit_ms")));
  if (world_rank() == 0 && rc != MPI_SUCCESS)
    std::cout << "error after " << took.count() << " ms: " << error_text(rc) << std::endl;
  for (int target = 0; target < world_size(); ++target) {
    if (target == lost) continue;
    EXPECT_EQ(put_one(win, target), MPI_SUCCESS) << target;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  stop_at("back");
  const auto again = put_one(win, lost);
  EXPECT_EQ(again, MPI_SUCCESS) << error_text(again);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// What the survivor's window holds, for a later job.
TEST(Heir, FindsEveryByte) {
  MPI_Win win = connected_window(kSurvivor);
  ASSERT_NE(win, MPI_WIN_NULL);
  const int regions = std::stoi(argument("makers"));
  MPI_Win_fence(0, win);
  std::vector<std::vector<std::uint8_t>> found;
  for (int rank = 0; rank < regions; ++rank) {
    found.emplace_back(4096);
    EXPECT_EQ(get_bytes(win, rank, found.back()), MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
  for (int rank = 0; rank < regions; ++rank)
    EXPECT_EQ(first_difference(found[static_cast<std::size_t>(rank)], 1, rank), -1) << rank;
  remove_window(win);
}

/// Whatever has happened before: the window is whole, and goes now, or it is not there.
class Settler : public Role {};
TEST_P(Settler, FindsAWholeWindowOrNone) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(name(), inter);
  if (rc == MPI_SUCCESS) {
    MPI_Win win = window_on(inter);
    MPI_Comm_free(&inter);
    expect_pattern(win, shape(), makers(), 1);
    remove_window(win);
  } else {
    EXPECT_EQ(error_class(rc), MPI_ERR_PORT) << error_text(rc);
  }
  if (world_rank() == 0) std::cout << "settled: " << (rc == MPI_SUCCESS ? "whole" : "none") << std::endl;
}

/// A producer for the killing of it: filled while volatile, then persistent.
class Victim : public Role {};
TEST_P(Victim, MakesFillsAndKeeps) {
  MPI_Win win = make(GetParam(), "volatile");
  fill(win, shape(), world_size(), 1, world_rank(), world_size());
  EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_persistent"}}), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}
TEST_P(Victim, Removes) { remove_window(connected_window(name())); }

const auto kStructures = testing::Values("raw_and_flat", "managed_contiguous", "managed_distributed");
const auto kNames = [](const testing::TestParamInfo<std::string>& info) { return info.param; };
INSTANTIATE_TEST_SUITE_P(Every, Volatile, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Producer, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Reader, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Writer, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Remover, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Settler, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Victim, kStructures, kNames);

}  // namespace
}  // namespace psnam::test
