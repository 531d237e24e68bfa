// The main of all tests that run under MPI. `--thread-multiple` asks for that thread level.
#include "mpi_test.hpp"

#include <cstring>

namespace {

/// Makes the verdict on each test the same on all ranks, so that all leave a failing test together.
class AgreeOnVerdict : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& info) override {
    const int mine = info.result()->Failed() ? 1 : 0;
    int any = 0;
    MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    failed_ = failed_ || any != 0;
    if (any != 0 && psnam::test::world_rank() == 0 && mine == 0)
      printf("[  FAILED  ] %s.%s on another rank\n", info.test_suite_name(), info.name());
  }

 public:
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  bool failed_ = false;
};

/// On all ranks but the first: failures only, as whole lines that name the rank.
class PrintFailures : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::printf("rank %d: %s:%d: %s\n", psnam::test::world_rank(),
                result.file_name() != nullptr ? result.file_name() : "?", result.line_number(), result.message());
    std::fflush(stdout);
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  int required = MPI_THREAD_SINGLE;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--thread-multiple") == 0)
      required = MPI_THREAD_MULTIPLE;
    else
      psnam::test::arguments().emplace_back(argv[i]);
  }
  int provided = 0;
  MPI_Init_thread(&argc, &argv, required, &provided);
  if (provided < required) {
    std::fprintf(stderr, "the MPI library gives thread level %d instead of %d\n", provided, required);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (psnam::test::world_rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new PrintFailures);  // owned by GoogleTest
  }
  auto* const agree = new AgreeOnVerdict;  // owned by GoogleTest
  listeners.Append(agree);
  const int own = RUN_ALL_TESTS();
  const bool failed = own != 0 || agree->failed();
  const bool ran = testing::UnitTest::GetInstance()->test_to_run_count() > 0;
  MPI_Finalize();
  if (!ran) std::fprintf(stderr, "no test was selected\n");
  return failed || !ran ? 1 : 0;
}
