// What a program sees of the environment variables. Each test is for one setting, which environment_test.py makes; it
// runs them one by one.
#include <cstdlib>

#include "errors.hpp"

namespace psnam::test {
namespace {

std::string environment_info(const char* key) { return info_value(MPI_INFO_ENV, key); }

/// Whether `win` is one of ours.
bool is_psnam(MPI_Win win) { return window_info(win, "psnam_manifestation") != "(absent)"; }

/// Makes a window on a communicator whose errors are collected, and gives the code.
int try_to_allocate(MPI_Comm comm, MPI_Info info, MPI_Win* win) {
  void* base = nullptr;
  return MPI_Win_allocate(16, 1, info, comm, &base, win);
}

/// Windows of ours are refused with this error, those of the MPI library work.
void expect_windows_refused(int expected_class, const std::vector<std::string>& words) {
  const HandledComm comm;
  const Info info{kPershm};
  MPI_Win win = MPI_WIN_NULL;
  const int code = try_to_allocate(comm, info, &win);
  expect_handled_once(code);
  expect_same_error(code, expected_class, words, comm);
  ASSERT_EQ(try_to_allocate(comm, MPI_INFO_NULL, &win), MPI_SUCCESS);
  EXPECT_FALSE(is_psnam(win));
  MPI_Win_free(&win);
}

TEST(Module, IsInTheEnvironmentInfo) { EXPECT_EQ(environment_info("msa_module_id"), std::getenv("EXPECTED_MODULE")); }

TEST(Module, TheVersionIsInTheEnvironmentInfo) { EXPECT_NE(environment_info("psnam_version"), "(absent)"); }

TEST(Defaults, MakeEveryWindowOneOfOurs) {
  const Window window{16, 1, MPI_INFO_NULL};
  EXPECT_EQ(window_info(window, "psnam_manifestation"), "psnam_manifestation_pershm");
  EXPECT_EQ(window_info(window, "psnam_structure"), "psnam_structure_managed_contiguous");
  ASSERT_NE(window.base(), nullptr);
  const Info unrelated{{"no_locks", "true"}};
  const Window other{16, 1, unrelated};
  EXPECT_EQ(window_info(other, "psnam_manifestation"), "psnam_manifestation_pershm");
}

TEST(Defaults, KeysOfTheProgramGoBeforeThem) {
  const Info structure{{"psnam_structure", "psnam_structure_managed_distributed"}};
  const Window window{16, 1, structure};
  EXPECT_EQ(window_info(window, "psnam_manifestation"), "psnam_manifestation_pershm");
  EXPECT_EQ(window_info(window, "psnam_structure"), "psnam_structure_managed_distributed");
  EXPECT_EQ(window_info(window, "psnam_baseptr"), "load_store");
}

TEST(Defaults, AreNotForAWindowWithAManifestation) {
  const Info libnam{kLibnam};
  const Window window{16, 1, libnam};
  EXPECT_EQ(window_info(window, "psnam_manifestation"), "psnam_manifestation_libnam");
  EXPECT_EQ(window_info(window, "psnam_structure"), "psnam_structure_managed_distributed");
  EXPECT_EQ(window_info(window, "psnam_baseptr"), "null");
}

TEST(Defaults, AWrongValueIsAnErrorOfEachWindow) {
  const HandledComm comm;
  MPI_Win win = MPI_WIN_NULL;
  const int code = try_to_allocate(comm, MPI_INFO_NULL, &win);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_INFO_VALUE,
                    {"psnam_manifestation", "\"psnam_manifestation_disk\"", "psnam_manifestation_libnam"}, comm);
}

TEST(Defaults, AWrongKeyIsAnErrorOfEachWindow) {
  const HandledComm comm;
  MPI_Win win = MPI_WIN_NULL;
  const Info info{kPershm};
  for (const MPI_Info each : {MPI_INFO_NULL, static_cast<MPI_Info>(info)})
    expect_same_error(try_to_allocate(comm, each, &win), MPI_ERR_INFO_KEY, {"PSNAM_DEFAULTS", "\"psnam_manifest=x\""},
                      comm);
}

TEST(Keys, AnUnknownOneIsIgnored) {
  for (int i = 0; i < 2; ++i) {
    const Info info{kPershm, {"psnam_frobnicate", "fast"}};
    const Window window{16, 1, info};
    EXPECT_TRUE(is_psnam(window));
    EXPECT_EQ(window_info(window, "psnam_frobnicate"), "(absent)");
  }
}

TEST(Keys, WithoutAManifestationTheWindowIsTheMpiLibrarys) {
  const Info info{{"psnam_structure", "psnam_structure_raw_and_flat"}, {"psnam_frobnicate", "fast"}};
  const Window window{16, 1, info};
  EXPECT_FALSE(is_psnam(window));
  EXPECT_NE(window.base(), nullptr);
}

TEST(Path, AWindowIsReached) { expect_usable(MPI_COMM_WORLD); }

TEST(Path, TheFabricLeadsToAManager) {
  expect_windows_refused(MPI_ERR_UNSUPPORTED_OPERATION, {"PSNAM_PATH", "\"fabric\"", "PSNAM_MANAGER"});
}

TEST(Path, AnUnknownOneIsToldByEachWindow) {
  expect_windows_refused(MPI_ERR_ARG, {"PSNAM_PATH", "\"tunnel\"", "auto", "mapped", "fabric"});
}

TEST(Manager, CannotBeReached) { expect_windows_refused(MPI_ERR_OTHER, {"127.0.0.1:1"}); }

TEST(Store, AFolderThatCannotBeIsNamed) {
  expect_windows_refused(std::atoi(std::getenv("EXPECTED_CLASS")), {std::getenv("PSNAM_STORE")});
}

TEST(NoWindows, AProgramWithoutThemRuns) {
  int sum = 0;
  const int one = 1;
  EXPECT_EQ(MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD), MPI_SUCCESS);
  EXPECT_EQ(sum, world_size());
}

