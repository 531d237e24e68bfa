// What a store that works for several users lets each of them do, and see.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "support/served_fixture.hpp"

namespace psnam::nam {
namespace {

using test::kAlice;
using test::kBob;
using test::kEve;
using test::kProject;
using test::users_of;
using StoreCallers = test::ServedTest;

constexpr auto kPersistent = format::Consistency::persistent;
constexpr auto kVolatile = format::Consistency::volatile_;

TEST_F(StoreCallers, AWindowIsOpenedAsItsModeSays) {
  window("heat", 0640);
  EXPECT_TRUE(bob().open("heat", AccessRight::read_only, users_of({2})));
  EXPECT_FAILS(bob().open("heat", AccessRight::read_write, users_of({2})), Code::access,
               "the window \"heat\" of user 1000 has mode 0640: user 2000 may not read and write it");
  EXPECT_FAILS(eve().open("heat", AccessRight::read_only, users_of({3})), Code::access, "user 3000 may not read it");
  EXPECT_TRUE(root().open("heat", AccessRight::read_write, users_of({1})));
}

TEST_F(StoreCallers, AWindowThatMayNotBeReadIsNeitherFoundNorGotNorListed) {
  const auto use = window("heat", 0640);
  EXPECT_FAILS(eve().find("heat"), Code::access, "has mode 0640: user 3000 may not read it");
  EXPECT_FAILS(eve().get(use.window.id), Code::access, "user 3000");
  EXPECT_FAILS(eve().count_users(use.window.id), Code::access, "user 3000");
  const auto hers = eve().list();
  ASSERT_TRUE(hers);
  EXPECT_TRUE(hers->empty());
  for (Store* store : {&alice(), &bob(), &root(), &this->store()}) {
    EXPECT_TRUE(store->find("heat"));
    EXPECT_TRUE(store->get(use.window.id));
    const auto list = store->list();
    ASSERT_TRUE(list);
    EXPECT_EQ(list->size(), 1U);
  }
}

TEST_F(StoreCallers, AnOwnerSeesWhatHisModeLetsNobodyRead) {
  window("sealed", 0);
  EXPECT_TRUE(alice().find("sealed"));
  EXPECT_FAILS(alice().open("sealed", AccessRight::read_only, users_of({1})), Code::access, "has mode 0000");
}

TEST_F(StoreCallers, OnlyItsOwnerMakesAWindowVolatileOrRemovesIt) {
  const auto use = window("heat", 0666);
  for (Store* store : {&bob(), &eve()}) {
    EXPECT_FAILS(store->set_consistency(use.window.id, kVolatile, false), Code::access,
                 "the window " + std::to_string(use.window.id) + " \"heat\" of user 1000 has mode 0666");
    EXPECT_FAILS(store->remove("heat"), Code::access, "may not remove it");
  }
  EXPECT_TRUE(alice().set_consistency(use.window.id, kVolatile, false));
  EXPECT_TRUE(alice().set_consistency(use.window.id, kPersistent, false));
  EXPECT_TRUE(root().remove("heat"));
  EXPECT_FAILS(alice().find("heat"), Code::name_not_found, "heat");
}

TEST_F(StoreCallers, NobodyMakesAWindowForAnotherUserOrAForeignGroup) {
  EXPECT_FAILS(eve().create(draft_for(kAlice, "heat", 0600), {}, users_of({3})), Code::access,
               "user 3000 cannot make anything with mode 0600 that belongs to user 1000");
  auto draft = draft_for(kEve, "heat", 0660);
  draft.gid = kProject;
  EXPECT_FAILS(eve().create(draft, {}, users_of({3})), Code::access, "for the group 500");
  draft.gid = kEve;
  draft.mode = 04777;
  EXPECT_FAILS(eve().create(draft, {}, users_of({3})), Code::invalid_argument, "mode 4777");
  EXPECT_TRUE(root().create(draft_for(kAlice, "heat", 0600), {}, users_of({1})));
}

TEST_F(StoreCallers, AWindowOverAForeignAllocationNeedsTheRightToWriteIt) {
  const auto grant = allocation("grant", 0640);
  const std::vector<AllocationSource> sources{{.kind = AllocationSource::Kind::existing, .id = grant.id}};
  EXPECT_FAILS(bob().create(draft_for(kBob, "over", 0600), sources, users_of({2})), Code::access,
               "user 2000 may not read and write it");
  EXPECT_TRUE(alice().create(draft_for(kAlice, "over", 0600), sources, users_of({1})));
}

TEST_F(StoreCallers, OnlyWhoMayWriteAWindowPublishesIt) {
  window("heat", 0640);
  EXPECT_FAILS(bob().publish("service", "heat"), Code::access, "user 2000 may not read and write it");
  EXPECT_TRUE(alice().publish("service", "heat"));
  EXPECT_FAILS(bob().unpublish("service", "heat"), Code::access, "user 2000");
  EXPECT_TRUE(bob().lookup("service"));
  EXPECT_FAILS(eve().lookup("service"), Code::access, "user 3000 may not read it");
  EXPECT_TRUE(alice().unpublish("service", "heat"));
}

TEST_F(StoreCallers, AnAllocationIsOpenedAsItsModeSays) {
  const auto grant = allocation("grant", 0640);
  EXPECT_TRUE(bob().open_allocation(grant.id, {}, AccessRight::read_only, users_of({2})));
  EXPECT_FAILS(bob().open_allocation(grant.id, {}, AccessRight::read_write, users_of({2})), Code::access, "mode 0640");
  EXPECT_FAILS(eve().open_allocation(grant.id, grant.challenge, AccessRight::read_only, users_of({3})), Code::access,
               "mode 0640");
  EXPECT_FAILS(eve().find_allocation(grant.id), Code::access, "user 3000");
  EXPECT_FAILS(eve().find_allocation("grant"), Code::access, "user 3000");
  EXPECT_TRUE(eve().allocations()->empty());
  EXPECT_EQ(bob().allocations()->size(), 1U);
}

TEST_F(StoreCallers, AChallengeIsShownToTheOwnerAndTheAdministratorOnly) {
  const auto grant = allocation("grant", 0644);
  ASSERT_NE(grant.challenge, 0U);
  for (Store* store : {&alice(), &root(), &this->store()}) {
    EXPECT_EQ(store->find_allocation(grant.id)->challenge, grant.challenge);
    EXPECT_EQ(store->find_allocation("grant")->challenge, grant.challenge);
    EXPECT_EQ(store->allocations()->front().allocation.challenge, grant.challenge);
  }
  EXPECT_EQ(eve().find_allocation(grant.id)->challenge, 0U);
  EXPECT_EQ(eve().find_allocation("grant")->challenge, 0U);
  EXPECT_EQ(eve().allocations()->front().allocation.challenge, 0U);
  const auto opened = eve().open_allocation(grant.id, {}, AccessRight::read_only, users_of({3}));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->allocation.challenge, 0U);
}

TEST_F(StoreCallers, OnlyItsOwnerFreesAnAllocation) {
  const auto grant = allocation("grant", 0666);
  EXPECT_FAILS(bob().free_allocation(grant.id, true), Code::access, "belongs to user 1000, not to 2000");
  EXPECT_FAILS(bob().set_allocation_consistency(grant.id, kVolatile), Code::access, "belongs to user 1000");
  EXPECT_FAILS(bob().allocate({.size_bytes = 1, .uid = kAlice}, users_of({2})), Code::access, "user 1000");
  EXPECT_FAILS(eve().allocate({.size_bytes = 1, .gid = kProject}, users_of({3})), Code::access, "group 500");
  EXPECT_TRUE(alice().free_allocation(grant.id, false).ok());
}

TEST_F(StoreCallers, WhatIsMadeBelongsToTheCallerAndHisGroup) {
  const auto made = eve().allocate({.size_bytes = 100}, users_of({3}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->allocation.uid, kEve);
  EXPECT_EQ(made->allocation.gid, kEve);
}

TEST_F(StoreCallers, TheStoreIsAdministeredByItsUserAndRootOnly) {
  for (Store* store : {&alice(), &eve()}) {
    EXPECT_FAILS(store->set_capacity(1 << 20), Code::access,
                 "may not set the capacity of the store " + folder().string());
    EXPECT_FAILS(store->collect(), Code::access, "may not collect");
    EXPECT_FAILS(store->check(), Code::access, "may not check");
    EXPECT_TRUE(store->summary());
  }
  EXPECT_TRUE(root().collect());
  EXPECT_TRUE(root().check());
  EXPECT_TRUE(root().set_capacity(test::kCapacity));
  EXPECT_TRUE(store().as(test::caller_of(::geteuid()))->collect());
}

TEST_F(StoreCallers, MemoryIsMadeByItsOwnerAsItWasRecorded) {
  const auto use = alice().create(draft_for(kAlice, "", 0666), {}, users_of({1}));
  ASSERT_TRUE(use);
  const std::uint64_t id = use->window.regions[0].allocation_id;
  EXPECT_FAILS(eve().create_memory(id, 4096, format::Reserve::full), Code::access, "may not make the memory of it");
  EXPECT_FAILS(alice().create_memory(id, 1 << 30, format::Reserve::full), Code::size, "recorded with 4096 bytes");
  EXPECT_FAILS(alice().create_memory(id, 4096, format::Reserve::lazy), Code::size, "with another reserve");
  EXPECT_FAILS(alice().create_memory(id + 100, 4096, format::Reserve::full), Code::name_not_found, "no allocation");
  EXPECT_TRUE(alice().create_memory(id, 4096, format::Reserve::full));
}

TEST_F(StoreCallers, MemoryIsReachedAsTheModeOfTheAllocationSays) {
  const auto grant = allocation("grant", 0640);
  EXPECT_TRUE(bob().open_range(grant.id, 0, 4096, Protection::read_only));
  EXPECT_FAILS(bob().open_range(grant.id, 0, 4096, Protection::read_write), Code::access, "mode 0640");
  EXPECT_FAILS(bob().memory_descriptor(grant.id, Protection::read_write), Code::access, "mode 0640");
  EXPECT_FAILS(bob().reserve_range(grant.id, 0, 4096), Code::access, "mode 0640");
  EXPECT_FAILS(bob().persist(grant.id, 0, 4096), Code::access, "mode 0640");
  EXPECT_FAILS(eve().open_range(grant.id, 0, 4096, Protection::read_only), Code::access, "mode 0640");
  EXPECT_FAILS(eve().memory_descriptor(grant.id, Protection::read_only), Code::access, "mode 0640");
  EXPECT_FAILS(eve().open_notifications(grant.id), Code::access, "mode 0640");
  EXPECT_FAILS(eve().notifications_descriptor(grant.id), Code::access, "mode 0640");
  EXPECT_TRUE(bob().open_notifications(grant.id));
}

TEST_F(StoreCallers, ADescriptorForReadingDoesNotLetItsHolderWrite) {
  const auto grant = allocation("grant", 0640);
  const auto reading = bob().memory_descriptor(grant.id, Protection::read_only);
  ASSERT_TRUE(reading) << reading.error().message;
  EXPECT_EQ(::fcntl(reading->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reading->get(), 0), MAP_FAILED);
  const auto writing = alice().memory_descriptor(grant.id, Protection::read_write);
  ASSERT_TRUE(writing) << writing.error().message;
  ASSERT_EQ(::pwrite(writing->get(), "bytes", 5, 0), 5);
  const auto mapping = Mapping::map(reading->get(), 4096, Protection::read_only, "grant");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(std::memcmp(mapping->data(), "bytes", 5), 0);
}

TEST_F(StoreCallers, LocksAreMadeForTheRanksOfTheWindowOnly) {
  const auto use = window("heat", 0640);
  EXPECT_FAILS(alice().open_locks(use.window.id, 4000), Code::size, "has 1 ranks, locks for 4000");
  EXPECT_FAILS(eve().open_locks(use.window.id, 1), Code::access, "user 3000");
  EXPECT_FAILS(eve().locks_descriptor(use.window.id, 1), Code::access, "user 3000");
  const auto page = bob().open_locks(use.window.id, 1);
  ASSERT_TRUE(page) << page.error().message;
  const auto file = bob().locks_descriptor(use.window.id, 1);
  ASSERT_TRUE(file) << file.error().message;
  const auto again = Mapping::map(file->get(), page->bytes(), Protection::read_write, "locks");
  ASSERT_TRUE(again);
  page->data()[page->bytes() - 1] = std::byte{7};
  EXPECT_EQ(again->data()[page->bytes() - 1], std::byte{7});
}

}  // namespace
}  // namespace psnam::nam
