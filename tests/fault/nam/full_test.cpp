// A file system without a free byte: making fails with no_memory and leaves nothing, removing and reading go on, and
// nobody gets a SIGBUS (which would end this test).
#include <cstring>

#include "support/child.hpp"
#include "support/small_file_system.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using format::Reserve;
using test::draft_of;
using test::me;

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

class StoreFull : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!system_.mounted()) GTEST_SKIP() << "a tmpfs cannot be mounted here: " << std::strerror(errno);
    store_ = test::open_store(folder(), 100 * kMegabyte);
    ASSERT_NE(store_, nullptr);
  }
  [[nodiscard]] std::filesystem::path folder() const { return system_.path() / "store"; }
  WindowUse make(const std::string& name, std::uint64_t bytes) {
    auto use = store_->create(draft_of(name, {bytes}), {}, me());
    if (!use || !store_->create_memory(use->window.regions[0].allocation_id, bytes, Reserve::full) ||
        !store_->set_consistency(use->window.id, Consistency::persistent, false)) {
      ADD_FAILURE() << "making " << name;
      return {};
    }
    return std::move(*use);
  }
  void expect_clean() {
    const auto findings = store_->check();
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_EQ(*findings, Findings{});
  }

  test::SmallFileSystem system_{"8m"};
  std::unique_ptr<Store> store_;
};

TEST_F(StoreFull, MemoryThatDoesNotFitIsNoMemoryAndLeavesNothing) {
  // The first window has the catalog set its own room aside, and keep it.
  const auto first = store_->create(draft_of("", {1}), {}, me());
  ASSERT_TRUE(first && store_->close(first->use_id));
  const std::uint64_t free_before = system_.free_bytes();
  const auto use = store_->create(draft_of("", {4 * kMegabyte, 4 * kMegabyte}), {}, me());
  ASSERT_TRUE(use) << use.error().message;
  ASSERT_TRUE(store_->create_memory(use->window.regions[0].allocation_id, 4 * kMegabyte, Reserve::full));
  EXPECT_FAILS(store_->create_memory(use->window.regions[1].allocation_id, 4 * kMegabyte, Reserve::full),
               Code::no_memory, "bytes");
  ASSERT_TRUE(store_->close(use->use_id));
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "memory"));
  expect_clean();
  const auto summary = store_->summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->windows, 0U);
  EXPECT_EQ(summary->reserved_bytes, 0U);
  EXPECT_EQ(system_.free_bytes(), free_before);
}

TEST_F(StoreFull, EverythingThatEndsWorksWithoutAFreeByte) {
  std::vector<WindowUse> made;
  for (int number = 0; number < 50; ++number) made.push_back(make("w" + std::to_string(number), 4096));
  ASSERT_TRUE(store_->publish("service", "w0"));
  ASSERT_TRUE(store_->create_control(made[0].use_id, 4096));
  system_.fill();
  ASSERT_EQ(system_.free_bytes(), 0U);
  EXPECT_TRUE(store_->find("w1"));
  EXPECT_TRUE(store_->unpublish("service", "w0"));
  for (std::size_t number = 0; number < made.size(); ++number) {
    const std::string name = "w" + std::to_string(number);
    if (number % 2 == 0) {
      EXPECT_TRUE(store_->set_consistency(made[number].window.id, Consistency::volatile_, false)) << name;
    } else {
      const auto gone = store_->remove(name);
      EXPECT_TRUE(gone) << name << ": " << gone.error().message;
    }
    const Status closed = store_->close(made[number].use_id);
    EXPECT_TRUE(closed) << name << ": " << closed.error().message;
    system_.fill();  // what was given back is taken by somebody else at once
  }
  EXPECT_EQ(system_.free_bytes(), 0U);
  expect_clean();
  const auto summary = store_->summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->windows, 0U);
  EXPECT_EQ(summary->reserved_bytes, 0U);
}

