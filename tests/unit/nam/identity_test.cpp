#include "nam/identity.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/process.hpp"
#include "nam/store.hpp"
#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

TEST(Identity, ThisProcessMayBeAlive) {
  const auto process = this_process(3);
  const auto boot = this_boot();
  ASSERT_TRUE(process && boot);
  EXPECT_EQ(process->pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(process->rank, 3U);
  EXPECT_TRUE(may_be_alive(*process, *boot));
}

TEST(Identity, AnotherStartTimeIsAnotherProcess) {
  const auto boot = this_boot();
  ASSERT_TRUE(boot);
  EXPECT_FALSE(may_be_alive(test::nobody().front(), *boot));
}

TEST(Identity, AProcessOfAnotherBootHasEnded) { EXPECT_FALSE(may_be_alive(test::me().front(), format::random_uuid())); }

TEST(Identity, AProcessOfAnotherPidNamespaceCannotBeJudged) {
  const auto boot = this_boot();
  ASSERT_TRUE(boot);
  auto process = test::nobody().front();
  ++process.pid_namespace;
  EXPECT_TRUE(may_be_alive(process, *boot));
}

TEST(Identity, AZombieHasEnded) {
  const auto boot = this_boot();
  const test::Signal go;
  test::Child child{[&] {
    go.await();
    return 0;
  }};
  auto process = test::me().front();
  process.pid = static_cast<std::uint32_t>(child.pid());
  process.start_time_ticks = *process_start_time_ticks(process.pid);
  EXPECT_TRUE(may_be_alive(process, *boot));
  go.give();
  child.wait_until_zombie();
  EXPECT_FALSE(may_be_alive(process, *boot));
}

TEST(Identity, AUseIsAliveWhileOneOfItsProcessesIs) {
  const auto boot = this_boot();
  const auto pid_namespace = this_pid_namespace();
  ASSERT_TRUE(boot && pid_namespace);
  Judge judge{*boot, *pid_namespace};
  EXPECT_TRUE(judge.may_be_alive({.boot = *boot, .processes = {test::nobody().front(), test::me().front()}}));
  EXPECT_FALSE(judge.may_be_alive({.boot = *boot, .processes = {test::nobody().front()}}));
  EXPECT_FALSE(judge.may_be_alive({.boot = *boot, .processes = {}}));
}

TEST(Identity, ABootIdHasThirtyTwoDigits) {
  const auto id = parse_boot_id("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\n");
  ASSERT_TRUE(id);
  EXPECT_EQ(format::to_string(*id), "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
  for (const char* text :
       {"", "0f1e", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f000"})
    EXPECT_FALSE(parse_boot_id(text)) << text;
}

TEST(Identity, TheDefaultFolderIsByUser) {
  EXPECT_EQ(store_folder(""), "/dev/shm/psnam-" + std::to_string(::geteuid()));
  EXPECT_EQ(store_folder("/x/y"), "/x/y");
}

}  // namespace
}  // namespace psnam::nam
