#include "nam/catalog.hpp"
#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::draft_of;
using test::me;
using test::nobody;

class StoreWindows : public test::StoreTest {
 protected:
  std::uint64_t reserved() {
    const auto summary = store().summary();
    return summary ? summary->reserved_bytes : ~std::uint64_t{0};
  }
};

TEST_F(StoreWindows, CreateFillsInIdsAndReservesTheirSum) {
  const auto draft = draft_of("", {100, 200});
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use) << use.error().message;
  const auto& window = use->window;
  EXPECT_NE(window.id, 0U);
  EXPECT_NE(use->use_id, 0U);
  EXPECT_NE(window.regions[0].allocation_id, window.regions[1].allocation_id);
  EXPECT_EQ(window.consistency, Consistency::volatile_);
  auto expected = draft;
  expected.id = window.id;
  expected.regions[0].allocation_id = window.regions[0].allocation_id;
  expected.regions[1].allocation_id = window.regions[1].allocation_id;
  EXPECT_EQ(window, expected);
  EXPECT_EQ(reserved(), 300U);
  const auto got = store().get(window.id);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, window);
}

TEST_F(StoreWindows, CreateIsVolatileWhateverTheDraftSays) {
  auto draft = draft_of("named", {1});
  draft.consistency = Consistency::persistent;
  draft.in_doubt = true;
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use);
  EXPECT_EQ(use->window.consistency, Consistency::volatile_);
  EXPECT_FALSE(use->window.in_doubt);
  EXPECT_FAILS(store().find("named"), Code::name_not_found, "named");
}

TEST_F(StoreWindows, RegionsOfOneDraftAllocationShareIt) {
  auto draft = draft_of("", {100, 50, 0, 7});
  draft.regions[0].allocation_id = draft.regions[1].allocation_id = 77;
  draft.regions[1].offset_bytes = 100;
  draft.regions[2].allocation_id = 0;
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use);
  const auto& regions = use->window.regions;
  EXPECT_EQ(regions[0].allocation_id, regions[1].allocation_id);
  EXPECT_EQ(regions[2].allocation_id, 0U);
  EXPECT_NE(regions[3].allocation_id, regions[0].allocation_id);
  EXPECT_EQ(reserved(), 157U);
  const auto summary = store().summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->allocations, 2U);
}

TEST_F(StoreWindows, AGivenIdIsNotTakenForAnotherDraftId) {
  // The ids that are given may be equal to later draft ids; each draft id must still lead to its own allocation.
  auto draft = draft_of("", {1, 1, 1, 1});
  draft.regions[0].allocation_id = 9;
  draft.regions[1].allocation_id = 2;
  draft.regions[2].allocation_id = 3;
  draft.regions[3].allocation_id = 4;
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use);
  EXPECT_EQ(allocations_of(use->window).size(), 4U);
}

TEST_F(StoreWindows, LazyMemoryIsNotReserved) {
  auto draft = draft_of("", {std::uint64_t{1} << 40});
  draft.reserve = format::Reserve::lazy;
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_EQ(reserved(), 0U);
  EXPECT_TRUE(store().close(use->use_id));
  expect_empty();
}

TEST_F(StoreWindows, MoreThanTheCapacityIsNoMemoryAndRecordsNothing) {
  EXPECT_FAILS(store().create(draft_of("", {test::kCapacity, 1}), {}, me()), Code::no_memory, "0 of");
  expect_empty();
  EXPECT_TRUE(store().create(draft_of("", {test::kCapacity}), {}, me()));
  EXPECT_FAILS(store().create(draft_of("", {1}), {}, me()), Code::no_memory, "1 more");
}

TEST_F(StoreWindows, ASumBeyondTheNumbersIsNoMemory) {
  EXPECT_FAILS(store().create(draft_of("", {~std::uint64_t{0}, ~std::uint64_t{0}}), {}, me()), Code::no_memory,
               "more are wanted");
  auto draft = draft_of("", {2});
  draft.regions[0].offset_bytes = ~std::uint64_t{0};
  EXPECT_FAILS(store().create(draft, {}, me()), Code::size, "beyond");
}

TEST_F(StoreWindows, TheDeadMakeRoomForTheLiving) {
  make("", {test::kCapacity / 2}, nobody());
  const auto use = store().create(draft_of("", {test::kCapacity}), {}, me());
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_EQ(reserved(), test::kCapacity);
}

