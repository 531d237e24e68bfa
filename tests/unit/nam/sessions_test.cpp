// Sessions of a server as users: their uses end with them, and with the server.
#include <gtest/gtest.h>

#include <thread>

#include "format/control_page.hpp"
#include "support/served_fixture.hpp"

namespace psnam::nam {
namespace {

using test::kAlice;
using test::kEve;
using test::users_of;
using StoreSessions = test::ServedTest;

constexpr auto kPersistent = format::Consistency::persistent;

TEST_F(StoreSessions, AUseNamesTheSessionAndThisRunOfTheServer) {
  const auto use = alice().create(draft_for(kAlice, "", 0600), {}, users_of({1}));
  ASSERT_TRUE(use) << use.error().message;
  const auto used = alice().object_of_use(use->use_id);
  ASSERT_TRUE(used) << used.error().message;
  EXPECT_EQ(used->use.processes, users_of({1}));
  ASSERT_TRUE(used->window);
  EXPECT_EQ(used->window->id, use->window.id);
  EXPECT_FALSE(used->allocation);
  const auto user = alice().user(5);
  ASSERT_TRUE(user);
  EXPECT_EQ(*user, session_user(4711, 5, 1));
}

TEST_F(StoreSessions, WhatASessionLeavesIsReleasedAndNothingElse) {
  const auto hers = alice().create(draft_for(kAlice, "", 0600), {}, users_of({1}));
  ASSERT_TRUE(hers);
  const auto others = eve().create(draft_for(kEve, "", 0600), {}, users_of({3}));
  ASSERT_TRUE(others);
  const auto memory = alice().allocate({.size_bytes = 1 << 20}, users_of({1}));
  ASSERT_TRUE(memory);
  sessions().end(1);
  const auto ended = store().end_session(1);
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(ended->uses, 2U);
  EXPECT_EQ(ended->windows, 1U);
  EXPECT_EQ(ended->allocations, 1U);
  EXPECT_FAILS(store().get(hers->window.id), Code::name_not_found, "no window");
  EXPECT_FAILS(store().find_allocation(memory->allocation.id), Code::name_not_found, "no allocation");
  EXPECT_TRUE(store().get(others->window.id));
  expect_clean();
}

TEST_F(StoreSessions, PersistentWindowsOutliveTheirSessions) {
  const auto use = window("heat", 0600);
  sessions().end(1);
  ASSERT_TRUE(store().end_session(1));
  EXPECT_TRUE(store().find("heat"));
  EXPECT_FAILS(store().object_of_use(use.use_id), Code::name_not_found, "no use");
}

TEST_F(StoreSessions, AUseOfSeveralSessionsEndsWithTheLast) {
  sessions().begin(11);
  const auto use = alice().create(draft_for(kAlice, "", 0600), {}, users_of({1, 11}));
  ASSERT_TRUE(use) << use.error().message;
  sessions().end(1);
  auto ended = store().end_session(1);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->uses, 0U);
  EXPECT_TRUE(store().get(use->window.id));
  sessions().end(11);
  ended = store().end_session(11);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->uses, 1U);
  EXPECT_FAILS(store().get(use->window.id), Code::name_not_found, "no window");
}

TEST_F(StoreSessions, ASessionThatLivesLosesNothing) {
  const auto use = alice().create(draft_for(kAlice, "", 0600), {}, users_of({1}));
  ASSERT_TRUE(use);
  const auto ended = store().end_session(1);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->uses, 0U);
  EXPECT_EQ(store().end_uses({{use->use_id}})->uses, 0U);
  EXPECT_EQ(*store().count_users(use->window.id), 1U);
}

TEST_F(StoreSessions, OnlySessionsThatLiveCanBeUsers) {
  sessions().end(2);
  EXPECT_FAILS(alice().create(draft_for(kAlice, "", 0600), {}, users_of({1, 2})), Code::access, "no session");
  EXPECT_FAILS(alice().create(draft_for(kAlice, "", 0600), {}, test::me()), Code::access, "no session");
  EXPECT_FAILS(alice().allocate({.size_bytes = 1}, users_of({0})), Code::access, "no session");
  window("heat", 0600);
  EXPECT_FAILS(alice().open("heat", AccessRight::read_only, users_of({77})), Code::access, "no session");
}

TEST_F(StoreSessions, AUseIsClosedDuplicatedAndAskedForByItsSessionsOnly) {
  const auto use = window("heat", 0666);
  const auto page = format::control_page_bytes(1);
  EXPECT_FAILS(eve().close(use.use_id), Code::access, "not one of this session of user 3000");
  EXPECT_FAILS(eve().duplicate(use.use_id), Code::access, "not one of this session");
  EXPECT_FAILS(eve().object_of_use(use.use_id), Code::access, "not one of this session");
  EXPECT_FAILS(eve().create_control(use.use_id, page), Code::access, "not one of this session");
  EXPECT_FAILS(eve().open_control(use.use_id, page), Code::access, "not one of this session");
  EXPECT_FAILS(eve().control_descriptor(use.use_id, page, true), Code::access, "not one of this session");
  EXPECT_FAILS(eve().drop_control(use.use_id), Code::access, "not one of this session");
  const auto second = alice().duplicate(use.use_id);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(alice().close(use.use_id));
  EXPECT_TRUE(alice().close(use.use_id));
  EXPECT_TRUE(alice().object_of_use(*second));
  sessions().end(1);
  EXPECT_EQ(store().end_session(1)->uses, 1U);
}

