// The handle that MPI_Comm_connect gives for a window, and what may be done with it: order of freeing, several at once,
// rights, who says what at which rank, errors.
#include <array>
#include <sstream>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kProducers = 2;
const std::string kName = "connect.first";
const std::string kOther = "connect.second";
const Shape kShape{"managed_distributed"};

Info persistent(const std::string& name) {
  return Info{{"psnam_manifestation", "psnam_manifestation_pershm"},
              {"psnam_consistency", "psnam_consistency_persistent"},
              {"psnam_window_name", name}};
}

MPI_Win make(const std::string& name) {
  return allocate(persistent(name), kShape.size_of_rank(2 * world_rank()), kShape.unit_of_rank(world_rank()));
}

/// The regions have sizes of ranks 0 and 2 of the shape, so none is empty.
void fill_both(MPI_Win win, int salt) {
  MPI_Win_fence(0, win);
  const auto data = pattern_of(salt, world_rank(), kShape.size_of_rank(2 * world_rank()));
  ASSERT_EQ(put_bytes(win, world_rank(), data), MPI_SUCCESS);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
}

void expect_both(MPI_Win win, int salt) {
  std::array<std::vector<std::uint8_t>, kProducers> data;
  MPI_Win_fence(0, win);
  for (int rank = 0; rank < kProducers; ++rank) {
    auto& region = data[static_cast<std::size_t>(rank)];
    region.assign(kShape.size_of_rank(2 * rank), 0xEE);
    EXPECT_EQ(get_bytes(win, rank, region), MPI_SUCCESS);
  }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  for (int rank = 0; rank < kProducers; ++rank)
    EXPECT_EQ(first_difference(data[static_cast<std::size_t>(rank)], salt, rank), -1) << rank;
}

TEST(Producer, LeavesTwoWindows) {
  int salt = 1;
  for (const std::string& name : {kName, kOther}) {
    MPI_Win win = make(name);
    fill_both(win, salt++);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  }
}

TEST(Handle, MayBeFreedBeforeTheWindowIs) {
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter), MPI_SUCCESS);
  MPI_Win win = window_on(inter);
  EXPECT_EQ(MPI_Comm_free(&inter), MPI_SUCCESS);
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Handle, MayBeDisconnectedBeforeTheWindowIsFreed) {
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter), MPI_SUCCESS);
  MPI_Win win = window_on(inter);
  EXPECT_EQ(MPI_Comm_disconnect(&inter), MPI_SUCCESS);
  EXPECT_EQ(inter, MPI_COMM_NULL);
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Handle, MayBeFreedWithoutAWindow) {
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter), MPI_SUCCESS);
  EXPECT_EQ(MPI_Comm_free(&inter), MPI_SUCCESS);
}

TEST(Handle, GivesTwoWindowsOfTheSameMemory) {
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter), MPI_SUCCESS);
  MPI_Win one = window_on(inter);
  MPI_Win two = window_on(inter);
  MPI_Comm_free(&inter);
  MPI_Win_fence(0, one);
  const std::array<std::uint8_t, 3> other{1, 2, 3};
  if (world_rank() == 0) {
    EXPECT_EQ(MPI_Put(other.data(), 3, MPI_BYTE, 0, 1, 3, MPI_BYTE, one), MPI_SUCCESS);
  }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, one);
  EXPECT_EQ(MPI_Win_free(&one), MPI_SUCCESS);
  std::array<std::uint8_t, 3> seen{};
  MPI_Win_fence(0, two);
  EXPECT_EQ(MPI_Get(seen.data(), 3, MPI_BYTE, 0, 1, 3, MPI_BYTE, two), MPI_SUCCESS);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, two);
  EXPECT_EQ(seen, other);
  MPI_Win_fence(0, two);
  const auto again = pattern_of(1, 0, kShape.size_of_rank(0));
  if (world_rank() == 0) {
    EXPECT_EQ(put_bytes(two, 0, again), MPI_SUCCESS);
  }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, two);
  expect_both(two, 1);
  EXPECT_EQ(MPI_Win_free(&two), MPI_SUCCESS);
}

TEST(Handle, TwoConnectionsAtOnceDoNotMixUp) {
  MPI_Comm first = MPI_COMM_NULL;
  MPI_Comm second = MPI_COMM_NULL;
  MPI_Comm first_again = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, first), MPI_SUCCESS);
  ASSERT_EQ(connect(kOther, second), MPI_SUCCESS);
  ASSERT_EQ(connect(kName, first_again), MPI_SUCCESS);
  MPI_Win second_win = window_on(second);
  MPI_Win first_win = window_on(first);
  MPI_Win third_win = window_on(first_again);
  expect_both(first_win, 1);
  expect_both(second_win, 2);
  expect_both(third_win, 1);
  EXPECT_EQ(MPI_Comm_disconnect(&first), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&first_win), MPI_SUCCESS);
  expect_both(second_win, 2);
  expect_both(third_win, 1);
  EXPECT_EQ(MPI_Win_free(&third_win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&second_win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Comm_free(&second), MPI_SUCCESS);
  EXPECT_EQ(MPI_Comm_free(&first_again), MPI_SUCCESS);
}

