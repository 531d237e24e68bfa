// include/psnam.h from C++, and a C program that uses its aliases, run under mpiexec with and without the library.
#include "psnam.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

namespace {

struct Outcome {
  int wait_status = 0;
  std::string output;  // stdout and stderr

  [[nodiscard]] bool exited_with(int code) const { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == code; }
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen(("timeout 60 " + command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot start: " << command;
    return outcome;
  }
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.output.append(buffer.data(), n);
  }
  outcome.wait_status = pclose(pipe);
  return outcome;
}

std::string alias_program(const char* mode) {
  return variable("PSNAM_TEST_MPIEXEC") + " -n 2 " + variable("PSNAM_TEST_ALIAS_PROGRAM") + " " + mode;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
    ++n;
  }
  return n;
}

class HeaderWithoutTheLibrary : public testing::Test {
 protected:
  void SetUp() override {
    if (variable("PSNAM_TEST_MPIEXEC").empty() || variable("PSNAM_TEST_ALIAS_PROGRAM").empty()) {
      GTEST_SKIP() << "PSNAM_TEST_MPIEXEC and PSNAM_TEST_ALIAS_PROGRAM name the mpiexec and the program to run";
    }
    unsetenv("LD_PRELOAD");
  }
};

TEST(Header, EveryKeyIsAStringOfItsOwn) {
  const std::set<std::string> keys{PSNAM_INFO_VERSION,
                                   PSNAM_INFO_MANIFESTATION,
                                   PSNAM_INFO_CONSISTENCY,
                                   PSNAM_INFO_STRUCTURE,
                                   PSNAM_INFO_LIBNAM_ALLOCATION_ID,
                                   PSNAM_INFO_SEGMENT_ALLOCATION_ID,
                                   PSNAM_INFO_SEGMENT_OFFSET,
                                   PSNAM_INFO_WINDOW_NAME,
                                   PSNAM_INFO_WINDOW_MODE,
                                   PSNAM_INFO_RESERVE,
                                   PSNAM_INFO_BASEPTR,
                                   PSNAM_INFO_ALLOCATION_ID,
                                   PSNAM_INFO_WINDOW_CONNECT,
                                   PSNAM_INFO_ACCESS};
  EXPECT_EQ(keys.size(), 14U);
  for (const std::string& key : keys) {
    EXPECT_EQ(key.rfind("psnam_", 0), 0U) << key;
    EXPECT_LE(key.size(), static_cast<std::size_t>(MPI_MAX_INFO_KEY)) << key;
  }
}

TEST(Header, ValuesOfTheThreeStrategiesBeginWithTheirKey) {
  for (const std::string value :
       {PSNAM_MANIFESTATION_LIBNAM, PSNAM_MANIFESTATION_PERSHM, PSNAM_MANIFESTATION_SEGMENT}) {
    EXPECT_EQ(value.rfind(PSNAM_INFO_MANIFESTATION "_", 0), 0U) << value;
  }
  for (const std::string value : {PSNAM_CONSISTENCY_VOLATILE, PSNAM_CONSISTENCY_PERSISTENT}) {
    EXPECT_EQ(value.rfind(PSNAM_INFO_CONSISTENCY "_", 0), 0U) << value;
  }
  for (const std::string value :
       {PSNAM_STRUCTURE_RAW_AND_FLAT, PSNAM_STRUCTURE_MANAGED_CONTIGUOUS, PSNAM_STRUCTURE_MANAGED_DISTRIBUTED}) {
    EXPECT_EQ(value.rfind(PSNAM_INFO_STRUCTURE "_", 0), 0U) << value;
  }
}

TEST(Header, VersionNumbersAndStringAgree) {
  const std::string numbers = std::to_string(PSNAM_VERSION_MAJOR) + "." + std::to_string(PSNAM_VERSION_MINOR) + "." +
                              std::to_string(PSNAM_VERSION_PATCH);
  EXPECT_EQ(numbers, PSNAM_VERSION_STRING);
  EXPECT_EQ(numbers, PSNAM_TEST_PROJECT_VERSION);
  EXPECT_EQ(PSNAM_VERSION, PSNAM_VERSION_MAJOR * 10000 + PSNAM_VERSION_MINOR * 100 + PSNAM_VERSION_PATCH);
}

