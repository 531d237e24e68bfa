// A gigabyte of one rank beside little and nothing of the others: saved, lost, computed again. Only where there is
// memory for it.
#include <fstream>

#include "managed_fixture.hpp"

namespace psnam::checkpoint {
namespace {

constexpr std::uint64_t kGigabyte = std::uint64_t{1} << 30;
// The data, its copy, another one that is made when it is lost, and two slots of parity.
constexpr std::uint64_t kNeeded = 5 * kGigabyte + (kGigabyte >> 1);

std::uint64_t available_memory() {
  std::ifstream file{"/proc/meminfo"};
  std::string word;
  while (file >> word)
    if (std::uint64_t kilobytes = 0; word == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
  return 0;
}

TEST(LargeCheckpoint, AGigabyteIsComputedAgain) {
  const psnam::test::TemporaryFolder folder;
  const std::uint64_t free = std::filesystem::space(folder.path()).available;
  const std::uint64_t memory = available_memory();
  if (std::min(free, memory) < kNeeded + kGigabyte)
    GTEST_SKIP() << "it takes " << kNeeded + kGigabyte << " bytes; " << memory << " of memory are available, " << free
                 << " in " << folder.path();
  auto store = nam::Store::open({.folder = folder.path() / "store", .capacity_bytes = kNeeded});
  ASSERT_TRUE(store) << store.error().message;
  const std::shared_ptr<nam::Service> service{std::move(*store)};
  const test::JobOptions job{.ranks = 3, .bytes = [](std::uint32_t rank) {
                               return rank == 0 ? std::size_t{kGigabyte} : std::size_t{12'345} * (rank - 1);
                             }};
  std::barrier<> barrier{3};
  const Status done = test::run_job(service, job, [&](test::Rank& rank) {
    EXPECT_TRUE(rank.save(1));
    barrier.arrive_and_wait();
    if (rank.rank == 0) psnam::test::lose_copies(folder.path() / "store", 0);
    barrier.arrive_and_wait();
    rank.fill(9);
    const auto restored = rank.managed->restart(0);
    EXPECT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored ? restored->origin : Origin::nothing, rank.rank == 0 ? Origin::rebuilt : Origin::own);
    EXPECT_TRUE(rank.has(1));
    EXPECT_TRUE(rank.managed->end());
  });
  EXPECT_TRUE(done) << done.error().message;
}

}  // namespace
}  // namespace psnam::checkpoint
