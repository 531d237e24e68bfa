// A catalog whose records have reached their limit: what is new is refused, what is there can be used for a while
// longer and removed always, and then there is room again.
#include "nam/catalog.hpp"

#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

constexpr std::uint64_t kLimitBytes = 4 << 20;
constexpr std::uint64_t kStep = 32;
/// What one change may take: new copies of pages, some of them cut in two.
constexpr std::uint64_t kOneChangeBytes = 128 << 10;

std::unique_ptr<Catalog> open_catalog(const Folder& folder) {
  auto catalog = Catalog::open(folder);
  if (!catalog || !(*catalog)->set_limit(kLimitBytes)) return nullptr;
  return std::move(*catalog);
}

Status put(Catalog& catalog, std::uint64_t id) {
  PSNAM_TRY(CatalogTransaction transaction, catalog.write(Purpose::creation, 200));
  format::AllocationRecord record;
  record.id = id;
  PSNAM_CHECK(transaction.put(record));
  return transaction.commit();
}

/// Puts records from `id` on until one is refused; the first that was.
std::uint64_t fill(Catalog& catalog, std::uint64_t id) {
  for (;; ++id) {
    const Status put_one = put(catalog, id);
    if (put_one) continue;
    EXPECT_EQ(put_one.error().code, Code::no_memory);
    EXPECT_NE(put_one.error().message.find("catalog.mdb is full: its records take"), std::string::npos)
        << put_one.error().message;
    return id;
  }
}

class FullCatalog : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(test::open_store(folder_.path()), nullptr);
    auto opened = Folder::open(folder_.path(), false);
    ASSERT_TRUE(opened);
    opened_.emplace(std::move(*opened));
    catalog_ = open_catalog(*opened_);
    ASSERT_NE(catalog_, nullptr);
  }
  Status use(std::uint64_t id) {
    PSNAM_TRY(CatalogTransaction transaction, catalog_->write(Purpose::use));
    PSNAM_CHECK(transaction.put(format::UseRecord{.id = id, .object_id = 1, .boot = {}, .processes = {}}));
    return transaction.commit();
  }
  void erase(std::uint64_t first, std::uint64_t end) {
    for (; first < end; first += kStep) {
      auto transaction = catalog_->write(Purpose::removal);
      ASSERT_TRUE(transaction) << transaction.error().message;
      for (std::uint64_t id = first; id < std::min(end, first + kStep); ++id)
        ASSERT_TRUE(transaction->erase_allocation(id));
      const Status committed = transaction->commit();
      ASSERT_TRUE(committed) << committed.error().message;
    }
  }
  std::uint64_t taken() {
    const auto bytes = catalog_->taken_bytes();
    EXPECT_TRUE(bytes);
    return bytes ? *bytes : 0;
  }

  test::TemporaryFolder folder_;
  std::optional<Folder> opened_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(FullCatalog, RefusesWhatIsNewLetsRemoveAndHasRoomAfterwards) {
  std::uint64_t first = 1;
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t end = fill(*catalog_, first);
    EXPECT_GT(end - first, 15000U) << "most of the room is used";
    EXPECT_LE(taken(), kLimitBytes + kOneChangeBytes);
    erase(first, end);
    EXPECT_LT(taken(), kLimitBytes / 8);
    first = end;
  }
}

TEST_F(FullCatalog, UsesGoOnBeyondTheLimitAndRemovalsBeyondThat) {
  const std::uint64_t end = fill(*catalog_, 1);
  std::uint64_t uses = 0;
  Status used;
  while ((used = use(uses + 1))) ++uses;
  EXPECT_FAILS(used, Code::no_memory, "for the use of what is there");
  EXPECT_GT(uses, 1000U);
  EXPECT_LE(taken(), kLimitBytes + (std::uint64_t{1} << 20) + kOneChangeBytes);
  EXPECT_FALSE(put(*catalog_, end));
  // Each removal alone, from the middle: the pages that it copies are given back only by later ones.
  erase(end / 2, end);
  erase(1, end / 2);
  EXPECT_TRUE(put(*catalog_, end));
}

TEST_F(FullCatalog, ManyWhoMakeSomethingAtOnceTakeNoMoreThanOne) {
  constexpr std::uint64_t kMakers = 4;
  constexpr std::uint64_t kIdsOfOne = 1'000'000;
  catalog_.reset();
  std::vector<test::Child> makers;
  for (std::uint64_t maker = 0; maker < kMakers; ++maker)
    makers.emplace_back([this, maker] {
      const auto catalog = open_catalog(*opened_);
      if (catalog == nullptr) return 1;
      const std::uint64_t first = 1 + maker * kIdsOfOne;
      return fill(*catalog, first) > first && !::testing::Test::HasFailure() ? 0 : 2;
    });
  for (auto& maker : makers) EXPECT_EQ(maker.wait(), 0);
  catalog_ = open_catalog(*opened_);
  ASSERT_NE(catalog_, nullptr);
  EXPECT_LE(taken(), kLimitBytes + kOneChangeBytes);
  EXPECT_GT(taken(), kLimitBytes - kOneChangeBytes);
}

