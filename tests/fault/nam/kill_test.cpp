// Processes that are killed at random instants of everything a job does with the store. Afterwards each name leads to a
// whole window or to none, no file belongs to nobody, and the capacity that counts as used is what the files have.
#include <algorithm>
#include <cstring>
#include <iostream>
#include <map>
#include <random>

#include "nam/folder.hpp"
#include "support/child.hpp"
#include "support/kill.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::Child;
using test::draft_of;
using test::kill_me_after;
using test::me;

constexpr unsigned kSeed = 20240611;
constexpr int kKills = 200;
constexpr std::uint64_t kFirstBytes = 9000;
constexpr std::uint64_t kSecondBytes = 100;
constexpr int kNames = 8;

/// The life of a window, whole; the content of its memory is there before its name is.
bool one_round(Store& store, int number) {
  const std::string name = "w" + std::to_string(number % kNames);
  auto use = store.create(draft_of(name, {kFirstBytes, kSecondBytes}), {}, me());
  if (!use) return use.error().code == Code::name_exists && store.remove(name);
  for (const auto& region : use->window.regions) {
    auto memory = store.create_memory(region.allocation_id, region.size_bytes, format::Reserve::full);
    if (!memory) return false;
    std::memset(memory->mapping.data(), 'p', memory->mapping.bytes());
  }
  if (!store.create_control(use->use_id, 4096)) return false;
  if (number % 3 == 0 && !store.drop_control(use->use_id)) return false;
  if (!store.set_consistency(use->window.id, Consistency::persistent, number % 5 == 0)) return false;
  if (!store.publish("s-" + name, name)) return false;
  const auto other = store.open(name, AccessRight::read_write, me());
  if (!other) return false;
  if (number % 4 == 1 && !store.set_consistency(use->window.id, Consistency::volatile_, false)) return false;
  if (!store.close(use->use_id)) return false;
  if (number % 4 == 2 && !store.remove(name)) return false;
  return store.close(other->use_id).ok();
}

/// Works until it is killed; an exit means that something failed.
int work_until_killed(const std::filesystem::path& folder, long nanoseconds, bool kill_while_opening) {
  if (kill_while_opening && !kill_me_after(nanoseconds)) return 2;
  const auto store = Store::open({.folder = folder, .capacity_bytes = test::kCapacity});
  if (!store) return 3;
  if (!kill_while_opening && !kill_me_after(nanoseconds)) return 2;
  for (int number = 0;; ++number)
    if (!one_round(**store, number)) return 4;
}

void expect_whole_or_absent(Store& store) {
  for (int number = 0; number < kNames; ++number) {
    const std::string name = "w" + std::to_string(number);
    const auto window = store.find(name);
    if (!window) {
      EXPECT_EQ(window.error().code, Code::name_not_found) << window.error().message;
      continue;
    }
    for (const auto& region : window->regions) {
      const auto memory = store.open_memory(region.allocation_id, region.size_bytes, Protection::read_only);
      ASSERT_TRUE(memory) << memory.error().message;
      EXPECT_TRUE(std::all_of(memory->mapping.data(), memory->mapping.data() + memory->mapping.bytes(),
                              [](std::byte byte) { return byte == std::byte{'p'}; }))
          << name;
    }
  }
}

void expect_consistent(Store& store, const std::filesystem::path& folder) {
  const auto findings = store.check();
  ASSERT_TRUE(findings) << findings.error().message;
  EXPECT_EQ(*findings, Findings{});
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder / "memory"}) bytes += entry.file_size();
  const auto summary = store.summary();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->reserved_bytes, bytes);
}

class StoreKill : public ::testing::Test {
 protected:
  void SetUp() override {
    std::cout << "seed " << kSeed << '\n';
    folder_ = std::filesystem::path{parent_.path() / "store"};
  }
  /// A child that is killed at a random instant; true if it was still working then.
  bool kill_one(std::mt19937& random, bool while_opening) {
    std::uniform_int_distribution<long> nanoseconds{1000, while_opening ? 1000000 : 3000000};
    const long after = nanoseconds(random);
    Child child{[&] { return work_until_killed(folder_, after, while_opening); }};
    const int ended = child.wait();
    EXPECT_EQ(ended, -SIGKILL) << "the child failed before it was killed";
    return ended == -SIGKILL;
  }

