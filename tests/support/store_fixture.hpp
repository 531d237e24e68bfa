// What tests of the embedded store begin with: a store in a folder of its own, and drafts of windows.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "nam/store.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::test {

constexpr std::uint64_t kCapacity = 64 << 20;

inline std::unique_ptr<nam::Store> open_store(const std::filesystem::path& folder, std::uint64_t capacity = kCapacity) {
  auto store = nam::Store::open({.folder = folder, .capacity_bytes = capacity});
  if (!store) {
    ADD_FAILURE() << store.error().message;
    return nullptr;
  }
  return std::move(*store);
}

inline std::vector<format::ProcessIdentity> me() {
  auto identity = nam::this_process(0);
  if (!identity) {
    ADD_FAILURE() << identity.error().message;
    return {};
  }
  return {*identity};
}

/// A process that never was: its number is taken by this one, which started at another time.
inline std::vector<format::ProcessIdentity> nobody() {
  auto users = me();
  ++users.front().start_time_ticks;
  return users;
}

/// A window with a region, and an allocation, for each of `sizes`.
inline format::WindowRecord draft_of(std::string name, const std::vector<std::uint64_t>& sizes) {
  format::WindowRecord draft;
  draft.uuid = format::random_uuid();
  draft.name = std::move(name);
  draft.uid = ::geteuid();
  draft.gid = ::getegid();
  draft.created_unix_seconds = 1700000000;
  draft.nodes.push_back({.store = {}, .host = "here", .path = "/somewhere"});
  for (const std::uint64_t size : sizes)
    draft.regions.push_back({.size_bytes = size, .allocation_id = draft.regions.size() + 1});
  return draft;
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = open_store(folder());
    ASSERT_NE(store_, nullptr);
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] nam::Store& store() { return *store_; }
  void close_store() { store_.reset(); }
  void reopen() {
    close_store();
    SetUp();
  }

  /// A window with its memory, in use by `users`.
  nam::WindowUse make(const std::string& name, const std::vector<std::uint64_t>& sizes,
                      const std::vector<format::ProcessIdentity>& users = me()) {
    auto use = store().create(draft_of(name, sizes), {}, users);
    if (!use) {
      ADD_FAILURE() << use.error().message;
      return {};
    }
    for (const auto& region : use->window.regions) {
      auto memory = store().create_memory(region.allocation_id, region.size_bytes, format::Reserve::full);
      if (!memory) ADD_FAILURE() << memory.error().message;
    }
    return std::move(*use);
  }
  nam::WindowUse make_persistent(const std::string& name, const std::vector<std::uint64_t>& sizes,
                                 const std::vector<format::ProcessIdentity>& users = me()) {
    auto use = make(name, sizes, users);
    auto kept = store().set_consistency(use.window.id, format::Consistency::persistent, false);
    if (!kept) ADD_FAILURE() << kept.error().message;
    return use;
  }
  void expect_clean() {
    const auto findings = store().check();
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_EQ(*findings, nam::Findings{});
  }
  void expect_empty() {
    expect_clean();
    const auto summary = store().summary();
    ASSERT_TRUE(summary) << summary.error().message;
    EXPECT_EQ(summary->windows, 0U);
    EXPECT_EQ(summary->allocations, 0U);
    EXPECT_EQ(summary->uses, 0U);
    EXPECT_EQ(summary->services, 0U);
    EXPECT_EQ(summary->reserved_bytes, 0U);
    EXPECT_TRUE(std::filesystem::is_empty(folder() / "memory"));
    EXPECT_TRUE(std::filesystem::is_empty(folder() / "control"));
    EXPECT_TRUE(std::filesystem::is_empty(folder() / "locks"));
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<nam::Store> store_;
};

/// Expects that `result` failed with `code` and a message that has `part` in it.
#define EXPECT_FAILS(result, expected_code, part)                                              \
  do {                                                                                         \
    const auto& failed = (result);                                                             \
    ASSERT_FALSE(failed.ok());                                                                 \
    EXPECT_EQ(failed.error().code, expected_code) << failed.error().message;                   \
    EXPECT_NE(failed.error().message.find(part), std::string::npos) << failed.error().message; \
  } while (false)

}  // namespace psnam::test
