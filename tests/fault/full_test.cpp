// A store without room: an error on all ranks at once, nobody is killed, nothing is left; what is there stays usable.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

const std::string kName = "full.window";

Info info_for(const std::string& structure, const std::string& manifestation,
              const std::string& consistency = "volatile") {
  return Info{{"psnam_manifestation", "psnam_manifestation_" + manifestation},
              {"psnam_structure", "psnam_structure_" + structure},
              {"psnam_consistency", "psnam_consistency_" + consistency}};
}

class TooLarge : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  [[nodiscard]] static std::string structure() { return std::get<0>(GetParam()); }
  [[nodiscard]] static std::string manifestation() { return std::get<1>(GetParam()); }

  /// `large`: the rank that asks for more than there is; the others ask for a little.
  static void expect_refusal(int large, const std::string& consistency) {
    const std::size_t bytes = world_rank() == large ? number("too_much") : (structure() == "raw_and_flat" ? 0 : 4096);
    void* base = nullptr;
    MPI_Win win = MPI_WIN_NULL;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    const int rc = MPI_Win_allocate(static_cast<MPI_Aint>(bytes), 1,
                                    info_for(structure(), manifestation(), consistency), MPI_COMM_WORLD, &base, &win);
    EXPECT_EQ(error_class(rc), MPI_ERR_NO_MEM) << error_text(rc);
    // A contiguous window is one allocation of all ranks' bytes.
    const std::size_t wanted =
        number("too_much") +
        (structure() == "managed_contiguous" ? 4096 * static_cast<std::size_t>(world_size() - 1) : 0);
    EXPECT_NE(error_text(rc).find(std::to_string(wanted)), std::string::npos) << error_text(rc);
  }
  static void expect_room_for(std::size_t bytes) {
    const bool asks = structure() != "raw_and_flat" || world_rank() == 0;
    const auto own = structure() == "raw_and_flat" ? bytes : bytes / static_cast<std::size_t>(world_size());
    MPI_Win win = allocate(info_for(structure(), manifestation()), asks ? own : 0, 1);
    const std::vector<std::uint8_t> data(asks ? own : 0, 0x5A);
    MPI_Win_fence(0, win);
    EXPECT_EQ(put_bytes(win, world_rank(), data), MPI_SUCCESS);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  }
};

TEST_P(TooLarge, IsRefusedOnAllRanksAndLeavesTheRoomToOthers) {
  const int last = structure() == "raw_and_flat" ? 0 : world_size() - 1;
  for (const int large : {0, last})
    for (const char* consistency : {"volatile", "persistent"}) {
      expect_refusal(large, consistency);
      expect_room_for(number("fits"));
    }
}

const auto kNames = [](const testing::TestParamInfo<std::tuple<std::string, std::string>>& info) {
  return std::get<0>(info.param) + "_" + std::get<1>(info.param);
};
INSTANTIATE_TEST_SUITE_P(Every, TooLarge,
                         testing::Combine(testing::Values("raw_and_flat", "managed_contiguous", "managed_distributed"),
                                          testing::Values("pershm", "libnam")),
                         kNames);

/// The file system is filled by somebody else while the windows exist.
TEST(Crowded, WindowsStayUsableAndCanBeRemoved) {
  constexpr std::size_t kBytes = 1 << 20;
  Info kept = info_for("managed_distributed", argument("manifestation"), "persistent");
  kept.set("psnam_window_name", kName);
  MPI_Win win = allocate(kept, kBytes, 1);
  MPI_Win passing = allocate(info_for("managed_contiguous", argument("manifestation")), kBytes, 1);
  stop_at("made");
  // Every byte is touched only now that nothing is left.
  for (const MPI_Win each : {win, passing}) {
    const auto data = pattern_of(7, world_rank(), kBytes);
    std::vector<std::uint8_t> seen(kBytes);
    MPI_Win_fence(0, each);
    EXPECT_EQ(put_bytes(each, world_rank(), data), MPI_SUCCESS);
    MPI_Win_fence(0, each);
    EXPECT_EQ(get_bytes(each, 0, seen), MPI_SUCCESS);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, each);
    EXPECT_EQ(first_difference(seen, 7, 0), -1);
  }
  void* base = nullptr;
  MPI_Win more = MPI_WIN_NULL;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  const int rc = MPI_Win_allocate(kBytes, 1, info_for("managed_distributed", argument("manifestation")), MPI_COMM_WORLD,
                                  &base, &more);
  EXPECT_EQ(error_class(rc), MPI_ERR_NO_MEM) << error_text(rc);
  EXPECT_EQ(MPI_Win_free(&passing), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// As above, by a job that finds the file system full.
TEST(Crowded, WindowIsReadAndRemovedByALaterJob) {
  MPI_Win win = connected_window(kName);
  ASSERT_NE(win, MPI_WIN_NULL);
  std::vector<std::uint8_t> seen(1 << 20);
  MPI_Win_fence(0, win);
  EXPECT_EQ(get_bytes(win, 1, seen), MPI_SUCCESS);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  EXPECT_EQ(first_difference(seen, 7, 1), -1);
  remove_window(win);
  expect_no_window(kName);
}

}  // namespace
}  // namespace psnam::test
