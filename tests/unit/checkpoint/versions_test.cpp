// Which version is never written over, whatever fails.
#include <string>

#include "managed_fixture.hpp"

namespace psnam::checkpoint {
namespace {

using test::JobOptions;
using test::Rank;

/// What is kept of other versions than the one that is written, restored or given up.
class VersionsBeside : public test::ManagedJobs {
 protected:
  void save_two(const JobOptions& job) {
    expect_job(job, [](Rank& rank) {
      ASSERT_TRUE(rank.save(1));
      ASSERT_TRUE(rank.save(2));
    });
  }
  /// The allocation whose name begins and ends so.
  [[nodiscard]] format::AllocationRecord allocation(std::string_view begin, std::string_view end) {
    const auto reports = store().allocations();
    for (const auto& report : *reports)
      if (report.allocation.name.starts_with(begin) && report.allocation.name.ends_with(end)) return report.allocation;
    ADD_FAILURE() << "no allocation " << begin << "..." << end;
    return {};
  }
  void change_byte_of(const format::AllocationRecord& record, std::uint64_t at) {
    const auto memory =
        store().open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_write);
    ASSERT_TRUE(memory) << memory.error().message;
    memory->mapping.data()[at] ^= std::byte{0x10};
  }
};

TEST_F(VersionsBeside, GoingBackToTheOlderOneCostsNobodyTheNewer) {
  const JobOptions job{.ranks = 3};
  save_two(job);
  psnam::test::lose_copies(folder(), 2);
  expect_job(job, [](Rank& rank) {
    ASSERT_TRUE(rank.managed->restart(0)) << "rank 2 has version 2 alone now";
    const auto older = rank.managed->restart(1);
    ASSERT_TRUE(older) << older.error().message;
    EXPECT_EQ(older->origin, rank.rank == 2 ? Origin::rebuilt : Origin::own);
    EXPECT_TRUE(rank.has(1));
  });
  // One more may be lost, as if nothing had been: rank 2 still has its own.
  psnam::test::lose_copies(folder(), 0, 2);
  expect_job(job, [](Rank& rank) {
    const auto newest = rank.managed->restart(0);
    ASSERT_TRUE(newest) << newest.error().message;
    EXPECT_EQ(newest->version, 2U);
    EXPECT_TRUE(rank.has(2));
  });
}

TEST_F(VersionsBeside, OneThatCannotBeSavedAgainAndAgainCostsNotTheLastThatWas) {
  const JobOptions job{.ranks = 3, .parities = 0, .partners = true, .bytes = [](std::uint32_t) { return 100'000; }};
  expect_job(job, [](Rank& rank) { ASSERT_TRUE(rank.save(1)); });
  // There is room for one more copy of each rank, and for none with a partner.
  const std::uint64_t copy = allocation("psnam-checkpoint-copy:", ":0:0").size_bytes;
  const auto summary = *store().summary();
  const std::uint64_t filler = summary.capacity_bytes - summary.reserved_bytes - 3 * copy - copy / 2;
  const auto filled =
      store().allocate({.size_bytes = filler, .consistency = format::Consistency::persistent, .name = "filler"}, {});
  ASSERT_TRUE(filled) << filled.error().message;
  expect_job(job, [](Rank& rank) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const Status saved = rank.save(2);
      ASSERT_FALSE(saved);
      EXPECT_EQ(saved.error().code, Code::no_memory) << saved.error().message;
    }
  });
  for (const std::string index : {":0:0", ":0:1"}) change_byte_of(allocation("psnam-checkpoint-copy:", index), 0);
  expect_job(job, [](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->version, 1U);
    EXPECT_TRUE(rank.has(1));
  });
}

