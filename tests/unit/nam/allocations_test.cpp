// Free-standing allocations.
#include "support/memory_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::existing;
using test::me;
using test::nobody;
using test::segment_of;

class StoreAllocations : public test::MemoryTest {
 protected:
  AllocationRequest persistent(std::string name) {
    return {.size_bytes = 5000, .consistency = Consistency::persistent, .name = std::move(name)};
  }
};

TEST_F(StoreAllocations, AVolatileOneGoesWithItsLastUse) {
  const auto made = allocate(5000);
  EXPECT_EQ(made.root_id, made.id);
  EXPECT_EQ(made.window_id, 0U);
  EXPECT_EQ(made.uid, ::geteuid());
  EXPECT_EQ(reserved(), 5000U);
  EXPECT_EQ(record(made.id), made);
  const auto other = store().open_allocation(made.id, made.challenge, AccessRight::read_write, me());
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->allocation, made);
  ASSERT_TRUE(store().close(use_of(made.id)));
  EXPECT_TRUE(store().open_memory(made.id, 5000, Protection::read_write));
  expect_clean();
  ASSERT_TRUE(store().close(other->use_id));
  expect_empty();
}

TEST_F(StoreAllocations, APersistentOneNeedsNoUserAndStays) {
  const auto made = store().allocate(persistent("grant"), {});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->use_id, 0U);
  EXPECT_EQ(made->allocation.consistency, Consistency::persistent);
  reopen();
  const auto found = store().find_allocation("grant");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, made->allocation);
  expect_clean();
  const auto freed = store().free_allocation(found->id, false);
  ASSERT_TRUE(freed);
  EXPECT_TRUE(*freed);
  EXPECT_FAILS(store().find_allocation("grant"), Code::name_not_found, "called \"grant\"");
  EXPECT_FAILS(store().find_allocation(found->id), Code::name_not_found, "no allocation");
  expect_empty();
}

TEST_F(StoreAllocations, NamesAreUniqueAmongAllocationsAndNotAmongWindows) {
  ASSERT_TRUE(store().allocate(persistent("grant"), {}));
  EXPECT_FAILS(store().allocate(persistent("grant"), {}), Code::name_exists, "an allocation called \"grant\"");
  make_persistent("grant", {1});
  expect_clean();
  EXPECT_FAILS(store().allocate(persistent("a b"), {}), Code::info_value, "an allocation's name");
  EXPECT_EQ(reserved(), 5001U);
}

TEST_F(StoreAllocations, ANameTakenMeanwhileLeavesAVolatileOne) {
  const auto made = allocate(100, {.name = "grant"});
  EXPECT_FAILS(store().find_allocation("grant"), Code::name_not_found, "grant");
  ASSERT_TRUE(store().allocate(persistent("grant"), {}));
  EXPECT_FAILS(store().set_allocation_consistency(made.id, Consistency::persistent), Code::name_exists, "grant");
  EXPECT_EQ(record(made.id).consistency, Consistency::volatile_);
  expect_clean();
}

TEST_F(StoreAllocations, WhatCannotBeAskedForIsRefusedAndLeavesNothing) {
  EXPECT_FAILS(store().allocate({.size_bytes = 0}, me()), Code::size, "at least one byte");
  EXPECT_FAILS(store().allocate({.size_bytes = 1}, {}), Code::invalid_argument, "at least one process");
  EXPECT_FAILS(store().allocate({.size_bytes = test::kCapacity + 1}, me()), Code::no_memory, "bytes left");
  EXPECT_FAILS(store().allocate({.size_bytes = std::uint64_t{1} << 63, .reserve = format::Reserve::lazy}, me()),
               Code::no_memory, "no file has");
  expect_empty();
}

TEST_F(StoreAllocations, TheDeadMakeRoom) {
  allocate(test::kCapacity, {}, nobody());
  EXPECT_TRUE(store().allocate({.size_bytes = test::kCapacity}, me()).ok());
}

