// Each way in which MPI_Win_allocate can be refused: the same error on every rank, nothing left behind, the
// communicator as before.
#include <sys/resource.h>

#include <csignal>
#include <functional>
#include <limits>

#include "errors.hpp"

namespace psnam::test {
namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

/// What one rank passes to MPI_Win_allocate.
struct Request {
  MPI_Aint size = 64;
  int unit = 1;
  Keys keys{{"psnam_manifestation", "psnam_manifestation_pershm"}};
};

struct Case {
  const char* name;
  int ranks;  ///< needs at least so many
  std::function<void(Request&, int rank, int ranks)> change;
  int error_class;
  std::vector<std::string> words;
};

void set(Request& request, const std::string& key, const std::string& value) {
  for (auto& pair : request.keys)
    if (pair.first == key) {
      pair.second = value;
      return;
    }
  request.keys.emplace_back(key, value);
}

using Change = std::function<void(Request&, int, int)>;

Change on_all(std::string key, std::string value) {
  return [=](Request& request, int, int) { set(request, key, value); };
}
Change on_last(std::string key, std::string value) {
  return [=](Request& request, int rank, int ranks) {
    if (rank == ranks - 1) set(request, key, value);
  };
}

std::vector<Case> cases() {
  const std::string long_name(256, 'n');
  const std::vector<std::string> manifestations{"psnam_manifestation", "\"psnam_manifestation_shm\"",
                                                "psnam_manifestation_libnam", "psnam_manifestation_pershm",
                                                "psnam_manifestation_segment"};
  const std::vector<std::string> consistencies{"psnam_consistency", "\"durable\"", "psnam_consistency_volatile",
                                               "psnam_consistency_persistent"};
  const std::vector<std::string> structures{"psnam_structure", "\"raw\"", "psnam_structure_raw_and_flat",
                                            "psnam_structure_managed_contiguous",
                                            "psnam_structure_managed_distributed"};
  const std::string huge = std::to_string(std::numeric_limits<MPI_Aint>::max());
  return {
      {"UnknownManifestation", 1, on_all("psnam_manifestation", "psnam_manifestation_shm"), MPI_ERR_INFO_VALUE,
       manifestations},
      {"UnknownManifestationOnOneRank", 2, on_last("psnam_manifestation", "psnam_manifestation_shm"),
       MPI_ERR_INFO_VALUE, manifestations},
      {"UnknownConsistency", 1, on_all("psnam_consistency", "durable"), MPI_ERR_INFO_VALUE, consistencies},
      {"UnknownConsistencyOnOneRank", 2, on_last("psnam_consistency", "durable"), MPI_ERR_INFO_VALUE, consistencies},
      {"UnknownStructure", 1, on_all("psnam_structure", "raw"), MPI_ERR_INFO_VALUE, structures},
      {"UnknownStructureOnOneRank", 2, on_last("psnam_structure", "raw"), MPI_ERR_INFO_VALUE, structures},
      {"UnknownReserve",
       1,
       on_all("psnam_reserve", "some"),
       MPI_ERR_INFO_VALUE,
       {"psnam_reserve", "\"some\"", "full", "lazy"}},
      {"UnknownReserveOnOneRank",
       2,
       on_last("psnam_reserve", "some"),
       MPI_ERR_INFO_VALUE,
       {"psnam_reserve", "\"some\"", "full", "lazy"}},
      {"UnknownBaseptr",
       1,
       on_all("psnam_baseptr", "yes"),
       MPI_ERR_INFO_VALUE,
       {"psnam_baseptr", "\"yes\"", "null", "load_store"}},
      {"UnknownBaseptrOnOneRank",
       2,
       on_last("psnam_baseptr", "yes"),
       MPI_ERR_INFO_VALUE,
       {"psnam_baseptr", "\"yes\"", "null", "load_store"}},
      {"ModeThatIsNotOctal",
       1,
       on_all("psnam_window_mode", "0680"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "\"0680\"", "octal"}},
      {"ModeThatIsNoNumber",
       1,
       on_all("psnam_window_mode", "rw-"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "\"rw-\"", "octal"}},
      {"ModeThatIsNegative",
       1,
       on_all("psnam_window_mode", "-600"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "\"-600\""}},
      {"ModeThatIsTooLarge",
       1,
       on_all("psnam_window_mode", "1000"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "\"1000\"", "0777"}},
      {"ModeWithSomethingBehindIt",
       1,
       on_all("psnam_window_mode", "0600 "),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "\"0600 \""}},
      {"BadModeOnOneRank",
       2,
       on_last("psnam_window_mode", "999"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "\"999\""}},
      {"NameWithABlank",
       1,
       on_all("psnam_window_name", "two words"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_name", "\"two words\"", "255"}},
      {"NameWithATab", 1, on_all("psnam_window_name", "a\tb"), MPI_ERR_INFO_VALUE, {"psnam_window_name"}},
      {"NameWithAnUmlaut", 1, on_all("psnam_window_name", "f\xC3\xBCnf"), MPI_ERR_INFO_VALUE, {"psnam_window_name"}},
      {"NameTooLong",
       1,
       on_all("psnam_window_name", long_name),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_name", "256 bytes", "255"}},
      {"BadNameOnOneRank",
       2,
       on_last("psnam_window_name", "two words"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_name", "\"two words\""}},
      {"ConsistencyDiffers",
       2,
       on_last("psnam_consistency", "psnam_consistency_persistent"),
       MPI_ERR_INFO_VALUE,
       {"psnam_consistency", "same on all ranks", "psnam_consistency_volatile", "psnam_consistency_persistent"}},
      {"StructureDiffers",
       2,
       on_last("psnam_structure", "psnam_structure_managed_contiguous"),
       MPI_ERR_INFO_VALUE,
       {"psnam_structure", "same on all ranks", "psnam_structure_managed_contiguous",
        "psnam_structure_managed_distributed"}},
      {"ReserveDiffers",
       2,
       on_last("psnam_reserve", "lazy"),
       MPI_ERR_INFO_VALUE,
       {"psnam_reserve", "same on all ranks", "full", "lazy"}},
      {"ModeDiffers",
       2,
       on_last("psnam_window_mode", "0640"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_mode", "same on all ranks", "0600", "0640"}},
      {"NameDiffers",
       2,
       on_last("psnam_window_name", "mine"),
       MPI_ERR_INFO_VALUE,
       {"psnam_window_name", "same on all ranks", "\"mine\""}},
      {"ManifestationOnTheLastRankOnly",
       2,
       [](Request& r, int rank, int ranks) {
         if (rank != ranks - 1) r.keys.clear();
       },
       MPI_ERR_INFO_KEY,
       {"psnam_manifestation", "not on rank 0", "psnam_manifestation_libnam"}},
      {"ManifestationOnTheFirstRankOnly",
       2,
       [](Request& r, int rank, int) {
         if (rank != 0) r.keys.clear();
       },
       MPI_ERR_INFO_KEY,
       {"psnam_manifestation", "on rank 0", "not on rank 1", "psnam_manifestation_libnam"}},
      {"SizeOnRankOneOfAFlatWindow",
       2,
       on_all("psnam_structure", "psnam_structure_raw_and_flat"),
       MPI_ERR_SIZE,
       {"size = 64", "rank 1", "psnam_structure_raw_and_flat"}},
      {"NegativeSize", 1, [](Request& r, int, int) { r.size = -1; }, MPI_ERR_SIZE, {"size = -1", "rank 0"}},
      {"NegativeSizeOnOneRank",
       2,
       [](Request& r, int rank, int ranks) {
         if (rank == ranks - 1) r.size = -8;
       },
       MPI_ERR_SIZE,
       {"size = -8"}},
      {"ZeroUnit", 1, [](Request& r, int, int) { r.unit = 0; }, MPI_ERR_DISP, {"disp_unit = 0", "rank 0"}},
      {"NegativeUnitOnOneRank",
       2,
       [](Request& r, int rank, int ranks) {
         if (rank == ranks - 1) r.unit = -4;
       },
       MPI_ERR_DISP,
       {"disp_unit = -4"}},
      {"SegmentManifestation",
       1,
       on_all("psnam_manifestation", "psnam_manifestation_segment"),
       MPI_ERR_INFO_KEY,
       {"psnam_manifestation_segment", "rank 0", "psnam_segment_allocation_id"}},
      {"SegmentManifestationOnOneRank",
       2,
       on_last("psnam_manifestation", "psnam_manifestation_segment"),
       MPI_ERR_INFO_KEY,
       {"psnam_manifestation_segment", "psnam_segment_allocation_id"}},
      {"SegmentOffsetWithoutASegment",
       1,
       on_all("psnam_segment_offset", "64"),
       MPI_ERR_INFO_KEY,
       {"psnam_segment_offset", "\"64\"", "psnam_manifestation_segment"}},
      {"SegmentAllocationWithoutASegment",
       1,
       on_all("psnam_segment_allocation_id", "7"),
       MPI_ERR_INFO_KEY,
       {"psnam_segment_allocation_id", "\"7\"", "psnam_manifestation_segment"}},
      {"SegmentOfAnUnknownAllocation",
       1,
       [](Request& r, int, int) {
         set(r, "psnam_manifestation", "psnam_manifestation_segment");
         set(r, "psnam_segment_allocation_id", "123456789");
       },
       MPI_ERR_INFO_VALUE,
       {"psnam_segment_allocation_id", "123456789"}},
      {"LibnamAllocationOfAnotherManifestation",
       1,
       on_all("psnam_libnam_allocation_id", "12"),
       MPI_ERR_INFO_KEY,
       {"psnam_libnam_allocation_id", "\"12\"", "psnam_manifestation_libnam"}},
      {"UnknownLibnamAllocation",
       1,
       [](Request& r, int, int) {
         set(r, "psnam_manifestation", "psnam_manifestation_libnam");
         set(r, "psnam_libnam_allocation_id", "123456789");
       },
       MPI_ERR_INFO_VALUE,
       {"psnam_libnam_allocation_id", "123456789"}},
      {"MoreThanTheStoreHas",
       1,
       [](Request& r, int, int) { r.size = MPI_Aint{1} << 50; },
       MPI_ERR_NO_MEM,
       {std::to_string(MPI_Aint{1} << 50), "store"}},
      {"MoreThanTheStoreHasOnOneRank",
       2,
       [](Request& r, int rank, int ranks) {
         if (rank == ranks - 1) r.size = MPI_Aint{1} << 50;
       },
       MPI_ERR_NO_MEM,
       {std::to_string(MPI_Aint{1} << 50), "store"}},
      {"MoreThanAFileHoldsThoughLazy",
       1,
       [](Request& r, int, int) {
         r.size = std::numeric_limits<MPI_Aint>::max();
         set(r, "psnam_reserve", "lazy");
       },
       MPI_ERR_NO_MEM,
       {}},
      {"SumOfSizesBeyond64Bits",
       3,
       [](Request& r, int, int) {
         r.size = std::numeric_limits<MPI_Aint>::max();
         set(r, "psnam_structure", "psnam_structure_managed_contiguous");
         set(r, "psnam_reserve", "lazy");
       },
       MPI_ERR_SIZE,
       {"ranks 0 to 2", "2^64"}},
  };
}

class CreationErrors : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Of, CreationErrors, testing::ValuesIn(cases()),
                         [](const auto& of) { return std::string{of.param.name}; });

int allocate(const Request& request, MPI_Comm comm, MPI_Win* win) {
  Info info{};
  for (const auto& [key, value] : request.keys) info.set(key.c_str(), value);
  void* base = nullptr;
  return MPI_Win_allocate(request.size, request.unit, info, comm, &base, win);
}

TEST_P(CreationErrors, AreTheSameOnAllRanksAndLeaveNothing) {
  const Case& tested = GetParam();
  if (world_size() < tested.ranks) GTEST_SKIP() << "needs " << tested.ranks << " ranks";
  const HandledComm comm;
  expect_files(0, comm);
  Request request;
  tested.change(request, rank_in(comm), size_of(comm));
  MPI_Win win = MPI_WIN_NULL;
  const int code = allocate(request, comm, &win);
  expect_handled_once(code);
  EXPECT_EQ(win, MPI_WIN_NULL);
  expect_same_error(code, tested.error_class, tested.words, comm);
  expect_files(0, comm);
  expect_usable(comm);
  expect_files(0, comm);
}

TEST(CreationErrors, ATakenNameIsRefusedWhileItsWindowStaysWhole) {
  const HandledComm comm;
  const int me = rank_in(comm);
  Request request;
  set(request, "psnam_consistency", "psnam_consistency_persistent");
  set(request, "psnam_window_name", "taken");
  MPI_Win first = MPI_WIN_NULL;
  ASSERT_EQ(allocate(request, comm, &first), MPI_SUCCESS);
  const auto ranks = static_cast<std::size_t>(size_of(comm));
  expect_files(ranks, comm);
  MPI_Win second = MPI_WIN_NULL;
  const int code = allocate(request, comm, &second);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_NAME, {"\"taken\""}, comm);
  EXPECT_EQ(second, MPI_WIN_NULL);
  expect_files(ranks, comm);
  MPI_Win_fence(0, first);
  EXPECT_EQ(MPI_Put(&me, 1, MPI_INT, me, 0, 1, MPI_INT, first), MPI_SUCCESS);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, first);
  const Info back{{"psnam_consistency", "psnam_consistency_volatile"}};
  EXPECT_EQ(MPI_Win_set_info(first, back), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&first), MPI_SUCCESS);
  expect_files(0, comm);
  EXPECT_EQ(allocate(request, comm, &second), MPI_SUCCESS) << "the name is free again";
  EXPECT_EQ(MPI_Win_set_info(second, back), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&second), MPI_SUCCESS);
  expect_files(0, comm);
}