TEST_F(StoreSessions, APageOfAUseHasRoomForItsProcessesOnly) {
  const auto use = window("heat", 0600);
  const auto bytes = format::control_page_bytes(1);
  EXPECT_FAILS(alice().control_descriptor(use.use_id, 1 << 20, true), Code::size, "1048576 are wanted");
  const auto made = alice().control_descriptor(use.use_id, bytes, true);
  ASSERT_TRUE(made) << made.error().message;
  const auto page = Mapping::map(made->get(), bytes, Protection::read_write, "page");
  ASSERT_TRUE(page);
  page->data()[0] = std::byte{1};
  const auto opened = alice().control_descriptor(use.use_id, bytes, false);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto again = Mapping::map(opened->get(), bytes, Protection::read_write, "page");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->data()[0], std::byte{1});
  EXPECT_TRUE(alice().drop_control(use.use_id));
}

TEST_F(StoreSessions, WithTheServerAllItsSessionsHaveEnded) {
  window("heat", 0600);
  ASSERT_TRUE(alice().create(draft_for(kAlice, "", 0600), {}, users_of({1})));
  serve();  // another run, in which sessions have the same numbers
  EXPECT_EQ(store().released_at_open().uses, 2U);
  EXPECT_EQ(store().released_at_open().windows, 1U);
  EXPECT_TRUE(store().find("heat"));
  expect_clean();
}

TEST_F(StoreSessions, WithoutAServerTheStoreIsEmbeddedAgain) {
  window("heat", 0600);
  ASSERT_TRUE(alice().create(draft_for(kAlice, "", 0600), {}, users_of({1})));
  close_all();
  const auto embedded = test::open_store(folder());
  ASSERT_NE(embedded, nullptr);
  EXPECT_EQ(embedded->released_at_open().windows, 1U);
  EXPECT_TRUE(embedded->find("heat"));
}

TEST_F(StoreSessions, AnAllocationThatNobodyUsesIsMadeByTheServer) {
  const auto grant = allocation("grant", 0600);
  EXPECT_EQ(*store().count_users(grant.id), 0U);
  ASSERT_TRUE(store().collect());
  EXPECT_TRUE(store().find_allocation("grant"));
}

TEST_F(StoreSessions, SessionsThatEndWhileOthersMakeWindowsLeaveNothing) {
  constexpr std::uint64_t kRounds = 50;
  std::thread maker{[&] {
    for (std::uint64_t session = 100; session < 100 + kRounds; ++session)
      static_cast<void>(store().create(draft_for(kAlice, "", 0600), {}, users_of({session})));
  }};
  for (std::uint64_t session = 100; session < 100 + kRounds; ++session) {
    sessions().begin(session);
    sessions().end(session);
    EXPECT_TRUE(store().end_session(session));
  }
  maker.join();
  const auto summary = store().summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->uses, 0U);
  EXPECT_EQ(summary->windows, 0U);
}

TEST(Covers, AWindowsMemoryIsItsOwnFilesAndItsSegments) {
  format::WindowRecord window;
  using format::RegionSource;
  window.regions = {
      {.size_bytes = 100, .allocation_id = 5, .offset_bytes = 64},
      {.size_bytes = 100, .allocation_id = 5, .offset_bytes = 256},
      {.size_bytes = 10, .allocation_id = 7, .offset_bytes = 1000, .source = RegionSource::segment, .segment_id = 20},
      {.size_bytes = 10, .allocation_id = 7, .offset_bytes = 1020, .source = RegionSource::segment, .segment_id = 20},
      {.size_bytes = 10, .allocation_id = 7, .offset_bytes = 3000, .source = RegionSource::segment, .segment_id = 21},
      {.size_bytes = 0, .allocation_id = 0}};
  EXPECT_TRUE(covers(window, 5, 0, 356));
  EXPECT_FALSE(covers(window, 5, 0, 357));
  EXPECT_FALSE(covers(window, 5, 357, 0));
  EXPECT_TRUE(covers(window, 7, 1000, 30));
  EXPECT_FALSE(covers(window, 7, 999, 1));
  EXPECT_FALSE(covers(window, 7, 1000, 2010));
  EXPECT_TRUE(covers(window, 7, 3000, 10));
  EXPECT_FALSE(covers(window, 6, 0, 1));
  EXPECT_FALSE(covers(window, 0, 0, 0));
  EXPECT_FALSE(covers(window, 5, 10, ~std::uint64_t{0}));
}

TEST(Covers, AnAllocationIsItsPartOfTheRoot) {
  format::AllocationRecord segment;
  segment.id = 9;
  segment.root_id = 5;
  segment.root_offset_bytes = 100;
  segment.size_bytes = 50;
  EXPECT_TRUE(covers(segment, 5, 100, 50));
  EXPECT_FALSE(covers(segment, 5, 99, 1));
  EXPECT_FALSE(covers(segment, 5, 140, 11));
  EXPECT_FALSE(covers(segment, 9, 100, 1));
  EXPECT_FALSE(covers(segment, 5, 120, ~std::uint64_t{0}));
}

}  // namespace
}  // namespace psnam::nam
