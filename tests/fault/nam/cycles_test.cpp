// A thousand windows, one after another and all at once, leave nothing behind.
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::draft_of;
using test::me;

constexpr int kWindows = 1000;

struct Footprint {
  std::size_t descriptors = 0;
  std::size_t mappings = 0;
  std::uint64_t catalog_bytes = 0;

  static Footprint of(const std::filesystem::path& folder) {
    Footprint footprint;
    const std::filesystem::directory_iterator descriptors{"/proc/self/fd"};
    footprint.descriptors = static_cast<std::size_t>(std::distance(begin(descriptors), end(descriptors)));
    std::ifstream maps{"/proc/self/maps"};
    for (std::string line; std::getline(maps, line);)
      footprint.mappings += line.find(folder.string()) != std::string::npos ? 1 : 0;
    footprint.catalog_bytes = std::filesystem::file_size(folder / "catalog.mdb");
    return footprint;
  }
};

class StoreCycles : public test::StoreTest {
 protected:
  void cycle(int number) {
    const auto use = store().create(draft_of("w", {5000}), {}, me());
    ASSERT_TRUE(use) << use.error().message;
    ASSERT_TRUE(store().create_memory(use->window.regions[0].allocation_id, 5000, format::Reserve::full));
    ASSERT_TRUE(store().create_control(use->use_id, 4096));
    if (number % 2 == 0) {
      ASSERT_TRUE(store().set_consistency(use->window.id, Consistency::persistent, false));
      ASSERT_TRUE(store().publish("s", "w"));
      ASSERT_TRUE(store().remove("w"));
    }
    ASSERT_TRUE(store().close(use->use_id));
  }
};

TEST_F(StoreCycles, AThousandOneAfterAnotherDoNotGrow) {
  for (int number = 0; number < 20; ++number) cycle(number);
  const Footprint before = Footprint::of(folder());
  for (int number = 0; number < kWindows && !HasFatalFailure(); ++number) cycle(number);
  const Footprint after = Footprint::of(folder());
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_EQ(after.mappings, before.mappings);
  // LMDB's file settles within a few pages of where the first cycles left it.
  EXPECT_LE(after.catalog_bytes, before.catalog_bytes + 16 * 4096);
  expect_empty();
}

TEST_F(StoreCycles, AThousandAtOnceAllGo) {
  cycle(0);
  const Footprint before = Footprint::of(folder());
  std::vector<std::uint64_t> uses;
  std::vector<Mapping> memory;
  for (int number = 0; number < kWindows; ++number) {
    const auto use = store().create(draft_of("w" + std::to_string(number), {5000}), {}, me());
    ASSERT_TRUE(use) << use.error().message;
    auto mapping = store().create_memory(use->window.regions[0].allocation_id, 5000, format::Reserve::full);
    ASSERT_TRUE(mapping) << mapping.error().message;
    memory.push_back(std::move(mapping->mapping));
    if (number % 2 == 0) {
      ASSERT_TRUE(store().set_consistency(use->window.id, Consistency::persistent, false));
    }
    uses.push_back(use->use_id);
  }
  expect_clean();
  EXPECT_EQ(Footprint::of(folder()).descriptors, before.descriptors) << "a window alive holds no descriptor";
  memory.clear();
  for (const std::uint64_t use : uses) ASSERT_TRUE(store().close(use));
  for (int number = 0; number < kWindows; number += 2) {
    const auto gone = store().remove("w" + std::to_string(number));
    ASSERT_TRUE(gone && *gone);
  }
  EXPECT_EQ(Footprint::of(folder()).descriptors, before.descriptors);
  EXPECT_EQ(Footprint::of(folder()).mappings, before.mappings);
  expect_empty();
}

}  // namespace
}  // namespace psnam::nam
