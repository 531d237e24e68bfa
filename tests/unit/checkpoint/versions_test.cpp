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

}  // namespace
}  // namespace psnam::checkpoint
