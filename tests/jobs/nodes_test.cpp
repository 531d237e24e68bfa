// Windows over several nodes: each node has a store of its own, and the MPI library carries what lies on the other. The
// script simulates nodes by stores and runs the roles, without a manager and with one.
#include <array>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kProducers = 4;

class Role : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static Shape shape() { return {GetParam()}; }
  [[nodiscard]] static std::string name() { return "nodes." + GetParam(); }
};

MPI_Win make(const std::string& structure, const std::string& consistency) {
  const Shape shape{structure};
  return allocate({{"psnam_manifestation", "psnam_manifestation_pershm"},
                   {"psnam_structure", "psnam_structure_" + structure},
                   {"psnam_consistency", "psnam_consistency_" + consistency},
                   {"psnam_window_name", "nodes." + structure}},
                  shape.size_of_rank(world_rank()), shape.unit_of_rank(world_rank()));
}

class Volatile : public Role {};

TEST_P(Volatile, EveryRankPutsToAndGetsFromEveryRegion) {
  MPI_Win win = make(GetParam(), "volatile");
  for (int turn = 0; turn < world_size(); ++turn) {
    // Region r is filled by rank r + turn, so that in the end each pair of ranks has met.
    fill(win, shape(), world_size(), 10 + turn, (world_rank() + turn) % world_size(), world_size());
    expect_pattern(win, shape(), world_size(), 10 + turn);
  }
  expect_bounds(win, shape(), world_size() - 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// Every third int of a row of `kInts`, by each rank into its own row of each region.
TEST_P(Volatile, DerivedTypesReachTheOtherNode) {
  constexpr int kInts = 30;
  const int ranks = world_size();
  const bool flat = GetParam() == "raw_and_flat";
  const auto row_bytes = kInts * sizeof(int);
  const auto bytes = flat && world_rank() != 0 ? 0 : row_bytes * static_cast<std::size_t>(ranks);
  MPI_Win win = allocate(
      {{"psnam_manifestation", "psnam_manifestation_pershm"}, {"psnam_structure", "psnam_structure_" + GetParam()}},
      bytes, static_cast<int>(sizeof(int)));
  MPI_Datatype third = MPI_DATATYPE_NULL;
  MPI_Type_vector(kInts / 3, 1, 3, MPI_INT, &third);
  MPI_Type_commit(&third);
  const int targets = flat ? 1 : ranks;
  std::array<int, kInts / 3> packed{};
  for (int i = 0; i < kInts / 3; ++i) packed[static_cast<std::size_t>(i)] = 1000 * world_rank() + i;
  MPI_Win_fence(0, win);
  for (int target = 0; target < targets; ++target) {
    EXPECT_EQ(MPI_Put(packed.data(), kInts / 3, MPI_INT, target, kInts * world_rank() + 1, 1, third, win), MPI_SUCCESS);
  }
  MPI_Win_fence(0, win);
  for (int target = 0; target < targets; ++target)
    for (int row = 0; row < ranks; ++row) {
      std::array<int, kInts> spread{};
      EXPECT_EQ(MPI_Get(spread.data(), 1, third, target, kInts * row + 1, 1, third, win), MPI_SUCCESS);
      MPI_Win_fence(0, win);
      for (int i = 0; i < kInts / 3; ++i) {
        EXPECT_EQ(spread[static_cast<std::size_t>(3 * i)], 1000 * row + i) << target;
        EXPECT_EQ(spread[static_cast<std::size_t>(3 * i + 1)], 0) << target;
      }
    }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  MPI_Type_free(&third);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Producer : public Role {};
TEST_P(Producer, LeavesAWindowWithRegionsOnItsNodes) {
  ASSERT_EQ(world_size(), kProducers);
  MPI_Win win = make(GetParam(), "persistent");
  fill(win, shape(), kProducers, 1, (world_rank() + 1) % kProducers, kProducers);
  EXPECT_EQ(window_info(win, "psnam_window_name"), name());
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Reader : public Role {};
TEST_P(Reader, ReadsEveryByte) {
  MPI_Win win = connected_window(name());
  ASSERT_NE(win, MPI_WIN_NULL);
  expect_pattern(win, shape(), kProducers, std::stoi(argument("salt")));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}
TEST_P(Reader, ReadsEveryByteWithTheRightToReadOnly) {
  MPI_Win win = connected_window(name(), "read_only");
  ASSERT_NE(win, MPI_WIN_NULL);
  expect_pattern(win, shape(), kProducers, std::stoi(argument("salt")));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Writer : public Role {};
TEST_P(Writer, OverwritesEveryRegion) {
  MPI_Win win = connected_window(name());
  fill(win, shape(), kProducers, 2, world_rank(), world_size());
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

class Remover : public Role {};
TEST_P(Remover, RemovesAllParts) {
  remove_window(connected_window(name()));
  expect_no_window(name());
}

/// A job that lacks a node of the window. `missing`: the store that the message must name.
class Lonely : public Role {};
TEST_P(Lonely, IsRefusedOnAllRanksAndToldWhichNodeIsMissing) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(name(), inter);
  EXPECT_NE(rc, MPI_SUCCESS);
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  MPI_Get_processor_name(host, &length);
  for (const std::string& part : {argument("missing"), std::string{host}, name()})
    EXPECT_NE(error_text(rc).find(part), std::string::npos) << error_text(rc) << " lacks " << part;
  EXPECT_EQ(inter, MPI_COMM_NULL);
}

/// Whatever has happened before: the window is whole, and goes now, or it is not there.
class Settler : public Role {};
TEST_P(Settler, FindsAWholeWindowOrNone) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(name(), inter);
  if (rc == MPI_SUCCESS) {
    MPI_Win win = window_on(inter);
    MPI_Comm_free(&inter);
    expect_pattern(win, shape(), kProducers, 1);
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
  fill(win, shape(), kProducers, 1, world_rank(), kProducers);
  EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_persistent"}}), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}
TEST_P(Victim, Removes) { remove_window(connected_window(name())); }

class Broken : public Role {};
TEST_P(Broken, WindowIsRefusedOnAllRanksNamingItsLostPart) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(name(), inter);
  EXPECT_EQ(error_class(rc), MPI_ERR_PORT) << error_text(rc);
  EXPECT_NE(error_text(rc).find(argument("says")), std::string::npos) << error_text(rc);
}

TEST(Libnam, OverTwoNodesIsRefusedWithTheWayOut) {
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int rc =
      MPI_Win_allocate(64, 1, Info{{"psnam_manifestation", "psnam_manifestation_libnam"}}, MPI_COMM_WORLD, &base, &win);
  EXPECT_NE(rc, MPI_SUCCESS);
  EXPECT_NE(error_text(rc).find("PSNAM_MANAGER"), std::string::npos) << error_text(rc);
}

/// With a manager: memory of the NAM, and in a mixed window beside it that of each node.
TEST(LibnamOfAManager, IsReachedFromAllNodes) {
  for (const std::string structure : {"raw_and_flat", "managed_contiguous", "managed_distributed"})
    for (const std::string manifestation : {"libnam", "mixed"}) {
      SCOPED_TRACE(structure + " " + manifestation);
      const Shape shape{structure};
      MPI_Win win = allocate({{"psnam_manifestation", manifestation_of(manifestation, world_rank())},
                              {"psnam_structure", "psnam_structure_" + structure}},
                             shape.size_of_rank(world_rank()), shape.unit_of_rank(world_rank()));
      for (int turn = 0; turn < world_size(); ++turn) {
        fill(win, shape, world_size(), 20 + turn, (world_rank() + turn) % world_size(), world_size());
        expect_pattern(win, shape, world_size(), 20 + turn);
      }
      EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
    }
}

const auto kStructures = testing::Values("raw_and_flat", "managed_contiguous", "managed_distributed");
const auto kNames = [](const testing::TestParamInfo<std::string>& info) { return info.param; };
INSTANTIATE_TEST_SUITE_P(Every, Volatile, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Producer, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Reader, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Writer, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Remover, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Lonely, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Settler, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Victim, kStructures, kNames);
INSTANTIATE_TEST_SUITE_P(Every, Broken, kStructures, kNames);

}  // namespace
}  // namespace psnam::test