TEST(Header, AliasesHaveTheTypesOfTheSpecification) {
  int (*const allocate)(MPI_Aint, int, MPI_Info, MPI_Comm, MPI_Comm*, MPI_Win*) = &MPIX_Win_allocate_intercomm;
  int (*const connect)(const char*, MPI_Info, int, MPI_Comm, MPI_Comm*) = &MPIX_Win_connect_intercomm;
  int (*const create)(MPI_Info, MPI_Comm, MPI_Win*) = &MPIX_Win_create_intercomm;
  int (*const query)(MPI_Win, int, MPI_Aint*, int*) = &MPIX_Win_intercomm_query;
  EXPECT_TRUE(allocate != nullptr && connect != nullptr && create != nullptr && query != nullptr);
  int (*const iget)(MPI_Aint, int, MPI_Datatype, int, MPI_Win, MPIX_Iget_request*) = &MPIX_Iget;
  int (*const iget_c)(MPI_Aint, MPI_Count, MPI_Datatype, int, MPI_Win, MPIX_Iget_request*) = &MPIX_Iget_c;
  int (*const wait)(MPIX_Iget_request) = &MPIX_Iget_wait;
  int (*const test)(MPIX_Iget_request, int*) = &MPIX_Iget_test;
  int (*const data)(MPIX_Iget_request, const void**, MPI_Count*) = &MPIX_Iget_data;
  int (*const free)(MPIX_Iget_request*) = &MPIX_Iget_free;
  EXPECT_TRUE(iget != nullptr && iget_c != nullptr && wait != nullptr && test != nullptr && data != nullptr &&
              free != nullptr);
  EXPECT_EQ(sizeof(MPIX_Iget_request), sizeof(void*));
}

TEST_F(HeaderWithoutTheLibrary, EveryAliasReturnsUnsupportedOperationAndMpiStaysUsable) {
  const Outcome outcome = run(alias_program("return"));
  EXPECT_TRUE(outcome.exited_with(0)) << outcome.output;
  EXPECT_EQ(count(outcome.output, "LD_PRELOAD=libpsnam.so is missing"), 2U * 13U) << outcome.output;
}

TEST_F(HeaderWithoutTheLibrary, TheDefaultErrorHandlerEndsTheJobWithoutASignal) {
  // A job that is aborted may take what is still in mpiexec's pipes with it, so the ranks write into a file.
  std::string file = "/tmp/psnam-header-XXXXXX";
  const int descriptor = mkstemp(file.data());
  ASSERT_GE(descriptor, 0);
  close(descriptor);
  Outcome outcome = run(variable("PSNAM_TEST_MPIEXEC") + " -n 2 sh -c 'exec \"$1\" fatal 2>>\"$2\"' sh " +
                        variable("PSNAM_TEST_ALIAS_PROGRAM") + " " + file);
  outcome.output += run("cat " + file).output;
  EXPECT_EQ(unlink(file.c_str()), 0);
  EXPECT_TRUE(WIFEXITED(outcome.wait_status)) << outcome.output;
  EXPECT_NE(WEXITSTATUS(outcome.wait_status), 0) << outcome.output;
  EXPECT_NE(WEXITSTATUS(outcome.wait_status), 124) << "it hung: " << outcome.output;
  EXPECT_NE(outcome.output.find("psnam: MPIX_Win_allocate_intercomm: "), std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find("went on"), std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find("Segmentation"), std::string::npos) << outcome.output;
}

TEST(HeaderWithTheLibrary, AWindowMadeWithItsHandleIsReadBackThroughTheAliases) {
  const std::string library = variable("PSNAM_TEST_LIBRARY");
  if (library.empty()) {
    GTEST_SKIP() << "PSNAM_TEST_LIBRARY names the library to preload";
  }
  std::string store = "/dev/shm/psnam-header-XXXXXX";
  ASSERT_NE(mkdtemp(store.data()), nullptr);
  const Outcome outcome =
      run("env PSNAM_STORE=" + store + "/store " + variable("PSNAM_TEST_MPIEXEC") + " -n 2 env LD_PRELOAD=" + library +
          " " + variable("PSNAM_TEST_ALIAS_PROGRAM") + " round_trip");
  EXPECT_TRUE(outcome.exited_with(0)) << outcome.output;
  EXPECT_TRUE(run("rm -r " + store).exited_with(0));
}

}  // namespace