TEST_F(StoreAllocations, TheChallengeAndTheModeAreAsked) {
  const auto made = allocate(100, {.mode = 0400});
  EXPECT_FAILS(store().open_allocation(made.id, made.challenge + 1, AccessRight::read_only, me()), Code::access,
               "is not the challenge of the allocation");
  EXPECT_FAILS(store().open_allocation(made.id, std::nullopt, AccessRight::read_only, {}), Code::invalid_argument,
               "process");
  EXPECT_FAILS(store().open_allocation(made.id + 100, std::nullopt, AccessRight::read_only, me()), Code::name_not_found,
               "no allocation");
  if (::geteuid() == 0) return;  // user 0 may everything
  EXPECT_FAILS(store().open_allocation(made.id, made.challenge, AccessRight::read_write, me()), Code::access,
               "mode 0400");
}

TEST_F(StoreAllocations, ChallengesDiffer) { EXPECT_NE(allocate(1).challenge, allocate(1).challenge); }

TEST_F(StoreAllocations, AnExpiredOneGoesWhenNothingKeepsIt) {
  auto request = persistent("grant");
  request.expires_unix_seconds = 1;
  const auto made = store().allocate(request, me());
  ASSERT_TRUE(made) << made.error().message;
  const auto window = in_segments("", {10}, {segment_of(made->allocation.id)});
  const auto over = in_segments("", {10}, {existing(made->allocation.id)});
  ASSERT_TRUE(store().collect());
  EXPECT_TRUE(store().find_allocation("grant")) << "in use";
  ASSERT_TRUE(store().close(made->use_id));
  EXPECT_TRUE(store().find_allocation("grant")) << "divided";
  EXPECT_FAILS(store().open_allocation(made->allocation.id, std::nullopt, AccessRight::read_only, me()),
               Code::name_not_found, "being released");
  ASSERT_TRUE(store().close(window.use_id));
  ASSERT_TRUE(store().collect());
  EXPECT_TRUE(store().find_allocation("grant")) << "referred to";
  expect_clean();
  ASSERT_TRUE(store().close(over.use_id));
  EXPECT_FAILS(store().find_allocation("grant"), Code::name_not_found, "grant");
  expect_empty();
}

TEST_F(StoreAllocations, CollectReleasesTheExpiredAndNothingElse) {
  auto request = persistent("old");
  request.expires_unix_seconds = 1;
  ASSERT_TRUE(store().allocate(request, {}));
  request = persistent("young");
  request.expires_unix_seconds = ~std::uint64_t{0};
  ASSERT_TRUE(store().allocate(request, {}));
  ASSERT_TRUE(store().allocate(persistent("eternal"), {}));
  ASSERT_TRUE(store().collect());
  EXPECT_FALSE(store().find_allocation("old"));
  EXPECT_TRUE(store().find_allocation("young"));
  EXPECT_TRUE(store().find_allocation("eternal"));
  expect_clean();
}

TEST_F(StoreAllocations, MadeVolatileItGoesUnlessItHasChildren) {
  const auto made = store().allocate(persistent("grant"), {});
  ASSERT_TRUE(made);
  const auto window = in_segments("w", {10}, {segment_of(made->allocation.id)});
  EXPECT_FAILS(store().set_allocation_consistency(made->allocation.id, Consistency::volatile_), Code::busy,
               "the window " + std::to_string(window.window.id) + " \"w\" lies in it, which is volatile and in use");
  ASSERT_TRUE(store().close(window.use_id));
  ASSERT_TRUE(store().set_allocation_consistency(made->allocation.id, Consistency::volatile_));
  expect_empty();
}

TEST_F(StoreAllocations, OfAWindowCannotBeFreedOrChanged) {
  const auto window = make("field", {100});
  const std::uint64_t id = window.window.regions[0].allocation_id;
  const std::string part = "belongs to the window " + std::to_string(window.window.id);
  EXPECT_FAILS(store().free_allocation(id, true), Code::invalid_argument, part);
  EXPECT_FAILS(store().set_allocation_consistency(id, Consistency::persistent), Code::invalid_argument, part);
  const auto use = store().open_allocation(id, std::nullopt, AccessRight::read_write, me());
  ASSERT_TRUE(use) << use.error().message;
  ASSERT_TRUE(store().close(window.use_id));
  EXPECT_TRUE(store().get(window.window.id)) << "a use of its memory keeps the window";
  ASSERT_TRUE(store().close(use->use_id));
  expect_empty();
}

