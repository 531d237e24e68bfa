#include "nam/serving.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "support/served_fixture.hpp"

namespace psnam::nam {
namespace {

StoreOptions as_server(const std::filesystem::path& folder) {
  return {.folder = folder,
          .capacity_bytes = test::kCapacity,
          .serving = Serving{.instance = format::random_uuid(),
                             .lives = [](std::uint64_t) { return false; },
                             .address = "/run/psnam/namd.sock"}};
}

TEST(Serving, AServedStoreIsNotEmbeddedAndTheServerIsNamed) {
  const test::TemporaryFolder folder;
  const auto server = Store::open(as_server(folder.path()));
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_FAILS(
      Store::open({.folder = folder.path()}), Code::busy,
      "is served by namd (process " + std::to_string(::getpid()) + "): name it by PSNAM_MANAGER=/run/psnam/namd.sock");
  const auto known = server_of(folder.path());
  ASSERT_TRUE(known) << known.error().message;
  ASSERT_TRUE(*known);
  EXPECT_EQ((*known)->pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ((*known)->address, "/run/psnam/namd.sock");
}

TEST(Serving, ThereIsOneServerForAFolder) {
  const test::TemporaryFolder folder;
  const auto server = Store::open(as_server(folder.path()));
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_FAILS(Store::open(as_server(folder.path())), Code::busy,
               "is served by namd (process " + std::to_string(::getpid()) + ") already");
}

TEST(Serving, AnEmbeddedStoreIsNotServed) {
  const test::TemporaryFolder folder;
  auto embedded = Store::open({.folder = folder.path()});
  ASSERT_TRUE(embedded) << embedded.error().message;
  EXPECT_FAILS(Store::open(as_server(folder.path())), Code::busy, "processes that embed it have it open");
  EXPECT_FALSE(*server_of(folder.path()));
  embedded->reset();
  EXPECT_TRUE(Store::open(as_server(folder.path())));
}

TEST(Serving, AStoreIsEmbeddedWhenItsServerHasEnded) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(Store::open(as_server(folder.path())));
  EXPECT_FALSE(*server_of(folder.path()));
  EXPECT_TRUE(Store::open({.folder = folder.path()}));
}

TEST(Serving, AServerThatWasKilledHoldsNothing) {
  const test::TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto server = Store::open(as_server(folder.path()));
    const char told = server ? 'y' : 'n';
    if (::write(ready[1], &told, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char told = 0;
  ASSERT_EQ(::read(ready[0], &told, 1), 1);
  EXPECT_EQ(told, 'y');
  EXPECT_FAILS(Store::open({.folder = folder.path()}), Code::busy, std::to_string(child));
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(Store::open({.folder = folder.path()}));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Serving, WhatIsInTheFileMeansNothingWithoutTheLock) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(Store::open({.folder = folder.path()}));
  std::ofstream{folder.path() / "serving"} << "psnam-serving 1\nprocess 1\naddress /nowhere\n";
  EXPECT_FALSE(*server_of(folder.path()));
  EXPECT_TRUE(Store::open({.folder = folder.path()}));
}

}  // namespace
}  // namespace psnam::nam
