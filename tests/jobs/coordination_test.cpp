// The roles of coordination.py: a job that computes until it is told to end, from outside, and tells what it hears.
#include <psnam.h>
#include <psnam_checkpoint.h>
#include <psnam_job.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "tools/arguments.hpp"

namespace psnam::test {
namespace {

[[nodiscard]] bool is_file(const std::string& path) { return !path.empty() && ::access(path.c_str(), F_OK) == 0; }

class Worker : public ::testing::Test {
 protected:
  /// What this rank hears, a line each, for the script to read.
  void note(const std::string& what) {
    std::ofstream{argument("events") + "." + std::to_string(rank_), std::ios::app} << what << std::endl;
  }
  static int hear(int phase, void* self) {
    static constexpr const char* kNames[] = {"?", "checkpoint", "continue", "restart", "failure"};
    auto& worker = *static_cast<Worker*>(self);
    worker.note(std::string{"phase "} + kNames[phase] + " at " + std::to_string(worker.step_));
    // Handlers may communicate.
    int together = 1, all = 0;
    MPI_Allreduce(&together, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_EQ(all, world_size());
    return phase == PSNAM_JOB_CHECKPOINT && is_file(argument("refuse")) && worker.rank_ == world_size() - 1 ? 7 : 0;
  }

  [[nodiscard]] unsigned char byte(std::size_t i) const {
    return static_cast<unsigned char>(i * 13 + i / 509 + static_cast<std::size_t>(rank_) * 37 + step_ * 59);
  }
  [[nodiscard]] bool is_whole() const {
    bool same = true;
    for (std::size_t i = 0; i < data_.size(); i += 97) same = same && data_[i] == byte(i);
    return same;
  }

  void open() {
    if (argument("saves", "1") == "1") {
      psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
      options.name = "coordination";
      options.set_size = 2;
      checkpoint_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
      ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
      ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 1, &step_, sizeof step_), 0) << nam_strerror();
      ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 2, data_.data(), data_.size()), 0) << nam_strerror();
    }
    const std::string name = argument("name", "work");
    psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
    options.name = name.c_str();
    options.mode = static_cast<std::uint32_t>(std::stoul(argument("mode", "600"), nullptr, 8));
    job_ = psnam_job_open(&options, checkpoint_, MPI_COMM_WORLD);
    ASSERT_NE(job_, nullptr) << nam_strerror();
    if (argument("handlers", "1") == "1") {
      ASSERT_EQ(psnam_job_add_handler(job_, hear, this), 0) << nam_strerror();
    }
  }

  void begin() {
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i] = byte(i);
    std::uint64_t version = 0;
    if (checkpoint_ != nullptr) {
      ASSERT_EQ(psnam_job_restart(job_, &version, nullptr), 0) << nam_strerror();
    }
    ASSERT_TRUE(is_whole());
    psnam_job_info_t info{};
    info.bytes = sizeof info;
    ASSERT_EQ(psnam_job_query(job_, &info), 0) << nam_strerror();
    if (!argument("mapped").empty()) {
      EXPECT_EQ(info.mapped, std::stoi(argument("mapped")));
    }
    note("begins at " + std::to_string(step_) + " with version " + std::to_string(version) + " departure " +
         std::to_string(info.departure));
  }

  /// One step. Ranks are not together in it: some of them come to the safe point long before the others.
  void compute() {
    ++step_;
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i] = byte(i);
    if (rank_ != 0) MPI_Recv(nullptr, 0, MPI_BYTE, rank_ - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank_ + 1 != world_size()) MPI_Send(nullptr, 0, MPI_BYTE, rank_ + 1, 0, MPI_COMM_WORLD);
  }

  [[nodiscard]] bool is_told_to_finish() const {
    int told = rank_ == 0 && is_file(argument("finish")) ? 1 : 0;
    MPI_Bcast(&told, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return told != 0;
  }

  void take(int what) {
    const std::uint64_t before = step_;
    static constexpr const char* kNames[] = {"go on", "end", "restarted", "failed", "saved"};
    if (what == PSNAM_JOB_GO_ON) return;
    ASSERT_TRUE(is_whole()) << "after " << kNames[what];
    note(std::string{"told "} + kNames[what] + " at " + std::to_string(before));
    if (what == PSNAM_JOB_FAILED) note(nam_strerror());
  }

  void close() {
    ASSERT_EQ(psnam_job_close(job_), 0) << nam_strerror();
    if (checkpoint_ != nullptr) {
      ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
    }
    note("closed at " + std::to_string(step_));
  }

  const int rank_ = world_rank();
  psnam_checkpoint_t* checkpoint_ = nullptr;
  psnam_job_t* job_ = nullptr;
  std::uint64_t step_ = 0;
  std::vector<unsigned char> data_ = std::vector<unsigned char>(100'000 + 7'001 * static_cast<std::size_t>(rank_));
};

