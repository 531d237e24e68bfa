// Losses and a full store, with 2 to 64 ranks.
#include <atomic>

#include "checkpoint/area_memory.hpp"
#include "checkpoint/inventory.hpp"
#include "checkpoint/names.hpp"
#include "checkpoint/uses.hpp"
#include "managed_fixture.hpp"

namespace psnam::checkpoint {
namespace {

using test::JobOptions;
using test::Rank;

class LostRanks : public test::ManagedJobs,
                  public ::testing::WithParamInterface<std::tuple<std::uint32_t, std::uint32_t>> {
 protected:
  /// The copies of the first `count` ranks, of version 2.
  void lose(std::uint32_t count) {
    for (std::uint32_t rank = 0; rank < count; ++rank) psnam::test::lose_copies(folder(), static_cast<int>(rank), 2);
  }
};

INSTANTIATE_TEST_SUITE_P(Sets, LostRanks,
                         ::testing::Combine(::testing::Values(2, 3, 5, 16, 64), ::testing::Values(1, 2, 3)));

TEST_P(LostRanks, AsManyAsThereAreParitiesComeBackAndOneMoreIsRefusedByName) {
  const auto [ranks, parities] = GetParam();
  const JobOptions job{.ranks = ranks, .parities = parities, .bytes = [](std::uint32_t rank) {
                         return rank % 5 == 1 ? std::size_t{0} : 1'000 + 9'001 * std::size_t{rank % 11};
                       }};
  expect_job(job, [](Rank& rank) {
    ASSERT_TRUE(rank.save(1));
    ASSERT_TRUE(rank.save(2));
  });
  const std::uint32_t some = std::min(ranks, parities);
  lose(some);
  expect_job(job, [&](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->version, 2U);
    EXPECT_EQ(restored->origin, rank.rank < some ? Origin::rebuilt : Origin::own);
    EXPECT_TRUE(rank.has(2)) << rank.rank;
  });
  if (ranks <= parities) return;
  lose(parities + 1);
  expect_job(job, [&](Rank& rank) {
    rank.fill(77);
    const auto refused = rank.managed->restart(0);
    EXPECT_FAILS(refused, Code::peer_lost, "version 1 is complete and can be asked for");
    std::string names = "the data of ranks 0";
    for (std::uint32_t lost = 1; lost <= parities; ++lost) names += ", " + std::to_string(lost);
    EXPECT_NE(refused.error().message.find(names + " are lost"), std::string::npos) << refused.error().message;
    EXPECT_TRUE(rank.has(77)) << "a version that cannot be had was given out";
    const auto older = rank.managed->restart(1);
    ASSERT_TRUE(older) << older.error().message;
  });
}

using ManagedInAStore = test::ManagedJobs;

TEST_F(ManagedInAStore, ThatIsFullWhenItIsOpenedIsToldAndLeavesNothing) {
  const auto filled = store().allocate(
      {.size_bytes = psnam::test::kCapacity - 4096, .consistency = format::Consistency::persistent, .name = "filler"},
      {});
  ASSERT_TRUE(filled) << filled.error().message;
  std::atomic<int> refused{0};
  const Status done = test::run_job(service(), {.ranks = 3}, [&](Rank& rank) {
    const Status saved = rank.save(1);
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Code::no_memory) << saved.error().message;
    EXPECT_NE(saved.error().message.find("bytes left"), std::string::npos) << saved.error().message;
    ++refused;
    EXPECT_EQ(rank.managed->restart(0)->version, 0U);
    EXPECT_TRUE(rank.managed->end());
  });
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(store().summary()->allocations, 1U);
}

TEST_F(ManagedInAStore, ThatBecomesFullKeepsTheVersionThatIsThere) {
  const JobOptions small{.ranks = 3};
  expect_job(small, [](Rank& rank) {
    ASSERT_TRUE(rank.save(1));
    ASSERT_TRUE(rank.save(2));
  });
  JobOptions large = small;
  large.bytes = [](std::uint32_t) { return std::size_t{psnam::test::kCapacity} / 4; };
  expect_job(large, [](Rank& rank) {
    const Status saved = rank.save(3);
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Code::no_memory) << saved.error().message;
  });
  expect_job(small, [](Rank& rank) {
    const auto restored = rank.managed->restart(0);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->version, 2U);
    EXPECT_TRUE(rank.has(2));
    EXPECT_TRUE(rank.save(3)) << "what did not fit left something";
    EXPECT_TRUE(rank.managed->end());
  });
  expect_empty();
}

TEST_F(ManagedInAStore, IsOfOneJobAtATimeAndWhoLooksIsNone) {
  expect_job({.ranks = 2}, [&](Rank& rank) {
    ASSERT_TRUE(rank.save(1));
    if (rank.rank == 0) {
      const Status second = test::run_job(service(), {.ranks = 2}, [](Rank&) { FAIL() << "two jobs have one series"; });
      EXPECT_FAILS(second, Code::busy, "is in use by another job");
    }
    ASSERT_TRUE(rank.save(2));
  });
  const auto page = store().find_allocation(series_name(::geteuid(), "job"));
  ASSERT_TRUE(page) << page.error().message;
  const auto looking = *store().user(kLookingRank);
  const auto use = store().open_allocation(page->id, {}, nam::AccessRight::read_only, {&looking, 1});
  ASSERT_TRUE(use) << use.error().message;
  expect_job({.ranks = 2}, [](Rank& rank) { EXPECT_TRUE(rank.save(3)); });
  EXPECT_EQ(*count_jobs(store(), page->id), 0U);
  ASSERT_TRUE(store().close(use->use_id));
}