TEST_F(StoreWindows, WithoutAUserOrANodeIsInvalid) {
  EXPECT_FAILS(store().create(draft_of("", {1}), {}, {}), Code::invalid_argument, "process");
  auto draft = draft_of("", {1});
  draft.regions[0].node = 1;
  EXPECT_FAILS(store().create(draft, {}, me()), Code::invalid_argument, "node 1 of 1");
  EXPECT_FAILS(store().open("x", AccessRight::read_only, {}), Code::invalid_argument, "process");
}

TEST_F(StoreWindows, NamesAreShortAndPrintable) {
  for (const std::string& name :
       {std::string{"a b"}, std::string{"tab\t"}, std::string(256, 'x'), std::string{"\xc3\xa4"}}) {
    EXPECT_FAILS(store().create(draft_of(name, {1}), {}, me()), Code::info_value, "printable");
    EXPECT_FAILS(store().find(name), Code::name_not_found, "no window called");
    EXPECT_FAILS(store().open(name, AccessRight::read_only, me()), Code::name_not_found, "no window called");
    EXPECT_FAILS(store().remove(name), Code::name_not_found, "no window called");
  }
  make_persistent(std::string(255, 'x'), {1});
  EXPECT_TRUE(store().find(std::string(255, 'x')));
}

TEST_F(StoreWindows, PersistentIsFoundByItsNameAndStays) {
  const auto made = make_persistent("field", {100, 200});
  auto found = store().find("field");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->id, made.window.id);
  EXPECT_EQ(found->consistency, Consistency::persistent);
  EXPECT_TRUE(store().close(made.use_id));
  reopen();
  found = store().find("field");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(store().open_memory(found->regions[1].allocation_id, 200, Protection::read_only));
  EXPECT_EQ(reserved(), 300U);
  expect_clean();
}

TEST_F(StoreWindows, WithoutANameGetsOneOfItsUuid) {
  const auto use = make("", {1});
  const auto name = store().set_consistency(use.window.id, Consistency::persistent, false);
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, "psnam-" + format::to_string(use.window.uuid));
  EXPECT_TRUE(store().find(*name));
}

TEST_F(StoreWindows, ATakenNameIsRefusedAtCreationAndWhenItWasTakenMeanwhile) {
  const auto second = make("field", {1});
  make_persistent("field", {1});
  EXPECT_FAILS(store().create(draft_of("field", {1}), {}, me()), Code::name_exists, "field");
  EXPECT_FAILS(store().set_consistency(second.window.id, Consistency::persistent, false), Code::name_exists, "field");
  const auto still = store().get(second.window.id);
  ASSERT_TRUE(still);
  EXPECT_EQ(still->consistency, Consistency::volatile_);
}

TEST_F(StoreWindows, PersistentTwiceIsFine) {
  const auto use = make_persistent("field", {1});
  const auto again = store().set_consistency(use.window.id, Consistency::persistent, false);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, "field");
}

TEST_F(StoreWindows, VolatileAgainIsNotFoundAndGoesWithItsLastUse) {
  const auto use = make_persistent("field", {1});
  ASSERT_TRUE(store().set_consistency(use.window.id, Consistency::volatile_, false));
  EXPECT_FAILS(store().find("field"), Code::name_not_found, "field");
  EXPECT_TRUE(store().get(use.window.id));
  EXPECT_TRUE(store().close(use.use_id));
  expect_empty();
}

TEST_F(StoreWindows, VolatileAgainWithoutAUseGoesAtOnce) {
  const auto use = make_persistent("field", {1});
  ASSERT_TRUE(store().close(use.use_id));
  ASSERT_TRUE(store().set_consistency(use.window.id, Consistency::volatile_, false));
  expect_empty();
}

TEST_F(StoreWindows, OneThatIsNotThereCannotChange) {
  EXPECT_FAILS(store().set_consistency(4711, Consistency::persistent, false), Code::name_not_found, "4711");
  EXPECT_FAILS(store().get(4711), Code::name_not_found, "4711");
}

TEST_F(StoreWindows, InDoubtIsFoundAndSaysSoAndIsNeverCollected) {
  const auto made = make("wide", {1}, nobody());
  ASSERT_TRUE(store().set_consistency(made.window.id, Consistency::persistent, true));
  const auto found = store().find("wide");
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->in_doubt);
  const auto opened = store().open("wide", AccessRight::read_write, me());
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->window.in_doubt);
  ASSERT_TRUE(store().set_consistency(made.window.id, Consistency::volatile_, true));
  ASSERT_TRUE(store().close(opened->use_id));
  ASSERT_TRUE(store().collect());
  EXPECT_TRUE(store().find("wide"));
  expect_clean();
  const auto gone = store().remove("wide");
  ASSERT_TRUE(gone);
  EXPECT_TRUE(*gone);
  expect_empty();
}