TEST_F(FullCatalog, ALimitIsLoweredWithoutTakingAnythingAway) {
  const std::uint64_t end = fill(*catalog_, 1);
  ASSERT_TRUE(catalog_->set_limit(Catalog::kLeastLimitBytes));
  EXPECT_FAILS(put(*catalog_, end), Code::no_memory, "of at most 1048576 bytes");
  EXPECT_FAILS(use(1), Code::no_memory, "of at most 2097152 bytes for the use");
  ASSERT_TRUE(catalog_->set_limit(2 * kLimitBytes));
  EXPECT_TRUE(put(*catalog_, end));
  EXPECT_FAILS(catalog_->set_limit(1000), Code::invalid_argument, "1000 bytes");
  EXPECT_FAILS(catalog_->set_limit(Catalog::kLimitBytes + 1), Code::invalid_argument, "8589934593 bytes");
}

/// A store whose catalog is full, with a window and an allocation that were there before.
class StoreWithFullCatalog : public test::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    limit();
  }
  void limit() {
    const Status limited = store().set_limits({.catalog_bytes = Catalog::kLeastLimitBytes});
    ASSERT_TRUE(limited) << limited.error().message;
  }
  Result<AllocationUse> allocate(const std::string& name) {
    return store().allocate({.size_bytes = 64, .consistency = format::Consistency::persistent, .name = name}, {});
  }
  /// Allocates until that is refused; the ids.
  std::vector<std::uint64_t> fill_up() {
    std::vector<std::uint64_t> ids;
    for (;;) {
      const auto made = allocate("filler." + std::to_string(ids.size()) + std::string(200, '.'));
      if (!made) {
        EXPECT_EQ(made.error().code, Code::no_memory);
        EXPECT_NE(made.error().message.find("is full"), std::string::npos) << made.error().message;
        return ids;
      }
      ids.push_back(made->allocation.id);
    }
  }
};

TEST_F(StoreWithFullCatalog, WhatIsThereIsUsedChangedAndRemoved) {
  const WindowUse kept = make_persistent("kept", {4096});
  const WindowUse passing = make("passing", {4096});
  ASSERT_TRUE(store().publish("service", "kept"));
  const auto ids = fill_up();
  ASSERT_GT(ids.size(), 300U);

  EXPECT_FAILS(store().create(test::draft_of("late", {4096}), {}, test::me()), Code::no_memory, "is full");
  EXPECT_FAILS(store().publish("late", "kept"), Code::no_memory, "is full");
  const auto opened = store().open("kept", AccessRight::read_write, test::me());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(store().duplicate(opened->use_id));
  EXPECT_TRUE(store().set_consistency(passing.window.id, format::Consistency::persistent, false));
  EXPECT_TRUE(store().open_allocation(ids.front(), std::nullopt, AccessRight::read_only, test::me()));
  EXPECT_TRUE(store().unpublish("service", "kept"));
  expect_clean();

  for (const std::uint64_t id : ids) {
    const auto freed = store().free_allocation(id, false);
    ASSERT_TRUE(freed) << freed.error().message;
  }
  const auto late = store().create(test::draft_of("late", {4096}), {}, test::me());
  ASSERT_TRUE(late) << late.error().message;
  ASSERT_TRUE(store().close(late->use_id));
  EXPECT_TRUE(store().publish("late", "kept"));
  for (const char* name : {"kept", "passing"}) EXPECT_TRUE(store().remove(name));
  expect_clean();
}

TEST_F(StoreWithFullCatalog, UsesOfTheDeadMakeRoomForThoseOfTheLiving) {
  constexpr std::uint64_t kUses = 12'000;  // more than there is room for
  make_persistent("kept", {4096});
  fill_up();
  for (std::uint64_t i = 0; i < kUses; ++i) {
    const auto opened = store().open("kept", AccessRight::read_only, test::nobody());
    ASSERT_TRUE(opened) << "after " << i << ": " << opened.error().message;
  }
  const auto summary = store().summary();
  ASSERT_TRUE(summary);
  EXPECT_LT(summary->uses, kUses);
}

TEST_F(StoreWithFullCatalog, AnAllocationIsFreedWithAllThatLiesInIt) {
  const auto parent =
      store().allocate({.size_bytes = 32 << 20, .consistency = format::Consistency::persistent, .name = "parent"}, {});
  ASSERT_TRUE(parent) << parent.error().message;
  const std::vector<AllocationSource> sources{{.kind = AllocationSource::Kind::segment, .id = parent->allocation.id}};
  std::size_t windows = 0;
  for (;; ++windows) {
    const auto made = store().create(test::draft_of("in." + std::to_string(windows) + std::string(200, '.'), {64}),
                                     sources, test::me());
    if (!made) {
      EXPECT_FAILS(made, Code::no_memory, "is full");
      break;
    }
    ASSERT_TRUE(store().set_consistency(made->window.id, format::Consistency::persistent, false));
    ASSERT_TRUE(store().close(made->use_id));
  }
  EXPECT_GT(windows, 300U);
  const auto freed = store().free_allocation(parent->allocation.id, true);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_TRUE(*freed);
  expect_empty();
}

TEST_F(StoreWithFullCatalog, IsTheSameAfterItWasOpenedAgain) {
  make_persistent("kept", {4096});
  const auto ids = fill_up();
  reopen();
  limit();
  expect_clean();
  EXPECT_FAILS(allocate("late"), Code::no_memory, "is full");
  EXPECT_TRUE(store().open("kept", AccessRight::read_write, test::me()));
  const auto summary = store().summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->allocations, ids.size() + 1);
  EXPECT_EQ(summary->catalog_limit_bytes, Catalog::kLeastLimitBytes);
  EXPECT_GT(summary->catalog_bytes, Catalog::kLeastLimitBytes - kOneChangeBytes);
}

}  // namespace
}  // namespace psnam::nam