TEST_F(VersionsBeside, AfterOneThatIsDamagedBeyondRepairTheOlderIsTheOneToKeep) {
  const JobOptions job{.ranks = 2, .or_older = true, .bytes = [](std::uint32_t) { return 100'000; }};
  save_two(job);
  for (const int rank : {0, 1}) psnam::test::damage_copy(folder(), rank, 2, 70);
  expect_job(job, [](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->version, 1U);
    ASSERT_TRUE(rank.save(3));
    const auto kept = rank.managed->restart(1);
    ASSERT_TRUE(kept) << "version 3 was written over the last whole one: " << kept.error().message;
    EXPECT_TRUE(rank.has(1));
  });
}

TEST_F(VersionsBeside, OneWithoutParityThatWasGivenOutIsKept) {
  const JobOptions job{.ranks = 2, .bytes = [](std::uint32_t) { return 100'000; }};
  save_two(job);
  // As a job leaves it that is killed between the copies and the parity of version 2.
  for (const auto& copy : psnam::test::copy_files(folder()))
    if (copy.header.number == 2) psnam::test::change_byte(copy.path, format::kCheckpointConfirmedAt);
  const auto area = allocation("psnam-checkpoint-parity:", "");
  auto memory = store().open_range(area.root_id, 0, area.size_bytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  auto parity = parity::Area::open({memory->mapping.data(), memory->mapping.bytes()});
  ASSERT_TRUE(parity) << parity.error().message;
  parity->drop(*parity->newest());
  expect_job(job, [](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->version, 2U);
    ASSERT_TRUE(rank.save(3));
    const auto kept = rank.managed->restart(2);
    ASSERT_TRUE(kept) << "version 3 was written over what the program went on with: " << kept.error().message;
    EXPECT_TRUE(rank.has(2));
  });
}

TEST_F(VersionsBeside, ARestartThatCannotMakeParityAgainTouchesNothing) {
  const JobOptions job{.ranks = 2, .bytes = [](std::uint32_t) { return 100'000; }};
  save_two(job);
  ASSERT_TRUE(store().free_allocation(allocation("psnam-checkpoint-parity:", "").id, false));
  const auto summary = *store().summary();
  const auto filled = store().allocate({.size_bytes = summary.capacity_bytes - summary.reserved_bytes - 65'536,
                                        .consistency = format::Consistency::persistent,
                                        .name = "filler"},
                                       {});
  ASSERT_TRUE(filled) << filled.error().message;
  expect_job(job, [](Rank& rank) {
    rank.fill(77);
    EXPECT_FAILS(rank.managed->restart(0), Code::no_memory, "");
    EXPECT_TRUE(rank.has(77));
  });
  ASSERT_TRUE(store().free_allocation(filled->allocation.id, false));
  expect_job(job, [](Rank& rank) {
    ASSERT_TRUE(rank.managed->restart(0));
    EXPECT_TRUE(rank.has(2));
  });
}

TEST_F(VersionsBeside, ALostCopyWhosePartnersIsDamagedIsTold) {
  const JobOptions job{.ranks = 3, .parities = 0, .partners = true, .bytes = [](std::uint32_t) { return 100'000; }};
  save_two(job);
  for (const std::string index : {":1:0", ":1:1"}) change_byte_of(allocation("psnam-checkpoint-copy:", index), 0);
  change_byte_of(allocation("psnam-checkpoint-partner:", ":1:1"), 8192 + 70);
  expect_job(job, [](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    EXPECT_FAILS(restored, Code::corrupt, "the copy of rank 1 is lost");
    const auto older = rank.managed->restart(1);
    ASSERT_TRUE(older) << older.error().message;
    EXPECT_TRUE(rank.has(1));
  });
}

using Numbers = std::vector<std::uint64_t>;

/// More versions than two.
class KeptVersions : public VersionsBeside {
 protected:
  /// The job has these, newest first, and gets each of them back when asked for it.
  void expect_all(const JobOptions& job, const Numbers& numbers, Origin origin_on_last_rank = Origin::own) {
    expect_job(job, [&](Rank& rank) {
      const auto found = rank.managed->query();
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(found->complete, numbers);
      for (const std::uint64_t number : numbers) {
        const auto restored = rank.managed->restart(number);
        ASSERT_TRUE(restored) << number << ": " << restored.error().message;
        EXPECT_EQ(restored->version, number);
        EXPECT_TRUE(rank.has(number)) << number;
        EXPECT_EQ(restored->origin, rank.rank + 1 == job.ranks ? origin_on_last_rank : Origin::own) << number;
      }
    });
  }
  [[nodiscard]] std::size_t count(std::string_view begin) {
    const auto reports = store().allocations();
    return static_cast<std::size_t>(
        std::ranges::count_if(*reports, [&](const auto& report) { return report.allocation.name.starts_with(begin); }));
  }
  static void save_up_to(Rank& rank, std::uint64_t last) {
    const auto found = rank.managed->query();
    ASSERT_TRUE(found) << found.error().message;
    for (std::uint64_t number = found->complete.empty() ? 1 : found->complete.front() + 1; number <= last; ++number) {
      const Status saved = rank.save(number);
      ASSERT_TRUE(saved) << number << ": " << saved.error().message;
    }
  }
};

TEST_F(KeptVersions, AreAsManyAsAskedForAndEachIsMadeAgain) {
  for (const std::uint32_t kept : {2U, 3U, 8U}) {
    const JobOptions job{.ranks = 3, .kept = kept};
    expect_job(job, [](Rank& rank) { save_up_to(rank, 11); });
    Numbers numbers(kept);
    for (std::uint32_t age = 0; age < kept; ++age) numbers[age] = 11 - age;
    expect_all(job, numbers);
    EXPECT_EQ(count("psnam-checkpoint-copy:"), std::size_t{3} * kept);
    EXPECT_EQ(count("psnam-checkpoint-parity:"), 1U);
    psnam::test::lose_copies(folder(), 2);
    expect_all(job, numbers, Origin::rebuilt);
    expect_job(job, [&](Rank& rank) {
      EXPECT_FAILS(rank.managed->restart(11 - kept), Code::name_not_found, "");
      ASSERT_TRUE(rank.managed->end());
    });
  }
}

TEST_F(KeptVersions, StayWhenDataGrowUntilNewerOnesAreAsMany) {
  JobOptions small{.ranks = 2, .kept = 3, .bytes = [](std::uint32_t) { return 100'000; }};
  JobOptions large{.ranks = 2, .kept = 3, .bytes = [](std::uint32_t) { return 700'000; }};
  expect_job(small, [](Rank& rank) { save_up_to(rank, 2); });
  expect_job(large, [](Rank& rank) { save_up_to(rank, 3); });
  EXPECT_EQ(count("psnam-checkpoint-parity:"), 2U);
  const auto lose_and_restart = [&](std::uint64_t number) {
    psnam::test::lose_copies(folder(), 1, number);
    expect_job(small, [&](Rank& rank) {
      const auto restored = rank.managed->restart(number);
      ASSERT_TRUE(restored) << restored.error().message;
      EXPECT_EQ(restored->origin, rank.rank == 1 ? Origin::rebuilt : Origin::own);
      EXPECT_TRUE(rank.has(number));
    });
  };
  lose_and_restart(1);
  lose_and_restart(2);
  // Its parity is in the smaller area, which has the last but one of those that are kept.
  expect_job(large, [](Rank& rank) { save_up_to(rank, 4); });
  lose_and_restart(2);
  expect_job(large, [](Rank& rank) { save_up_to(rank, 5); });
  expect_all(large, {5, 4, 3});
  expect_job(large, [](Rank& rank) { save_up_to(rank, 6); });
  EXPECT_EQ(count("psnam-checkpoint-parity:"), 1U) << "of versions that are gone";
}

TEST_F(KeptVersions, AreWithPartnersToo) {
  const JobOptions job{
      .ranks = 3, .parities = 0, .partners = true, .kept = 4, .bytes = [](std::uint32_t) { return 100'000; }};
  expect_job(job, [](Rank& rank) { save_up_to(rank, 6); });
  expect_all(job, {6, 5, 4, 3});
  for (const std::string index : {":2:0", ":2:1", ":2:2", ":2:3"})
    change_byte_of(allocation("psnam-checkpoint-copy:", index), 0);
  expect_all(job, {6, 5, 4, 3}, Origin::partner);
}

TEST_F(KeptVersions, TheOldestGoesWhenTheNextIsSavedAndNoOther) {
  const JobOptions job{.ranks = 3, .kept = 4};
  expect_job(job, [](Rank& rank) { save_up_to(rank, 4); });
  // Of version 2 one rank has nothing, and gets it again while all others are there.
  psnam::test::lose_copies(folder(), 0, 2);
  expect_job(job, [](Rank& rank) {
    const auto restored = rank.managed->restart(2);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_TRUE(rank.has(2));
  });
  expect_job(job, [](Rank& rank) { save_up_to(rank, 5); });
  expect_all(job, {5, 4, 3, 2});
}

TEST_F(KeptVersions, GoOnlyAfterWhatIsNotComplete) {
  const JobOptions job{.ranks = 3, .kept = 3};
  expect_job(job, [](Rank& rank) { save_up_to(rank, 3); });
  // Of version 3 too much is lost: what rank 2 has of it is worth nothing.
  for (const int rank : {0, 1}) psnam::test::lose_copies(folder(), rank, 3);
  expect_job(job, [](Rank& rank) {
    const Status saved = rank.save(4);
    ASSERT_TRUE(saved) << saved.error().message;
  });
  expect_all(job, {4, 2, 1});
}

TEST_F(KeptVersions, AreForALaterJobOfAnotherNumberOfRanks) {
  const auto share = [](Rank& rank) {
    ASSERT_TRUE(rank.managed->remove(1));
    ASSERT_TRUE(rank.managed->add(1, rank.data, {.share = Share::shared}));
    // The same on all.
    rank.rank = 7;
  };
  const auto bytes = [](std::uint32_t) { return 5000; };
  expect_job({.ranks = 2, .kept = 3, .bytes = bytes}, [&](Rank& rank) {
    share(rank);
    save_up_to(rank, 4);
  });
  expect_job({.ranks = 3, .kept = 5, .bytes = bytes}, [&](Rank& rank) {
    share(rank);
    for (const std::uint64_t number : {2U, 3U, 4U}) {
      const auto restored = rank.managed->restart(number);
      ASSERT_TRUE(restored) << restored.error().message;
      EXPECT_TRUE(rank.has(number));
    }
    EXPECT_FAILS(rank.managed->restart(1), Code::name_not_found, "");
    save_up_to(rank, 9);
    const auto found = rank.managed->query();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->complete, (Numbers{9, 8, 7, 6, 5}));
  });
}

TEST_F(KeptVersions, OfAnotherNumberThanTheSeriesHasAreRefused) {
  expect_job({.ranks = 2, .kept = 3}, [](Rank& rank) { save_up_to(rank, 1); });
  EXPECT_FAILS(test::run_job(service(), {.ranks = 2}, [](Rank&) {}), Code::invalid_argument,
               "keep 3 versions, 2 are asked for");
  for (const std::uint32_t kept : {0U, 1U, 9U})
    EXPECT_FAILS(test::run_job(service(), {.ranks = 2, .kept = kept}, [](Rank&) {}), Code::invalid_argument,
                 std::to_string(kept) + " versions: 2 to 8 can be kept");
}

}  // namespace
}  // namespace psnam::checkpoint