// By every rank: to a libnam region 2 puts up to 64 bytes, 1 of 65 to 128, 1 get of 129 to 256; to a pershm region 3
// puts beyond 256 bytes.
TEST(Histogram, Traffic) {
  const Info libnam_keys{kLibnam};
  const Info pershm_keys{kPershm};
  const Window libnam{4096, 1, libnam_keys};
  const Window pershm{4096, 1, pershm_keys};
  std::vector<char> buffer(4096);
  MPI_Datatype half = MPI_DATATYPE_NULL;  // 100 data bytes in 200
  MPI_Type_vector(100, 1, 2, MPI_CHAR, &half);
  MPI_Type_commit(&half);
  const int me = world_rank();
  libnam.fence();
  pershm.fence();
  EXPECT_EQ(MPI_Put(buffer.data(), 1, MPI_CHAR, me, 0, 1, MPI_CHAR, libnam), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(buffer.data(), 64, MPI_CHAR, me, 0, 64, MPI_CHAR, libnam), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(buffer.data(), 1, half, me, 0, 1, half, libnam), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(buffer.data(), 256, MPI_CHAR, me, 0, 256, MPI_CHAR, libnam), MPI_SUCCESS);
  for (const int bytes : {257, 1000, 4096})
    EXPECT_EQ(MPI_Put(buffer.data(), bytes, MPI_CHAR, me, 0, bytes, MPI_CHAR, pershm), MPI_SUCCESS);
  // Not counted: nothing moves.
  EXPECT_EQ(MPI_Put(buffer.data(), 0, MPI_CHAR, me, 0, 0, MPI_CHAR, libnam), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(buffer.data(), 8, MPI_CHAR, MPI_PROC_NULL, 0, 8, MPI_CHAR, libnam), MPI_SUCCESS);
  MPI_Win_set_errhandler(libnam, MPI_ERRORS_RETURN);
  EXPECT_NE(MPI_Put(buffer.data(), 8, MPI_CHAR, me, 4096, 8, MPI_CHAR, libnam), MPI_SUCCESS);
  libnam.fence(MPI_MODE_NOSUCCEED);
  pershm.fence(MPI_MODE_NOSUCCEED);
  MPI_Type_free(&half);
}