TEST_F(StoreAllocations, FreeingTakesTheNameAtOnceAndTheMemoryWithTheLastUse) {
  const auto made = store().allocate(persistent("grant"), me());
  ASSERT_TRUE(made);
  const auto freed = store().free_allocation(made->allocation.id, false);
  ASSERT_TRUE(freed);
  EXPECT_FALSE(*freed);
  EXPECT_FAILS(store().find_allocation("grant"), Code::name_not_found, "grant");
  EXPECT_TRUE(store().open_memory(made->allocation.id, 5000, Protection::read_write));
  ASSERT_TRUE(store().close(made->use_id));
  expect_empty();
}

TEST_F(StoreAllocations, FreeingAllTakesWhatLiesInItToo) {
  const auto made = store().allocate(persistent("grant"), {});
  ASSERT_TRUE(made);
  const auto outer =
      in_segments("outer", {1000, 500}, {segment_of(made->allocation.id), segment_of(made->allocation.id)});
  const auto inner = in_segments("inner", {10}, {segment_of(outer.window.regions[1].segment_id)});
  const auto over = in_segments("over", {10}, {existing(made->allocation.id)});
  for (const auto* window : {&outer, &inner, &over}) {
    ASSERT_TRUE(store().set_consistency(window->window.id, Consistency::persistent, false));
    ASSERT_TRUE(store().close(window->use_id));
  }
  ASSERT_TRUE(store().publish("service", "inner"));
  EXPECT_FAILS(store().free_allocation(made->allocation.id, false), Code::busy, "is persistent and not in use");
  expect_clean();
  const auto freed = store().free_allocation(made->allocation.id, true);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_TRUE(*freed);
  expect_empty();
}

TEST_F(StoreAllocations, FreeingAllWaitsForTheLiving) {
  const auto made = store().allocate(persistent("grant"), {});
  ASSERT_TRUE(made);
  const auto outer = in_segments("outer", {1000}, {segment_of(made->allocation.id)});
  const auto inner = in_segments("inner", {10}, {segment_of(outer.window.regions[0].segment_id)});
  in_segments("dead", {10}, {segment_of(made->allocation.id)}, nobody());
  for (const auto* window : {&outer, &inner})
    ASSERT_TRUE(store().set_consistency(window->window.id, Consistency::persistent, false));
  ASSERT_TRUE(store().close(outer.use_id));
  const auto freed = store().free_allocation(made->allocation.id, true);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_FALSE(*freed) << "one of the windows in it is in use";
  EXPECT_FAILS(store().find("outer"), Code::name_not_found, "outer");
  EXPECT_EQ(report(made->allocation.id).segments, 1U);
  expect_clean();
  ASSERT_TRUE(store().close(inner.use_id));
  expect_empty();
}

TEST_F(StoreAllocations, ReportsSayWhatIsTakenAndFree) {
  const auto made = store().allocate(persistent("grant"), me());
  ASSERT_TRUE(made);
  EXPECT_EQ(report(made->allocation.id).largest_free_bytes, 5000U);
  const auto window = in_segments(
      "", {100, 200, 50},
      {segment_of(made->allocation.id, 1000), segment_of(made->allocation.id, 2000), existing(made->allocation.id)});
  const auto seen = report(made->allocation.id);
  EXPECT_EQ(seen.allocation, record(made->allocation.id));
  EXPECT_EQ(seen.uses.size(), 1U);
  EXPECT_EQ(seen.referring_windows, std::vector{window.window.id});
  EXPECT_EQ(seen.segments, 2U);
  EXPECT_EQ(seen.taken_bytes, 300U);
  EXPECT_EQ(seen.largest_free_bytes, 2800U);
}

TEST_F(StoreAllocations, AnotherUsersIsForUserZeroOnly) {
  const auto request = AllocationRequest{.size_bytes = 10, .uid = ::geteuid() + 1, .gid = 7};
  const auto made = store().allocate(request, me());
  if (::geteuid() != 0) {
    EXPECT_FAILS(made, Code::access, "belongs to user");
    return;
  }
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->allocation.uid, 1U);
  EXPECT_EQ(made->allocation.gid, 7U);
}

}  // namespace
}  // namespace psnam::nam