TEST_F(Worker, ComputesUntilItIsToldToEnd) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(begin());
  int what = PSNAM_JOB_GO_ON;
  bool finish = false;
  while (what != PSNAM_JOB_END && !finish) {
    compute();
    if (psnam_job_safe_point(job_, &what) != 0) note(std::string{"error "} + nam_strerror());
    ASSERT_NO_FATAL_FAILURE(take(what));
    if (step_ % 50 == 0 && what != PSNAM_JOB_END) finish = is_told_to_finish();
  }
  ASSERT_NO_FATAL_FAILURE(close());
}

/// `window`: nam, or native.
TEST_F(Worker, ComesToItsSafePointsByFences) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(begin());
  Info info{{"no_locks", "true"}};
  if (argument("window") == "nam") info.set(PSNAM_INFO_MANIFESTATION, PSNAM_MANIFESTATION_PERSHM);
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(64, 1, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  if (argument("window") == "unseen") {
    errno = 0;
    EXPECT_EQ(psnam_job_watch_window(job_, win), -1);
    EXPECT_EQ(errno, ENOTSUP) << nam_strerror();
    MPI_Win_free(&win);
    ASSERT_NO_FATAL_FAILURE(close());
    return;
  }
  errno = 0;
  EXPECT_EQ(psnam_job_watch_window(nullptr, win), -1);
  EXPECT_EQ(errno, EINVAL) << nam_strerror();
  ASSERT_EQ(psnam_job_watch_window(job_, win), 0) << nam_strerror();
  MPI_Win_fence(0, win);
  int what = PSNAM_JOB_GO_ON;
  std::uint64_t fences = 1;
  for (; what != PSNAM_JOB_END; ++fences) {
    compute();
    MPI_Win_fence(0, win);
    ASSERT_EQ(psnam_job_last(job_, &what), 0) << nam_strerror();
    ASSERT_NO_FATAL_FAILURE(take(what));
  }
  ASSERT_EQ(psnam_job_last(job_, &what), 0);
  EXPECT_EQ(what, PSNAM_JOB_END) << "it stays";
  psnam_job_info_t before{}, after{};
  before.bytes = after.bytes = sizeof before;
  ASSERT_EQ(psnam_job_query(job_, &before), 0) << nam_strerror();
  EXPECT_EQ(before.safe_points, fences) << "each fence is one";
  MPI_Win_free(&win);
  // The number of the handle is given again: nobody watches the next window.
  MPI_Win other = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(64, 1, info, MPI_COMM_WORLD, &base, &other), MPI_SUCCESS);
  MPI_Win_fence(0, other);
  ASSERT_EQ(psnam_job_query(job_, &after), 0) << nam_strerror();
  EXPECT_EQ(before.safe_points, after.safe_points);
  MPI_Win_free(&other);
  ASSERT_NO_FATAL_FAILURE(close());
}

TEST_F(Worker, IsRefusedWhileAJobOfItsNameRuns) {
  psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
  options.name = "work";
  errno = 0;
  EXPECT_EQ(psnam_job_open(&options, nullptr, MPI_COMM_WORLD), nullptr);
  EXPECT_EQ(errno, EBUSY) << nam_strerror();
}

TEST_F(Worker, RemovesItsVersions) {
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  options.name = "coordination";
  options.set_size = 2;
  checkpoint_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
  ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
