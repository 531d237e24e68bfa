// Several processes that cut and free segments and allocations, in one grant and in each other's, killed at random
// instants. Afterwards the catalog agrees with itself and with the files, and every byte comes back.
#include <algorithm>
#include <iostream>
#include <random>

#include "support/child.hpp"
#include "support/kill.hpp"
#include "support/memory_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::Child;
using test::draft_of;
using test::existing;
using test::kill_me_after;
using test::me;
using test::segment_of;

constexpr unsigned kSeed = 20240712;
constexpr int kRounds = 50;
constexpr int kProcesses = 3;
constexpr int kNames = 3;
constexpr std::uint64_t kGrantBytes = 1 << 20;

/// The names of one process, so that nobody else's work is taken for a failure of its own.
struct Names {
  std::string outer, inner, allocation;
  Names(int process, int number) {
    const std::string end = std::to_string(process) + "-" + std::to_string(number % kNames);
    outer = "outer" + end;
    inner = "inner" + end;
    allocation = "allocation" + end;
  }
};

/// Whether what has this name is gone, now that it was to go.
bool remove_all(Store& store, const Names& names) {
  for (const std::string& window : {names.inner, names.outer}) {
    const auto removed = store.remove(window);
    if (!removed && removed.error().code != Code::name_not_found) return false;
  }
  const auto found = store.find_allocation(names.allocation);
  if (!found) return found.error().code == Code::name_not_found;
  return store.free_allocation(found->id, true).ok();
}

/// The line of the first thing that failed, or 0.
int one_round(Store& store, std::uint64_t grant, int process, int number) {
  const Names names{process, number};
  if (!remove_all(store, names)) return __LINE__;
  const auto size = static_cast<std::uint64_t>(100 + number % 50);
  const auto outer = store.create(draft_of(names.outer, {size, 640}), {{segment_of(grant), segment_of(grant)}}, me());
  if (!outer) return __LINE__;
  const auto& regions = outer->window.regions;
  const auto inner = store.create(
      draft_of(names.inner, {10, 20, 640}),
      {{segment_of(regions[0].segment_id, 7), segment_of(regions[1].segment_id), existing(regions[1].segment_id)}},
      me());
  if (!inner) return __LINE__;
  const auto allocation =
      store.allocate({.size_bytes = 5000,
                      .consistency = number % 4 == 1 ? Consistency::persistent : Consistency::volatile_,
                      .name = names.allocation},
                     me());
  if (!allocation) return __LINE__;
  const auto inside = store.create(draft_of("", {1000}), {{segment_of(allocation->allocation.id)}}, me());
  if (!inside) return __LINE__;
  if (number % 3 == 0) {
    if (!store.set_consistency(outer->window.id, Consistency::persistent, false)) return __LINE__;
    if (!store.set_consistency(inner->window.id, Consistency::persistent, false)) return __LINE__;
  }
  std::vector<std::uint64_t> uses{outer->use_id, inner->use_id, allocation->use_id, inside->use_id};
  std::rotate(uses.begin(), uses.begin() + number % 4, uses.end());
  for (const std::uint64_t use : uses)
    if (!store.close(use)) return __LINE__;
  return number % 5 != 0 || remove_all(store, names) ? 0 : __LINE__;
}

int work_until_killed(const std::filesystem::path& folder, std::uint64_t grant, int process, long nanoseconds) {
  const auto store = Store::open({.folder = folder, .capacity_bytes = test::kCapacity});
  if (!store) return 1;
  if (!kill_me_after(nanoseconds)) return 2;
  for (int number = 0;; ++number)
    if (const int failed = one_round(**store, grant, process, number); failed != 0) return failed;
}

class SegmentKill : public test::MemoryTest {};

TEST_F(SegmentKill, AtRandomInstantsLosesNoByteAndTakesNoneFromTheLiving) {
  std::cout << "seed " << kSeed << '\n';
  std::mt19937 random{kSeed};
  const auto grant = keep(allocate(kGrantBytes, {.name = "grant"}));
  const auto mine = in_segments("mine", {5000}, {segment_of(grant.id, 300000)});
  std::uint64_t uses = 0;
  std::uint64_t allocations = 0;
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    std::vector<Child> children;
    for (int process = 0; process < kProcesses; ++process) {
      const long after = std::uniform_int_distribution<long>{1000, 20000000}(random);
      children.emplace_back([&, process, after] { return work_until_killed(folder(), grant.id, process, after); });
    }
    for (auto& child : children) EXPECT_EQ(child.wait(), -SIGKILL) << "a child failed before it was killed";
    const auto collected = store().collect();
    ASSERT_TRUE(collected) << collected.error().message;
    uses += collected->uses;
    allocations += collected->allocations;
    expect_clean();
    EXPECT_EQ(record(mine.window.regions[0].segment_id).offset_bytes, 300000U) << "what lives is not touched";
  }
  std::cout << kRounds * kProcesses << " kills, " << uses << " uses and " << allocations
            << " allocations of the dead collected\n";
  EXPECT_GT(uses, 0U);
  EXPECT_GT(allocations, 0U);
  for (int process = 0; process < kProcesses; ++process)
    for (int number = 0; number < kNames; ++number) EXPECT_TRUE(remove_all(store(), Names{process, number}));
  EXPECT_EQ(report(grant.id).taken_bytes, 5000U);
  ASSERT_TRUE(store().close(mine.use_id));
  EXPECT_EQ(report(grant.id).largest_free_bytes, kGrantBytes);
  ASSERT_TRUE(store().free_allocation(grant.id, false));
  expect_empty();
}

}  // namespace
}  // namespace psnam::nam