TEST_F(StoreWindows, DoubtEndsWithPersistence) {
  const auto made = make("wide", {1});
  ASSERT_TRUE(store().set_consistency(made.window.id, Consistency::persistent, true));
  ASSERT_TRUE(store().set_consistency(made.window.id, Consistency::persistent, false));
  const auto found = store().find("wide");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->in_doubt);
}

TEST_F(StoreWindows, OpenAddsAUseThatProtects) {
  const auto made = make_persistent("field", {1});
  const auto opened = store().open("field", AccessRight::read_write, me());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_NE(opened->use_id, made.use_id);
  EXPECT_EQ(opened->window.id, made.window.id);
  ASSERT_TRUE(store().set_consistency(made.window.id, Consistency::volatile_, false));
  ASSERT_TRUE(store().close(made.use_id));
  EXPECT_TRUE(store().get(made.window.id)) << "the second use protects it";
  ASSERT_TRUE(store().close(opened->use_id));
  expect_empty();
}

TEST_F(StoreWindows, OpenIsRefusedByMode) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  auto draft = draft_of("private", {1});
  draft.mode = 0640;
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use);
  ASSERT_TRUE(store().set_consistency(use->window.id, Consistency::persistent, false));
  // The folder belongs to the other user; the window says that it is root's.
  ASSERT_EQ(::chown(folder().c_str(), 12345, 12345), 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator{folder()})
    ASSERT_EQ(::chown(entry.path().c_str(), 12345, 12345), 0);
  test::Child child{[this] {
    if (::setresuid(12345, 12345, 12345) != 0) return 2;
    auto mine = Store::open({.folder = folder()});
    if (!mine) return 3;
    const auto write = (*mine)->open("private", AccessRight::read_write, me());
    if (write || write.error().code != Code::access) return 4;
    const auto read = (*mine)->open("private", AccessRight::read_only, me());
    return read ? 0 : 5;
  }};
  EXPECT_EQ(child.wait(), 0) << "group 0 was kept, so reading is allowed and writing is not";
}

TEST_F(StoreWindows, DuplicateIsAUseOfItsOwn) {
  const auto made = make("", {1});
  const auto twin = store().duplicate(made.use_id);
  ASSERT_TRUE(twin) << twin.error().message;
  EXPECT_NE(*twin, made.use_id);
  ASSERT_TRUE(store().close(made.use_id));
  EXPECT_TRUE(store().get(made.window.id));
  ASSERT_TRUE(store().close(*twin));
  expect_empty();
  EXPECT_FAILS(store().duplicate(made.use_id), Code::name_not_found, std::to_string(made.use_id));
}

TEST_F(StoreWindows, CloseIsIdempotentAndTakesTheControlPage) {
  const auto made = make("", {4096});
  ASSERT_TRUE(store().create_control(made.use_id, 4096));
  EXPECT_TRUE(store().close(made.use_id));
  EXPECT_TRUE(store().close(made.use_id));
  expect_empty();
}

TEST_F(StoreWindows, IdsAreNeverGivenTwice) {
  const auto first = make("", {1});
  ASSERT_TRUE(store().close(first.use_id));
  reopen();
  const auto second = make("", {1});
  EXPECT_GT(second.window.id, first.use_id);
}

TEST_F(StoreWindows, ListAndSummaryTellEverything) {
  const auto made = make_persistent("field", {10});
  ASSERT_TRUE(store().publish("service", "field"));
  const auto list = store().list();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ(list->front().window.name, "field");
  ASSERT_EQ(list->front().uses.size(), 1U);
  EXPECT_EQ(list->front().uses.front().processes, me());
  EXPECT_EQ(list->front().services, std::vector<std::string>{"service"});
  const auto summary = store().summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->windows, 1U);
  EXPECT_EQ(summary->allocations, 1U);
  EXPECT_EQ(summary->uses, 1U);
  EXPECT_EQ(summary->services, 1U);
  EXPECT_EQ(summary->id, store().node().store);
  EXPECT_GT(summary->file_system_free_bytes, 0U);
}

TEST_F(StoreWindows, AForkedChildIsRefused) {
  test::Child child{[this] {
    const auto found = store().find("x");
    return !found && found.error().code == Code::unsupported ? 0 : 1;
  }};
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(StoreWindows, AWindowOfManyRanksIsKeptWhole) {
  const auto made = store().create(draft_of("many", std::vector<std::uint64_t>(3000, 8)), {}, me());
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(store().set_consistency(made->window.id, Consistency::persistent, false));
  const auto found = store().find("many");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->regions, made->window.regions);
}

}  // namespace
}  // namespace psnam::nam