TEST_F(ManagedInAStore, WhoseNameAnotherUserHasTakenIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only user 0 can make something for another one here";
  nam::AllocationRequest request;
  request.size_bytes = 4096;
  request.kind = format::AllocationKind::checkpoint;
  request.consistency = format::Consistency::persistent;
  request.uid = 12345;
  request.name = series_name(::geteuid(), "job", 0);
  ASSERT_TRUE(store().allocate(request, {}));
  const Status refused = test::run_job(service(), {.ranks = 2}, [](Rank&) { ADD_FAILURE() << "opened"; });
  EXPECT_FAILS(refused, Code::access, "the checkpoints \"job\" is of user 12345");
}

TEST_F(ManagedInAStore, WhoseCopiesAJobUsesIsNotRemovedWithoutItsPage) {
  expect_job({.ranks = 2}, [&](Rank& rank) {
    ASSERT_TRUE(rank.save(1));
    if (rank.rank == 0) {
      const auto page = store().find_allocation(series_name(::geteuid(), "job"));
      ASSERT_TRUE(page) << page.error().message;
      ASSERT_TRUE(store().free_allocation(page->id, false));
      const auto inventory = Inventory::take(service(), {});
      ASSERT_TRUE(inventory) << inventory.error().message;
      ASSERT_EQ(inventory->series.size(), 1U);
      EXPECT_EQ(inventory->series.front().jobs(), 1U);
      EXPECT_FAILS(remove(inventory->series.front(), false), Code::busy, "is in use by a job");
    }
    ASSERT_TRUE(rank.managed->query());
  });
  const auto left = Inventory::take(service(), {});
  ASSERT_TRUE(left) << left.error().message;
  ASSERT_EQ(left->series.size(), 1U);
  EXPECT_TRUE(*remove(left->series.front(), false));
  expect_empty();
}

TEST_F(ManagedInAStore, RefusesRegionsThatNoMemoryHas) {
  expect_job({.ranks = 2}, [](Rank& rank) {
    std::byte place{};
    constexpr std::size_t kHuge = std::size_t{1} << 61;
    EXPECT_FAILS(rank.managed->add(2, {&place, ~std::size_t{0}}), Code::invalid_argument, "region 2");
    EXPECT_TRUE(rank.managed->add(2, {&place, kHuge}));
    EXPECT_FAILS(rank.managed->add(3, {&place, 2 * kHuge - 1}), Code::invalid_argument, "region 3");
    const Status saved = rank.managed->save(0).status();
    ASSERT_FALSE(saved);
    EXPECT_FALSE(saved.error().message.empty());
    EXPECT_TRUE(rank.managed->remove(2));
    EXPECT_TRUE(rank.save(1));
  });
}

TEST_F(ManagedInAStore, NobodysDataAreForgottenWhenPartsAreDividedAnew) {
  const auto divided = [](Rank& rank, std::uint64_t first_has, std::vector<std::byte>& block) {
    const std::uint64_t count = rank.rank == 0 ? first_has : 10 - first_has;
    block.resize(count, std::byte{7});
    return rank.managed->add(2, block,
                             {.share = Share::part,
                              .element_bytes = 1,
                              .extents = {{.size = 10, .count = count, .first = rank.rank == 0 ? 0 : first_has}}});
  };
  expect_job({.ranks = 2}, [&](Rank& rank) {
    std::vector<std::byte> block;
    ASSERT_TRUE(divided(rank, 4, block));
    ASSERT_TRUE(rank.save(1));
  });
  expect_job({.ranks = 2}, [&](Rank& rank) {
    std::vector<std::byte> block;
    ASSERT_TRUE(divided(rank, 5, block));
    if (rank.rank == 1) {
      ASSERT_TRUE(rank.managed->remove(1));
    }
    EXPECT_FAILS(rank.managed->restart(0), Code::size, "region 1 of 0 bytes was saved and is not registered");
  });
}

using AreaInAStore = test::ManagedJobs;

TEST_F(AreaInAStore, IsGivenForItsChallengeOnly) {
  const auto made = AreaMemory::allocate(service(), {.members = 2, .capacity_bytes = 1000, .name = "area"}, "area");
  ASSERT_TRUE(made) << made.error().message;
  const AreaTicket ticket = (*made)->ticket();
  EXPECT_TRUE(AreaMemory::connect(service(), ticket));
  EXPECT_FAILS(AreaMemory::connect(service(), {ticket.allocation_id, ticket.challenge + 1}), Code::access, "challenge");
  EXPECT_FAILS(AreaMemory::connect(service(), {ticket.allocation_id + 999, ticket.challenge}), Code::name_not_found,
               "");
}

}  // namespace
}  // namespace psnam::checkpoint