  test::TemporaryFolder parent_;
  std::filesystem::path folder_;
};

TEST_F(StoreKill, AtRandomInstantsOfAWindowsLifeLeavesWholeWindowsOrNone) {
  std::mt19937 random{kSeed};
  const auto store = test::open_store(folder_);
  ASSERT_NE(store, nullptr);
  const auto mine = store->create(draft_of("mine", {kFirstBytes}), {}, me());
  ASSERT_TRUE(mine);
  int kills = 0;
  std::uint64_t uses = 0;
  while (kills < kKills && !HasFailure()) {
    kills += kill_one(random, false) ? 1 : 0;
    const auto collected = store->collect();
    ASSERT_TRUE(collected) << collected.error().message;
    uses += collected->uses;
    ASSERT_TRUE(store->create_memory(mine->window.regions[0].allocation_id, kFirstBytes, format::Reserve::full));
    expect_whole_or_absent(*store);
    expect_consistent(*store, folder_);
    ASSERT_TRUE(store->get(mine->window.id)) << "what lives is not touched";
    std::filesystem::remove(folder_ / "memory" / file_name(mine->window.regions[0].allocation_id));
  }
  std::cout << kills << " kills, " << uses << " uses of the dead collected\n";
  EXPECT_EQ(kills, kKills);
  EXPECT_GT(uses, 0U);
}

TEST_F(StoreKill, WhileTheStoreIsMadeOrOpenedLeavesOneThatCanBeOpened) {
  std::mt19937 random{kSeed + 1};
  int kills = 0;
  for (int round = 0; round < kKills / 2 && !HasFailure(); ++round) {
    if (round % 2 == 0) std::filesystem::remove_all(folder_);
    kills += kill_one(random, true) ? 1 : 0;
    const auto store = test::open_store(folder_);
    ASSERT_NE(store, nullptr);
    expect_whole_or_absent(*store);
    expect_consistent(*store, folder_);
  }
  std::cout << kills << " kills\n";
}

TEST_F(StoreKill, OfOneAmongSeveralDoesNotStopTheOthers) {
  std::mt19937 random{kSeed + 2};
  constexpr int kGroup = 4;
  int kills = 0;
  while (kills < kKills / 4 && !HasFailure()) {
    std::vector<Child> children;
    for (int count = 0; count < kGroup; ++count) {
      const long after = std::uniform_int_distribution<long>{1000, 5000000}(random);
      // Names of their own: what one does to a name must not be taken for a failure of another.
      children.emplace_back([&, after, count] {
        const auto store = Store::open({.folder = folder_, .capacity_bytes = test::kCapacity});
        if (!store) return 3;
        if (!kill_me_after(after)) return 2;
        for (int number = 0;; ++number) {
          const auto use = (*store)->create(draft_of("c" + std::to_string(count), {kFirstBytes}), {}, me());
          if (!use && use.error().code == Code::name_exists) {
            if (!(*store)->remove("c" + std::to_string(count))) return 5;
            continue;
          }
          if (!use ||
              !(*store)->create_memory(use->window.regions[0].allocation_id, kFirstBytes, format::Reserve::full))
            return 4;
          if (number % 2 == 0 && !(*store)->set_consistency(use->window.id, Consistency::persistent, false)) return 6;
          if (!(*store)->collect() || !(*store)->close(use->use_id)) return 7;
        }
      });
    }
    for (auto& child : children) {
      const int ended = child.wait();
      EXPECT_EQ(ended, -SIGKILL);
      kills += ended == -SIGKILL ? 1 : 0;
    }
    const auto store = test::open_store(folder_);
    ASSERT_NE(store, nullptr);
    expect_consistent(*store, folder_);
  }
  std::cout << kills << " kills\n";
}

}  // namespace
}  // namespace psnam::nam
