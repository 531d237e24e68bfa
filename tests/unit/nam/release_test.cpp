#include <cstring>
#include <fstream>

#include "nam/folder.hpp"
#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::me;
using test::nobody;

class StoreRelease : public test::StoreTest {};

TEST_F(StoreRelease, RemoveTakesAWindowThatNobodyUses) {
  const auto made = make_persistent("field", {100});
  ASSERT_TRUE(store().publish("service", "field"));
  ASSERT_TRUE(store().close(made.use_id));
  const auto gone = store().remove("field");
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_TRUE(*gone);
  expect_empty();
  EXPECT_FAILS(store().remove("field"), Code::name_not_found, "field");
}

TEST_F(StoreRelease, RemoveTakesTheNameAtOnceAndTheMemoryWithTheLastUse) {
  const auto made = make_persistent("field", {100});
  auto memory = store().open_memory(made.window.regions[0].allocation_id, 100, Protection::read_write);
  ASSERT_TRUE(memory);
  const auto gone = store().remove("field");
  ASSERT_TRUE(gone);
  EXPECT_FALSE(*gone);
  EXPECT_FAILS(store().find("field"), Code::name_not_found, "field");
  EXPECT_TRUE(store().open_memory(made.window.regions[0].allocation_id, 100, Protection::read_only));
  make_persistent("field", {50});
  ASSERT_TRUE(store().close(made.use_id));
  EXPECT_FAILS(store().get(made.window.id), Code::name_not_found, "no window");
  EXPECT_TRUE(store().find("field")) << "the new one has the name now";
  expect_clean();
}

TEST_F(StoreRelease, RemoveDoesNotWaitForTheDead) {
  make_persistent("field", {100}, nobody());
  const auto gone = store().remove("field");
  ASSERT_TRUE(gone);
  EXPECT_TRUE(*gone);
  expect_empty();
}

TEST_F(StoreRelease, AVolatileWindowIsNotRemovedByName) {
  make("young", {1});
  EXPECT_FAILS(store().remove("young"), Code::name_not_found, "young");
}

TEST_F(StoreRelease, CollectTakesWhatTheDeadLeftAndNothingElse) {
  const auto mine = make("", {10});
  const auto dead = make("", {20}, nobody());
  ASSERT_TRUE(store().create_control(dead.use_id, 4096));
  ASSERT_TRUE(store().create_control(mine.use_id, 4096));
  make_persistent("kept", {30}, nobody());
  const auto collected = store().collect();
  ASSERT_TRUE(collected) << collected.error().message;
  EXPECT_EQ(collected->uses, 2U);
  EXPECT_EQ(collected->windows, 1U);
  EXPECT_EQ(collected->bytes, 20U);
  EXPECT_TRUE(store().get(mine.window.id));
  EXPECT_TRUE(store().open_control(mine.use_id, 4096));
  EXPECT_TRUE(store().find("kept"));
  expect_clean();
  const auto again = store().collect();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->uses + again->windows + again->bytes, 0U);
}

TEST_F(StoreRelease, OneLivingProcessOfAUseKeepsIt) {
  auto users = nobody();
  users.push_back(me().front());
  const auto made = make("", {10}, users);
  ASSERT_TRUE(store().collect());
  EXPECT_TRUE(store().get(made.window.id));
}

TEST_F(StoreRelease, AProcessOfAnotherPidNamespaceKeepsItsUse) {
  auto users = nobody();
  ++users.front().pid_namespace;
  const auto made = make("", {10}, users);
  ASSERT_TRUE(store().collect());
  EXPECT_TRUE(store().get(made.window.id));
}

TEST_F(StoreRelease, OpeningTheStoreReleasesWhatTheDeadLeft) {
  make("", {20}, nobody());
  reopen();
  EXPECT_EQ(store().released_at_open().windows, 1U);
  EXPECT_EQ(store().released_at_open().bytes, 20U);
  expect_empty();
}

TEST_F(StoreRelease, CollectRemovesFilesThatNoRecordKnows) {
  std::ofstream{folder() / "memory" / file_name(999)} << "x";
  std::ofstream{folder() / "control" / file_name(998)} << "x";
  ASSERT_TRUE(store().collect());
  expect_empty();
}

TEST_F(StoreRelease, AReleaseThatWasInterruptedBeforeItsRecordsWentIsFinished) {
  // What a process leaves that is killed after it took the files: a volatile window without a use and without its
  // memory.
  const auto made = make("", {20}, nobody());
  std::filesystem::remove(folder() / "memory" / file_name(made.window.regions[0].allocation_id));
  ASSERT_TRUE(store().collect());
  expect_empty();
}

TEST_F(StoreRelease, MappedMemoryOutlivesItsRelease) {
  const auto made = make("", {100});
  auto memory = store().open_memory(made.window.regions[0].allocation_id, 100, Protection::read_write);
  ASSERT_TRUE(memory);
  ASSERT_TRUE(store().close(made.use_id));
  std::memset(memory->mapping.data(), 7, 100);
  EXPECT_EQ(memory->mapping.data()[99], std::byte{7});
  expect_empty();
}

}  // namespace
}  // namespace psnam::nam
