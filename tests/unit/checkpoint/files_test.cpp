// Versions in files: what goes, and when.
#include "checkpoint/files.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "managed_fixture.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::checkpoint {
namespace {

using test::JobOptions;
using test::Rank;

/// Versions in files.
class ManagedFiles : public test::ManagedJobs {
 protected:
  [[nodiscard]] std::vector<std::string> names(const std::filesystem::path& of) const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator{of}) all.push_back(entry.path().filename().string());
    return all;
  }
  /// The memory of the series.
  void lose_memory() {
    const auto reports = *store().allocations();
    for (const auto& report : reports) ASSERT_TRUE(store().free_allocation(report.allocation.id, false));
  }

  psnam::test::TemporaryFolder files_;
};

TEST_F(ManagedFiles, GoOnlyWhenEveryRankHasNewerOnes) {
  const JobOptions job{.ranks = 2, .folder = (files_.path() / "of-rank-RANK").string()};
  const auto away = files_.path() / "away", of_one = files_.path() / "of-rank-1";
  expect_job(job, [&](Rank& rank) {
    ASSERT_TRUE(rank.save(1));
    ASSERT_TRUE(rank.save(2));
    ASSERT_TRUE(rank.managed->flush());
    if (rank.rank == 1) {
      std::filesystem::rename(of_one, away);
      std::ofstream{of_one} << "no folder";
    }
    for (const std::uint64_t version : {3U, 4U, 5U}) {
      ASSERT_TRUE(rank.save(version));
      EXPECT_FALSE(rank.managed->flush());
    }
  });
  std::filesystem::remove(of_one);
  std::filesystem::rename(away, of_one);
  lose_memory();
  expect_job(job, [&](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->version, 2U);
    EXPECT_TRUE(rank.has(2));
    ASSERT_TRUE(rank.save(6));
    ASSERT_TRUE(rank.save(7));
    ASSERT_TRUE(rank.managed->flush());
  });
  for (const auto* of : {"of-rank-0", "of-rank-1"}) EXPECT_EQ(names(files_.path() / of).size(), 2U) << of;
}

TEST_F(ManagedFiles, OfAJobThatWasKilledInTheMiddleGo) {
  const JobOptions job{.ranks = 2, .folder = files_.path().string()};
  const auto leave = [&] {
    for (const char* const rank : {"0of2", "1of2"})
      std::ofstream{files_.path() / (std::string{"job.1.17."} + rank + ".checkpoint.unfinished")} << "the beginning";
  };
  std::ofstream{files_.path() / "other.1.17.0of2.checkpoint.unfinished"} << "of another series";
  leave();
  expect_job(job, [](Rank& rank) {
    ASSERT_TRUE(rank.save(1));
    ASSERT_TRUE(rank.managed->flush());
  });
  EXPECT_EQ(names(files_.path()).size(), 3U);
  leave();
  expect_job(job, [](Rank& rank) { ASSERT_TRUE(rank.managed->end()); });
  EXPECT_EQ(names(files_.path()), std::vector<std::string>{"other.1.17.0of2.checkpoint.unfinished"});
}

TEST_F(ManagedFiles, AreAsManyAsVersionsAreKept) {
  const JobOptions job{.ranks = 2, .kept = 3, .folder = files_.path().string()};
  expect_job(job, [](Rank& rank) {
    for (std::uint64_t version = 1; version <= 5; ++version) ASSERT_TRUE(rank.save(version));
    ASSERT_TRUE(rank.managed->flush());
  });
  EXPECT_EQ(names(files_.path()).size(), 6U);
  lose_memory();
  expect_job(job, [](Rank& rank) {
    for (const std::uint64_t version : {3U, 4U, 5U}) {
      const auto restored = rank.managed->restart(version);
      ASSERT_TRUE(restored) << restored.error().message;
      EXPECT_EQ(restored->version, version);
      EXPECT_TRUE(rank.has(version));
    }
  });
}

TEST_F(ManagedFiles, OfSomeRanksAreNoVersionOfThatManyRanks) {
  const Files files{files_.path(), "job", 2, 0};
  const auto put = [&](const std::string& name) { std::ofstream{files_.path() / name} << "x"; };
  put("job.1.17.0of4000000000.checkpoint");
  put("job.1.17.0of3.checkpoint");
  put("job.1.17.2of3.checkpoint");
  EXPECT_TRUE(files.numbers_of_ranks().empty());
  put("job.1.17.1of3.checkpoint");
  EXPECT_EQ(files.numbers_of_ranks(), std::vector<std::uint32_t>{3});
}

}  // namespace
}  // namespace psnam::checkpoint
