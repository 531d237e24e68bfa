#include "job/requests.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "job/names.hpp"
#include "unit/job/record_memory.hpp"

namespace psnam::job {
namespace {

using format::JobControl;
using format::JobRequest;
using format::JobState;

const JobFacts kFacts{.name = "work", .ranks = 4, .abilities = format::kJobSaves | format::kJobHandles};

std::string why(const JobFacts& facts, const JobControl& now, const Request& request) {
  const Status judged = judge(facts, now, request);
  return judged ? "" : judged.error().message;
}

TEST(RequestsToJobs, OneThatIsBusyRefusesAndNamesWhatItIsAt) {
  const JobControl busy{.asked = true,
                        .state = JobState::in_checkpoint,
                        .request = JobRequest::checkpoint,
                        .options = format::kJobTerm,
                        .sequence = 3};
  for (const JobRequest what : {JobRequest::checkpoint, JobRequest::quiesce_start, JobRequest::quiesce_end,
                                JobRequest::proceed, JobRequest::restart, JobRequest::migrate})
    EXPECT_NE(why(kFacts, busy, {.what = what}).find("another request is under way (in checkpoint: checkpoint --term)"),
              std::string::npos);
  const JobControl ending{.asked = true, .state = JobState::terminating, .request = JobRequest::migrate};
  EXPECT_EQ(why(kFacts, ending, {.what = JobRequest::checkpoint}),
            "job \"work\" refuses checkpoint: the job is ending (terminating: migrate)");
}

TEST(RequestsToJobs, EveryStateTakesWhatItCan) {
  const JobControl idle{}, failed{.state = JobState::error};
  const JobControl stopped{.asked = true, .state = JobState::stopped, .request = JobRequest::quiesce_start};
  for (const JobControl& now : {idle, failed}) {
    EXPECT_EQ(why(kFacts, now, {.what = JobRequest::checkpoint, .options = format::kJobStop}), "");
    EXPECT_EQ(why(kFacts, now, {.what = JobRequest::quiesce_start}), "");
    EXPECT_EQ(why(kFacts, now, {.what = JobRequest::restart}), "");
    EXPECT_EQ(why(kFacts, now, {.what = JobRequest::migrate, .leaving = {0, 3}}), "");
    for (const JobRequest what : {JobRequest::quiesce_checkpoint, JobRequest::quiesce_end, JobRequest::proceed})
      EXPECT_NE(why(kFacts, now, {.what = what}).find("it is not stopped"), std::string::npos);
  }
  for (const JobRequest what : {JobRequest::checkpoint, JobRequest::quiesce_checkpoint, JobRequest::quiesce_end,
                                JobRequest::proceed, JobRequest::restart})
    EXPECT_EQ(why(kFacts, stopped, {.what = what}), "");
  EXPECT_NE(why(kFacts, stopped, {.what = JobRequest::quiesce_start}).find("it is stopped already"), std::string::npos);
}

TEST(RequestsToJobs, OneThatRegisteredNothingRefuses) {
  JobFacts facts = kFacts;
  facts.abilities = 0;
  EXPECT_EQ(why(facts, {}, {.what = JobRequest::checkpoint}),
            "job \"work\" refuses checkpoint: it has registered neither data nor a handler");
  facts.abilities = format::kJobHandles;
  EXPECT_EQ(why(facts, {}, {.what = JobRequest::checkpoint}), "");
  EXPECT_NE(why(facts, {}, {.what = JobRequest::restart}), "");
  EXPECT_NE(why(facts, {}, {.what = JobRequest::migrate, .leaving = {1}}), "");
}

TEST(RequestsToJobs, RanksThatAreToLeaveAreThere) {
  EXPECT_NE(why(kFacts, {}, {.what = JobRequest::migrate}).find("are not named"), std::string::npos);
  EXPECT_NE(why(kFacts, {}, {.what = JobRequest::migrate, .leaving = {1, 4}}).find("there is no rank 4"),
            std::string::npos);
}

TEST(RequestsToJobs, OfManyWhoAskAtOnceOneIsHeard) {
  for (int round = 0; round < 50; ++round) {
    RecordMemory memory{kFacts};
    std::atomic<int> heard{0}, refused{0};
    std::vector<std::thread> askers;
    for (std::uint32_t one = 0; one < 4; ++one)
      askers.emplace_back([&, one] {
        const auto asked = ask(memory.control(), {.what = JobRequest::migrate, .leaving = {one}});
        ++(asked ? heard : refused);
        if (!asked) {
          EXPECT_EQ(asked.error().code, Code::busy);
        }
      });
    for (auto& asker : askers) asker.join();
    EXPECT_EQ(heard, 1);
    EXPECT_EQ(refused, 3);
    // The ranks are those of the one that was heard.
    const auto seats = memory.control().seats();
    ASSERT_TRUE(seats);
    int leaving = 0;
    for (const SeatFacts& seat : *seats) leaving += seat.leaving == format::kJobLeaves ? 1 : 0;
    EXPECT_EQ(leaving, 1);
  }
}

TEST(RequestsToJobs, OneWhoDiedInHisTurnIsPassedOver) {
  RecordMemory memory{kFacts};
  const pid_t child = ::fork();
  if (child == 0) {
    ::pthread_mutex_lock(reinterpret_cast<pthread_mutex_t*>(memory.control().page().mutex));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(ask(memory.control(), {.what = JobRequest::checkpoint}));
}

TEST(RequestsToJobs, WhoWaitsHearsOfTheOutcomeOfTheEndAndOfTheTimeThatIsOver) {
  RecordMemory memory{kFacts};
  const Control& control = memory.control();
  const auto lives = [] { return Result<bool>{true}; };
  const auto sequence = ask(control, {.what = JobRequest::checkpoint});
  ASSERT_TRUE(sequence);
  auto outcome = await_outcome(control, *sequence, std::chrono::milliseconds{30}, lives);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::busy);
  outcome = await_outcome(control, *sequence, std::chrono::seconds{60}, [] { return Result<bool>{false}; });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "the job was killed (requested: checkpoint)");
  std::thread job{[&] {
    EXPECT_TRUE(control.publish(
        {.sequence = *sequence, .failed = true, .version = 5, .safe_point = 7, .text = std::string(1000, 'x')}));
    EXPECT_TRUE(control.say({.asked = false,
                             .state = JobState::error,
                             .request = JobRequest::checkpoint,
                             .options = 0,
                             .sequence = *sequence}));
  }};
  outcome = await_outcome(control, *sequence, std::chrono::seconds{60}, lives);
  job.join();
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(*outcome, (Outcome{*sequence, true, 5, 7, std::string(format::kJobTextBytes - 1, 'x')}));
  ASSERT_TRUE(ask(control, {.what = JobRequest::checkpoint}));
  ASSERT_TRUE(control.say(
      {.asked = true, .state = JobState::ended, .request = JobRequest::checkpoint, .options = 0, .sequence = 2}));
  outcome = await_outcome(control, 2, std::chrono::seconds{60}, lives);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::peer_lost);
}

TEST(NamesOfJobs, LeadToTheRecordAndBack) {
  EXPECT_EQ(record_name(17, "my:job"), "psnam-job:17:my:job");
  EXPECT_EQ(job_of_record("psnam-job:17:my:job"), "my:job");
  EXPECT_EQ(job_of_record("psnam-job:17"), std::nullopt);
  EXPECT_EQ(job_of_record("psnam-checkpoint:17:x"), std::nullopt);
  EXPECT_TRUE(check_job_name("a"));
  EXPECT_FALSE(check_job_name(""));
  EXPECT_FALSE(check_job_name("a b"));
  EXPECT_FALSE(check_job_name(std::string(128, 'a')));
}

}  // namespace
}  // namespace psnam::job