TEST_F(StoreFull, MakingWithoutAFreeByteIsNoMemoryAndLeavesNothing) {
  system_.fill();
  int recorded = 0;
  for (int number = 0; number < 20; ++number) {
    const auto use = store_->create(draft_of("", {4096}), {}, me());
    if (!use) {
      EXPECT_EQ(use.error().code, Code::no_memory) << use.error().message;
      continue;
    }
    ++recorded;
    EXPECT_FAILS(store_->create_memory(use->window.regions[0].allocation_id, 4096, Reserve::full), Code::no_memory,
                 "4096");
    EXPECT_FAILS(store_->create_control(use->use_id, 4096), Code::no_memory, "4096");
    EXPECT_TRUE(store_->close(use->use_id));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "memory"));
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "control"));
  expect_clean();
  system_.make_room();
  EXPECT_TRUE(store_->create(draft_of("", {4096}), {}, me()));
}

TEST_F(StoreFull, WhoeverOpensTheFullStoreCanReadAndRemove) {
  for (int number = 0; number < 20; ++number) make("w" + std::to_string(number), 4096);
  system_.fill();
  test::Child child{[this] {
    const auto mine = Store::open({.folder = folder()});
    if (!mine) return 2;
    if (!(*mine)->find("w3")) return 3;
    for (int number = 0; number < 20; ++number) {
      const auto gone = (*mine)->remove("w" + std::to_string(number));
      if (!gone) return 100 + number;
    }
    return 0;
  }};
  EXPECT_EQ(child.wait(), 0);
  expect_clean();
}

TEST_F(StoreFull, WhatTheDeadLeftIsReleasedWithoutAFreeByte) {
  for (int number = 0; number < 20; ++number) {
    const auto use = store_->create(draft_of("", {4096}), {}, test::nobody());
    ASSERT_TRUE(use);
    ASSERT_TRUE(store_->create_memory(use->window.regions[0].allocation_id, 4096, Reserve::full));
  }
  system_.fill();
  const auto collected = store_->collect();
  ASSERT_TRUE(collected) << collected.error().message;
  EXPECT_EQ(collected->windows, 20U);
  expect_clean();
}

TEST_F(StoreFull, ManyWindowsUntilTheFileSystemIsFullCanAllBeRemoved) {
  std::vector<std::string> names;
  for (int number = 0;; ++number) {
    auto draft = draft_of("n" + std::to_string(number) + std::string(200, 'x'), std::vector<std::uint64_t>(20, 0));
    const auto use = store_->create(draft, {}, me());
    if (!use) {
      EXPECT_EQ(use.error().code, Code::no_memory) << use.error().message;
      break;
    }
    const auto name = store_->set_consistency(use->window.id, Consistency::persistent, false);
    ASSERT_TRUE(store_->close(use->use_id));
    if (!name) {
      EXPECT_EQ(name.error().code, Code::no_memory) << name.error().message;
      break;
    }
    names.push_back(*name);
  }
  EXPECT_GT(names.size(), 100U);
  system_.fill();
  for (const auto& name : names) {
    const auto gone = store_->remove(name);
    ASSERT_TRUE(gone) << gone.error().message;
    EXPECT_TRUE(*gone);
  }
  expect_clean();
}

TEST(StoreOnAFullFileSystem, CannotBeMadeAndLeavesNoCatalog) {
  const test::SmallFileSystem system{"1m"};
  if (!system.mounted()) GTEST_SKIP() << "a tmpfs cannot be mounted here";
  system.fill();
  const auto store = Store::open({.folder = system.path() / "store", .capacity_bytes = kMegabyte});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::no_memory) << store.error().message;
  EXPECT_FALSE(std::filesystem::exists(system.path() / "store" / "catalog.mdb"));
  EXPECT_FALSE(std::filesystem::exists(system.path() / "store" / "catalog.new"));
  system.make_room();
  EXPECT_TRUE(Store::open({.folder = system.path() / "store", .capacity_bytes = kMegabyte}));
}

}  // namespace
}  // namespace psnam::nam