TEST(Handle, CanBeHadByTheJobThatMadeTheWindow) {
  MPI_Win made = make("connect.own");
  fill_both(made, 3);
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(window_info(made, "psnam_window_name"), inter), MPI_SUCCESS);
  MPI_Win win = window_on(inter);
  MPI_Comm_free(&inter);
  expect_both(win, 3);
  EXPECT_EQ(MPI_Win_set_info(made, Info{{"psnam_consistency", "psnam_consistency_volatile"}}), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&made), MPI_SUCCESS);
  expect_both(win, 3);  // the other window holds the memory
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  expect_no_window("connect.own");
}

TEST(Root, AloneGivesNameAndInfo) {
  const int root = world_size() - 1;
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(kName, inter, "", root), MPI_SUCCESS);
  MPI_Win win = window_on(inter);
  MPI_Comm_free(&inter);
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Root, OfASubcommunicatorConnectsThatOnly) {
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, world_rank() % 2, 0, &half);
  MPI_Win win = connected_window(world_rank() % 2 == 0 ? kName : kOther, "", half);
  expect_both(win, world_rank() % 2 == 0 ? 1 : 2);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  MPI_Comm_free(&half);
}

TEST(ReadOnly, ReadsEveryByte) {
  MPI_Win win = connected_window(kName, "read_only");
  EXPECT_EQ(window_info(win, "psnam_access"), "read_only");
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(ReadOnly, RefusesAPut) {
  MPI_Win win = connected_window(kName, "read_only");
  MPI_Win_fence(0, win);
  const std::uint8_t byte = 0;
  const int rc = MPI_Put(&byte, 1, MPI_BYTE, 0, 0, 1, MPI_BYTE, win);
  EXPECT_EQ(error_class(rc), MPI_ERR_ACCESS) << error_text(rc);
  EXPECT_NE(error_text(rc).find("read_only"), std::string::npos) << error_text(rc);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(ReadOnly, RefusesAChangeOfConsistencyOnAllRanks) {
  MPI_Win win = connected_window(kName, "read_only");
  const int rc = MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_volatile"}});
  EXPECT_EQ(error_class(rc), MPI_ERR_ACCESS) << error_text(rc);
  EXPECT_EQ(window_info(win, "psnam_consistency"), "psnam_consistency_persistent");
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  win = connected_window(kName);
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// The permissions, as /proc shows them, of this process's mappings of files of its store.
std::vector<std::string> mappings_of_memory() {
  std::vector<std::string> found;
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);)
    if (line.find("/memory/") != std::string::npos) {
      std::istringstream words{line};
      std::string range;
      std::string permissions;
      words >> range >> permissions;
      found.push_back(permissions);
    }
  return found;
}

TEST(ReadOnly, MapsTheMemoryWithoutTheRightToWrite) {
  ASSERT_TRUE(mappings_of_memory().empty());
  MPI_Win win = connected_window(kName, "read_only");
  expect_both(win, 1);
  EXPECT_EQ(mappings_of_memory(), (std::vector<std::string>{"r--s", "r--s"}));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  win = connected_window(kName);
  expect_both(win, 1);
  EXPECT_EQ(mappings_of_memory(), (std::vector<std::string>{"rw-s", "rw-s"}));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_TRUE(mappings_of_memory().empty());
}

TEST(WrongName, IsAPortErrorOnAllRanksThatNamesIt) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect("connect.never", inter);
  EXPECT_EQ(error_class(rc), MPI_ERR_PORT);
  EXPECT_NE(error_text(rc).find("connect.never"), std::string::npos) << error_text(rc);
  EXPECT_EQ(inter, MPI_COMM_NULL);
}

TEST(WrongName, OfAnyFormIsAPortError) {
  for (const std::string& name :
       {std::string{}, std::string(MPI_MAX_PORT_NAME - 1, 'x'), std::string{"with blank"}, std::string{"a\tb"}}) {
    MPI_Comm inter = MPI_COMM_NULL;
    const int rc = connect(name, inter);
    EXPECT_EQ(error_class(rc), MPI_ERR_PORT) << name << ": " << error_text(rc);
  }
}

TEST(WrongName, LeavesTheConnectingJobUsable) {
  expect_no_window("connect.never");
  MPI_Win win = connected_window(kName);
  expect_both(win, 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(WrongValue, OfAccessIsAnInfoErrorOnAllRanks) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(kName, inter, "readonly");
  EXPECT_EQ(error_class(rc), MPI_ERR_INFO_VALUE) << error_text(rc);
  EXPECT_NE(error_text(rc).find("read_only"), std::string::npos) << error_text(rc);
}

TEST(Remover, RemovesBoth) {
  for (const std::string& name : {kName, kOther}) remove_window(connected_window(name));
}

}  // namespace
}  // namespace psnam::test