TEST(CreationErrors, ANameThatWasTakenMeanwhileKeepsTheSecondWindowVolatile) {
  const HandledComm comm;
  Request request;
  set(request, "psnam_window_name", "twice");
  MPI_Win first = MPI_WIN_NULL;
  MPI_Win second = MPI_WIN_NULL;
  ASSERT_EQ(allocate(request, comm, &first), MPI_SUCCESS);
  ASSERT_EQ(allocate(request, comm, &second), MPI_SUCCESS);
  handle_errors_of(first);
  handle_errors_of(second);
  const Info keep{{"psnam_consistency", "psnam_consistency_persistent"}};
  EXPECT_EQ(MPI_Win_set_info(first, keep), MPI_SUCCESS);
  const int code = MPI_Win_set_info(second, keep);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_NAME, {"\"twice\""}, comm);
  EXPECT_EQ(window_info(second, "psnam_consistency"), "psnam_consistency_volatile");
  const Info back{{"psnam_consistency", "psnam_consistency_volatile"}};
  EXPECT_EQ(MPI_Win_set_info(first, back), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&first), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&second), MPI_SUCCESS);
  expect_files(0, comm);
}

TEST(CreationErrors, WhenOneRankGetsNoMemoryThatOfTheOthersGoesToo) {
  // The last rank may not write files as large as its region; the regions of the others are made before that is known.
  constexpr rlim_t kLimit = rlim_t{8} << 20;
  const HandledComm comm;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  if (rank_in(comm) == size_of(comm) - 1) {
    const rlimit limit{kLimit, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  Request request;
  request.size = kLimit + 4096;
  MPI_Win win = MPI_WIN_NULL;
  const int code = allocate(request, comm, &win);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_NO_MEM, {}, comm);
  expect_files(0, comm);
  ASSERT_EQ(allocate(request, comm, &win), MPI_SUCCESS) << "without the limit there is room";
  expect_files(static_cast<std::size_t>(size_of(comm)), comm);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  expect_files(0, comm);
}

TEST(SetInfoErrors, AreTheSameOnAllRanksAndChangeNothing) {
  const HandledComm comm;
  const bool last = rank_in(comm) == size_of(comm) - 1;
  Request request;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(allocate(request, comm, &win), MPI_SUCCESS);
  handle_errors_of(win);
  const auto refused = [&](const Info& info, int expected_class, const std::vector<std::string>& words) {
    const int code = MPI_Win_set_info(win, info);
    expect_handled_once(code);
    expect_same_error(code, expected_class, words, comm);
    EXPECT_EQ(window_info(win, "psnam_consistency"), "psnam_consistency_volatile");
  };
  refused(Info{{"psnam_consistency", "kept"}}, MPI_ERR_INFO_VALUE,
          {"psnam_consistency", "\"kept\"", "psnam_consistency_persistent"});
  refused(Info{{"psnam_consistency", last ? "kept" : "psnam_consistency_persistent"}}, MPI_ERR_INFO_VALUE,
          {"psnam_consistency", "\"kept\""});
  refused(Info{{"psnam_structure", "psnam_structure_raw_and_flat"}}, MPI_ERR_INFO_KEY,
          {"psnam_structure", "psnam_structure_managed_distributed"});
  refused(Info{{"psnam_window_mode", "0666"}, {"psnam_consistency", "psnam_consistency_persistent"}}, MPI_ERR_INFO_KEY,
          {"psnam_window_mode", "0600"});
  if (size_of(comm) > 1) {
    refused(Info{{"psnam_consistency", last ? "psnam_consistency_persistent" : "psnam_consistency_volatile"}},
            MPI_ERR_INFO_VALUE, {"psnam_consistency", "psnam_consistency_persistent", "psnam_consistency_volatile"});
    Info on_one{};
    if (last) on_one.set("psnam_consistency", "psnam_consistency_persistent");
    refused(on_one, MPI_ERR_INFO_VALUE, {"psnam_consistency", "absent"});
  }
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  expect_files(0, comm);
}

}  // namespace
}  // namespace psnam::test