// The job ends at the call: what comes after it is not reached.
TEST(Fatal, AnIllegalPut) {
  const Info info{kPershm};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Win_allocate(16, 1, info, MPI_COMM_WORLD, &base, &win);
  MPI_Win_fence(0, win);
  const int value = 1;
  MPI_Put(&value, 1, MPI_INT, 0, 13, 1, MPI_INT, win);
  std::printf("the program went on\n");
}

TEST(Fatal, AnIllegalAllocation) {
  const Info info{{"psnam_manifestation", "psnam_manifestation_disk"}};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Win_allocate(16, 1, info, MPI_COMM_WORLD, &base, &win);
  std::printf("the program went on\n");
}

// With one rank on each of two nodes.
TEST(TwoNodes, NoBasePointerLeadsToAnotherNode) {
  const HandledComm comm;
  const Info info{kPershm, {"psnam_structure", "psnam_structure_managed_contiguous"}, {"psnam_baseptr", "load_store"}};
  MPI_Win win = MPI_WIN_NULL;
  const int code = try_to_allocate(comm, info, &win);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_INFO_VALUE, {"psnam_baseptr", "\"load_store\"", "rank 1"}, comm);
  expect_files(0, comm);
  const Info reachable{kPershm, {"psnam_baseptr", "load_store"}};
  const Window window{16, 1, reachable, comm};
  EXPECT_NE(window.base(), nullptr);
  expect_files(1, comm);
}

TEST(TwoNodes, LibnamNeedsAManager) {
  const HandledComm comm;
  const Info info{kLibnam};
  MPI_Win win = MPI_WIN_NULL;
  const int code = try_to_allocate(comm, info, &win);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_OTHER, {"psnam_manifestation_libnam", "2 nodes", "PSNAM_MANAGER"}, comm);
  expect_files(0, comm);
}

/// With this argument in the environment only the last of two ranks insists on mapped memory.
const bool kOneRankMaps = [] {
  const char* const rank = std::getenv("PMI_RANK");
  if (std::getenv("TEST_ONE_RANK_MAPS") == nullptr || rank == nullptr) return false;
  setenv("PSNAM_PATH", std::atoi(rank) == 1 ? "mapped" : "auto", 1);
  return true;
}();

TEST(TwoNodes, CannotBeMapped) {
  EXPECT_EQ(kOneRankMaps, std::getenv("TEST_ONE_RANK_MAPS") != nullptr);
  const HandledComm comm;
  const Info info{kPershm};
  MPI_Win win = MPI_WIN_NULL;
  const int code = try_to_allocate(comm, info, &win);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_OTHER, {"PSNAM_PATH", "\"mapped\"", "2 nodes"}, comm);
  expect_files(0, comm);
}

TEST(TwoNodes, HaveAWindowThatStays) {
  MPI_Win win = MPI_WIN_NULL;
  const Info info{kPershm, {"psnam_consistency", "psnam_consistency_persistent"}, {"psnam_window_name", "both.nodes"}};
  ASSERT_EQ(try_to_allocate(MPI_COMM_WORLD, info, &win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(TwoNodes, CannotBeMappedByWhoConnects) {
  const HandledComm comm;
  const Info info{{"psnam_window_connect", "true"}};
  MPI_Comm inter = MPI_COMM_NULL;
  const int code = MPI_Comm_connect("both.nodes", info, 0, comm, &inter);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_OTHER, {"PSNAM_PATH", "\"mapped\"", "2 nodes"}, comm);
}

}  // namespace
}  // namespace psnam::test
