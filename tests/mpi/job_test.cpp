// psnam_job.h: handles, safe points and handlers of jobs that nobody asks, and of jobs that are asked by themselves.
#include <psnam_checkpoint.h>
#include <psnam_job.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "mpi/mpi_test.hpp"
#include "support/nam_failure.hpp"

namespace psnam::test {
namespace {

constexpr psnam_job_t* kNoJob = nullptr;

class Jobs : public ::testing::Test {
 protected:
  static psnam_job_t* open(const char* name, psnam_checkpoint_t* checkpoint = nullptr, MPI_Comm comm = MPI_COMM_WORLD) {
    psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
    options.name = name;
    return psnam_job_open(&options, checkpoint, comm);
  }
  static psnam_job_info_t query(psnam_job_t* job) {
    psnam_job_info_t info{};
    info.bytes = sizeof info;
    EXPECT_EQ(psnam_job_query(job, &info), 0) << nam_strerror();
    return info;
  }
  void TearDown() override {
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
  }
};

TEST_F(Jobs, SafePointsThatNobodyAsksAnythingAtAreCounted) {
  psnam_job_t* const job = open("quiet");
  ASSERT_NE(job, nullptr) << nam_strerror();
  EXPECT_EQ(job->ranks, world_size());
  EXPECT_EQ(job->rank, world_rank());
  for (int step = 0; step < 1000; ++step) {
    int what = -1;
    ASSERT_EQ(psnam_job_safe_point(job, &what), 0) << nam_strerror();
    ASSERT_EQ(what, PSNAM_JOB_GO_ON);
  }
  ASSERT_EQ(psnam_job_safe_point(job, nullptr), 0) << nam_strerror();
  const psnam_job_info_t info = query(job);
  EXPECT_EQ(info.safe_points, 1001U);
  EXPECT_EQ(info.mapped, 1);
  EXPECT_EQ(info.departure, PSNAM_JOB_NOT_ASKED);
  EXPECT_EQ(info.requests, 0U);
  int what = -1;
  EXPECT_EQ(psnam_job_last(job, &what), 0);
  EXPECT_EQ(what, PSNAM_JOB_GO_ON);
  EXPECT_EQ(psnam_job_close(job), 0) << nam_strerror();
}

TEST_F(Jobs, ANameIsTakenUntilTheJobIsClosed) {
  psnam_job_t* job = open("taken");
  ASSERT_NE(job, nullptr) << nam_strerror();
  EXPECT_NAM_FAILS(open("taken"), kNoJob, EBUSY, "a job \"taken\" runs already");
  EXPECT_EQ(psnam_job_close(job), 0) << nam_strerror();
  for (int round = 0; round < 3; ++round) {
    job = open("taken");
    ASSERT_NE(job, nullptr) << nam_strerror();
    EXPECT_EQ(psnam_job_close(job), 0) << nam_strerror();
  }
}

TEST_F(Jobs, AClosedHandleIsFoundOut) {
  psnam_job_t* const job = open("closed");
  ASSERT_NE(job, nullptr) << nam_strerror();
  ASSERT_EQ(psnam_job_close(job), 0) << nam_strerror();
  EXPECT_NAM_FAILS(psnam_job_safe_point(job, nullptr), -1, EINVAL, "is no handle of a job");
  EXPECT_NAM_FAILS(psnam_job_safe_point(nullptr, nullptr), -1, EINVAL, "NULL is no handle of a job");
  EXPECT_NAM_FAILS(psnam_job_close(job), -1, EINVAL, "is no handle of a job");
  psnam_job_private_fence(job);  // nobody's any more
}

TEST_F(Jobs, WhatIsWrongIsSaidOnAllRanks) {
  EXPECT_NAM_FAILS(open("a b"), kNoJob, EINVAL, "cannot be a job's name");
  EXPECT_NAM_FAILS(open(""), kNoJob, EINVAL, "cannot be a job's name");
  EXPECT_NAM_FAILS(open(nullptr), kNoJob, EINVAL, "the name is NULL");
  EXPECT_NAM_FAILS(psnam_job_open(nullptr, nullptr, MPI_COMM_WORLD), kNoJob, EINVAL, "the options are NULL");
  EXPECT_NAM_FAILS(open("x", nullptr, MPI_COMM_NULL), kNoJob, EINVAL, "MPI_COMM_NULL");
  psnam_checkpoint_t foreign{};
  EXPECT_NAM_FAILS(open("x", &foreign), kNoJob, EINVAL, "are closed");
  if (world_size() > 1) {
    MPI_Comm half = MPI_COMM_NULL;
    MPI_Comm_split(MPI_COMM_WORLD, world_rank() == 0 ? 0 : 1, 0, &half);
    psnam_checkpoint_options_t of_half = PSNAM_CHECKPOINT_OPTIONS_INIT;
    of_half.name = world_rank() == 0 ? "first" : "others";
    psnam_checkpoint_t* const checkpoint = psnam_checkpoint_open(&of_half, half);
    ASSERT_NE(checkpoint, nullptr) << nam_strerror();
    EXPECT_NAM_FAILS(open("x", checkpoint), kNoJob, EINVAL, "of its checkpoints: they are of the same ranks");
    EXPECT_EQ(psnam_checkpoint_remove(checkpoint), 0) << nam_strerror();
    MPI_Comm_free(&half);
  }
  psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
  options.bytes = 8;
  EXPECT_NAM_FAILS(psnam_job_open(&options, nullptr, MPI_COMM_WORLD), kNoJob, EPROTO, "options of 8 bytes");
  if (world_size() > 1) {
    EXPECT_NAM_FAILS(open(world_rank() == 0 ? "one" : "other"), kNoJob, EINVAL, "the job is called \"one\" on rank 0");
  }
  psnam_job_t* const job = open("right");
  ASSERT_NE(job, nullptr) << nam_strerror();
  EXPECT_NAM_FAILS(psnam_job_add_handler(job, nullptr, nullptr), -1, EINVAL, "the handler is NULL");
  EXPECT_NAM_FAILS(psnam_job_query(job, nullptr), -1, EINVAL, "info is NULL");
  EXPECT_NAM_FAILS(psnam_job_watch_window(job, MPI_WIN_NULL), -1, ENOTSUP, "MPI_WIN_NULL");
  EXPECT_EQ(psnam_job_close(job), 0) << nam_strerror();
}

TEST_F(Jobs, HandlersHearThatTheProcessCameBackInTheOppositeOrder) {
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  options.name = "back";
  int data = 5;
  psnam_checkpoint_t* const checkpoint = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
  ASSERT_NE(checkpoint, nullptr) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_register(checkpoint, 1, &data, sizeof data), 0) << nam_strerror();
  psnam_job_t* const job = open("back", checkpoint);
  ASSERT_NE(job, nullptr) << nam_strerror();
  struct Heard {
    std::vector<int>* all;
    int number;
  };
  std::vector<int> all;
  Heard first{&all, 1}, second{&all, 2};
  const auto hear = [](int phase, void* user) {
    auto& heard = *static_cast<Heard*>(user);
    heard.all->push_back(10 * phase + heard.number);
    return 0;
  };
  ASSERT_EQ(psnam_job_add_handler(job, hear, &first), 0) << nam_strerror();
  ASSERT_EQ(psnam_job_add_handler(job, hear, &second), 0) << nam_strerror();
  std::uint64_t version = 0;
  int source = -1;
  ASSERT_EQ(psnam_job_restart(job, &version, &source), 0) << nam_strerror();
  EXPECT_EQ(source, PSNAM_CHECKPOINT_NOTHING);
  EXPECT_TRUE(all.empty()) << "a first start is none";
  ASSERT_EQ(psnam_checkpoint_save(checkpoint, 0), 0) << nam_strerror();
  data = 6;
  ASSERT_EQ(psnam_job_restart(job, &version, &source), 0) << nam_strerror();
  EXPECT_EQ(data, 5);
  EXPECT_EQ(version, 1U);
  EXPECT_EQ(all, (std::vector<int>{10 * PSNAM_JOB_RESTART + 2, 10 * PSNAM_JOB_RESTART + 1}));
  ASSERT_EQ(psnam_job_close(job), 0) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_remove(checkpoint), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
