// What a server lets each user have, and the stores that join its own.
#include <gtest/gtest.h>

#include <fstream>

#include "nam/catalog.hpp"
#include "support/served_fixture.hpp"

namespace psnam::nam {
namespace {

using test::kAlice;
using test::kBob;
using test::kEve;
using test::users_of;

class StoreLimits : public test::ServedTest {
 protected:
  void limit(Limits limits) {
    const auto set = store().set_limits(std::move(limits));
    ASSERT_TRUE(set) << set.error().message;
  }
  format::UserRecord account(std::uint32_t uid) {
    const auto users = store().users();
    if (!users) ADD_FAILURE() << users.error().message;
    for (const auto& user : *users)
      if (user.uid == uid) return user;
    return {.uid = uid};
  }
};

TEST_F(StoreLimits, WhatAUserHasIsCountedAndGivenBack) {
  const auto use = alice().create(draft_for(kAlice, "", 0600, 1000), {}, users_of({1}));
  ASSERT_TRUE(use);
  const auto lazy = alice().allocate({.size_bytes = 1 << 20, .reserve = format::Reserve::lazy}, users_of({1}));
  ASSERT_TRUE(lazy);
  const auto full = eve().allocate({.size_bytes = 500}, users_of({3}));
  ASSERT_TRUE(full);
  EXPECT_EQ(account(kAlice),
            (format::UserRecord{.uid = kAlice, .reserved_bytes = 1000, .lazy_bytes = 1 << 20, .objects = 3}));
  EXPECT_EQ(account(kEve), (format::UserRecord{.uid = kEve, .reserved_bytes = 500, .lazy_bytes = 0, .objects = 1}));
  expect_clean();
  EXPECT_TRUE(alice().close(use->use_id));
  EXPECT_TRUE(alice().close(lazy->use_id));
  EXPECT_TRUE(eve().close(full->use_id));
  EXPECT_TRUE(store().users()->empty());
  expect_clean();
}

TEST_F(StoreLimits, AUserIsShownHisOwnAccountOnly) {
  allocation("grant", 0600);
  ASSERT_TRUE(eve().allocate({.size_bytes = 500}, users_of({3})));
  EXPECT_EQ(root().users()->size(), 2U);
  const auto hers = eve().users();
  ASSERT_TRUE(hers);
  ASSERT_EQ(hers->size(), 1U);
  EXPECT_EQ(hers->front().uid, kEve);
}

TEST_F(StoreLimits, AQuotaOfBytesIsRefusedWithItsOwnCodeAndOthersGoOn) {
  limit({.user_bytes = 1000, .bytes_of_user = {{kBob, 5000}}});
  ASSERT_TRUE(eve().allocate({.size_bytes = 600}, users_of({3})));
  EXPECT_FAILS(eve().allocate({.size_bytes = 401}, users_of({3})), Code::quota,
               "user 3000 has 400 of 1000 bytes left in the store " + folder().string() + ", 401 more are wanted");
  EXPECT_TRUE(eve().allocate({.size_bytes = 400}, users_of({3})));
  EXPECT_TRUE(bob().allocate({.size_bytes = 5000}, users_of({2})));
  EXPECT_FAILS(bob().create(draft_for(kBob, "", 0600, 1), {}, users_of({2})), Code::quota, "user 2000 has 0 of 5000");
  EXPECT_TRUE(root().allocate({.size_bytes = 100000}, users_of({1})));
  expect_clean();
}

TEST_F(StoreLimits, SparseMemoryCountsInAQuotaWithItsWholeSize) {
  limit({.user_bytes = 1 << 20});
  EXPECT_FAILS(eve().allocate({.size_bytes = 2 << 20, .reserve = format::Reserve::lazy}, users_of({3})), Code::quota,
               "of 1048576 bytes left");
  EXPECT_FAILS(eve().allocate({.size_bytes = ~std::uint64_t{0}, .reserve = format::Reserve::lazy}, users_of({3})),
               Code::quota, "user 3000");
}

TEST_F(StoreLimits, AQuotaOfObjectsIsRefusedWithItsOwnCode) {
  limit({.user_objects = 2});
  ASSERT_TRUE(eve().create(draft_for(kEve, "", 0600, 1), {}, users_of({3})));
  EXPECT_FAILS(eve().allocate({.size_bytes = 1}, users_of({3})), Code::quota,
               "user 3000 has 2 of at most 2 windows, allocations and segments");
  EXPECT_TRUE(alice().allocate({.size_bytes = 1}, users_of({1})));
  expect_clean();
}

TEST_F(StoreLimits, TheObjectsOfAllUsersTogetherAreLimitedAsMemoryOfTheStoreIs) {
  limit({.objects = 2});
  ASSERT_TRUE(eve().allocate({.size_bytes = 1}, users_of({3})));
  EXPECT_FAILS(alice().create(draft_for(kAlice, "", 0600, 1), {}, users_of({1})), Code::no_memory,
               "has 2 of at most 2");
  EXPECT_TRUE(alice().allocate({.size_bytes = 1}, users_of({1})));
  EXPECT_FAILS(alice().allocate({.size_bytes = 1}, users_of({1})), Code::no_memory, "has 2 of at most 2");
  expect_clean();
}

TEST_F(StoreLimits, TheCapacityIsALimitWithAnotherCode) {
  limit({.capacity_bytes = 1000, .user_bytes = 5000});
  EXPECT_FAILS(eve().allocate({.size_bytes = 1001}, users_of({3})), Code::no_memory, "has 1000 of 1000 bytes left");
}

TEST_F(StoreLimits, LimitsAreChangedWhileTheStoreServes) {
  limit({.user_bytes = 1000});
  const auto held = eve().allocate({.size_bytes = 800}, users_of({3}));
  ASSERT_TRUE(held);
  limit({.user_bytes = 100});
  EXPECT_TRUE(eve().find_allocation(held->allocation.id));
  EXPECT_FAILS(eve().allocate({.size_bytes = 1}, users_of({3})), Code::quota, "has 0 of 100 bytes left");
  limit({});
  EXPECT_TRUE(eve().allocate({.size_bytes = 4000}, users_of({3})));
  EXPECT_FAILS(eve().set_limits({}), Code::access, "may not set limits for the store");
}

TEST_F(StoreLimits, AStoreThatJoinsAgainKeepsItsIndex) {
  const auto first = format::random_uuid();
  const auto second = format::random_uuid();
  EXPECT_EQ(root().join(first, "node-b:7340")->index, 1U);
  EXPECT_EQ(root().join(second, "node-c:7340")->index, 2U);
  EXPECT_EQ(root().join(first, "node-d:7340")->index, 1U);
  EXPECT_FAILS(eve().join(first, "elsewhere"), Code::access, "may not join others to");
  EXPECT_FAILS(root().join(store().node().store, "itself"), Code::invalid_argument, "cannot join itself");
  serve();
  const auto nams = store().joined();
  ASSERT_TRUE(nams) << nams.error().message;
  ASSERT_EQ(nams->size(), 2U);
  EXPECT_EQ((*nams)[0], (format::NamRecord{.index = 1, .store = first, .address = "node-d:7340"}));
  EXPECT_EQ((*nams)[1].index, 2U);
  expect_clean();
}

/// A store as version 2 left it.
class StoreUpgrade : public test::StoreTest {
 protected:
  /// Makes the records of the catalog here those of version 2.
  void downgrade() {
    close_store();
    constexpr std::array<TableSpec, 7> kOld{{{"store", false},
                                             {"windows", false},
                                             {"allocations", false},
                                             {"uses", false},
                                             {"services", false},
                                             {"users", false},
                                             {"nams", false}}};
    const auto file = folder() / "catalog.mdb";
    auto environment = Environment::open({.path = file, .shown = "catalog.mdb", .tables = kOld}, false);
    ASSERT_TRUE(environment) << environment.error().message;
    auto transaction = (*environment)->begin_write();
    ASSERT_TRUE(transaction);
    for (std::size_t table = 0; table < kOld.size(); ++table) {
      std::vector<std::pair<std::vector<std::byte>, std::vector<std::byte>>> rows;
      ASSERT_TRUE(transaction->each(table, [&](Bytes key, Bytes value) -> Status {
        rows.emplace_back(std::vector(key.begin(), key.end()), std::vector(value.begin(), value.end()));
        return {};
      }));
      for (auto& [key, value] : rows) {
        value[4] = std::byte{2};
        if (table == 0) value[68] = std::byte{0};  // the next index of a NAM
        ASSERT_TRUE(table < 5 ? transaction->put(table, key, value) : transaction->erase(table, key));
      }
    }
    ASSERT_TRUE(transaction->commit());
  }
};

TEST_F(StoreUpgrade, AStoreOfVersionTwoIsUsedOnAndItsUsersAreCounted) {
  make_persistent("heat", {1000, 2000});
  const auto grant = store().allocate(
      {.size_bytes = 500, .consistency = format::Consistency::persistent, .mode = 0640, .name = "grant"}, {});
  ASSERT_TRUE(grant);
  const auto before = store().list();
  downgrade();
  reopen();
  expect_clean();
  const auto after = store().list();
  ASSERT_TRUE(after) << after.error().message;
  ASSERT_EQ(after->size(), 1U);
  EXPECT_EQ(after->front().window, before->front().window);
  EXPECT_EQ(*store().find_allocation("grant"), grant->allocation);
  const auto users = store().users();
  ASSERT_TRUE(users);
  ASSERT_EQ(users->size(), 1U);
  EXPECT_EQ(users->front(),
            (format::UserRecord{.uid = ::geteuid(), .reserved_bytes = 3500, .lazy_bytes = 0, .objects = 4}));
  EXPECT_EQ(store().join(format::random_uuid(), "node-b")->index, 1U);
  reopen();
  expect_clean();
}

}  // namespace
}  // namespace psnam::nam
