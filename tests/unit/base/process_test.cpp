#include "base/process.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/child.hpp"

namespace psnam {
namespace {

std::uint32_t pid_of(pid_t pid) { return static_cast<std::uint32_t>(pid); }

TEST(ProcessStat, IsParsedAfterTheLastParenthesis) {
  const auto stat =
      parse_process_stat("77 (a) R 1 (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 5 18 987654321 20 21\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(*stat, (ProcessStat{.state = 'S', .threads = 5, .start_time_ticks = 987654321}));
}

TEST(ProcessStat, AnythingElseIsNothing) {
  for (const char* text :
       {"", ")", "1 (a)", "1 (a) S 1 2", "1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 x 18 19 20"})
    EXPECT_FALSE(parse_process_stat(text)) << text;
}

TEST(Process, ThisOneRuns) {
  const auto start = process_start_time_ticks(pid_of(::getpid()));
  ASSERT_TRUE(start);
  EXPECT_TRUE(process_runs(pid_of(::getpid()), *start));
  EXPECT_FALSE(process_has_ended(pid_of(::getpid()), *start));
}

TEST(Process, OneThatStartedAtAnotherTimeHasEnded) {
  const auto start = process_start_time_ticks(pid_of(::getpid()));
  ASSERT_TRUE(start);
  EXPECT_FALSE(process_runs(pid_of(::getpid()), *start + 1));
  EXPECT_TRUE(process_has_ended(pid_of(::getpid()), *start + 1));
}

TEST(Process, AZombieHasEnded) {
  const test::Signal go;
  test::Child child{[&] {
    go.await();
    return 0;
  }};
  const auto start = process_start_time_ticks(pid_of(child.pid()));
  ASSERT_TRUE(start);
  EXPECT_FALSE(process_has_ended(pid_of(child.pid()), *start));
  go.give();
  child.wait_until_zombie();
  EXPECT_TRUE(process_has_ended(pid_of(child.pid()), *start));
  EXPECT_FALSE(process_start_time_ticks(pid_of(child.pid())));
  const pid_t pid = child.pid();
  EXPECT_EQ(child.wait(), 0);
  EXPECT_TRUE(process_has_ended(pid_of(pid), *start));
}

void* await_then_exit(void* argument) {
  static_cast<const test::Signal*>(argument)->await();
  ::_exit(3);
}

TEST(Process, OneWhoseFirstThreadEndedBeforeTheOthersRuns) {
  test::Signal go;
  test::Child child{[&] {
    pthread_t thread{};
    ::pthread_create(&thread, nullptr, await_then_exit, &go);
    ::syscall(SYS_exit, 0);  // of this thread alone; pthread_exit would unwind the test framework
    return 0;
  }};
  // The state changes when the kernel has ended the first thread; nothing tells of it but the state itself.
  const std::string path = "/proc/" + std::to_string(child.pid()) + "/stat";
  std::optional<ProcessStat> stat;
  do {
    char text[512] = {};
    FILE* const file = std::fopen(path.c_str(), "r");
    ASSERT_NE(file, nullptr);
    const std::size_t bytes = std::fread(text, 1, sizeof text, file);
    std::fclose(file);
    stat = parse_process_stat({text, bytes});
    ASSERT_TRUE(stat);
  } while (stat->state != 'Z');
  EXPECT_FALSE(stat->ended());
  EXPECT_FALSE(process_has_ended(pid_of(child.pid()), stat->start_time_ticks));
  go.give();
  EXPECT_EQ(child.wait(), 3);
}

TEST(Process, NothingIsCertainWithoutADescriptorToAskWith) {
  const auto parent = pid_of(::getpid());
  const auto start = process_start_time_ticks(parent);
  ASSERT_TRUE(start);
  test::Child child{[&] {
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 2;
    return process_has_ended(parent, *start) ? 1 : 0;
  }};
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace psnam
