// A store among others: its place, the ids it gives, who has joined it, and the fate of windows with parts elsewhere.
#include "nam/nam_table.hpp"
#include "psnam_version.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using test::draft_of;
using test::me;

class Nams : public test::StoreTest {
 protected:
  [[nodiscard]] NamPlace manager_place() {
    return {.index = 0, .manager = store().node().store, .manager_address = {}};
  }
  [[nodiscard]] static NamPlace node_place(std::uint32_t index) {
    return {.index = index, .manager = format::Uuid{{1, 2, 3}}, .manager_address = "manager:1"};
  }
  [[nodiscard]] static request::JoinNam news(std::uint8_t store, std::uint32_t index = 0) {
    return {.store = format::Uuid{{store}},
            .index = index,
            .addresses = {"/run/nam.sock", "0.0.0.0:7"},
            .capacity_bytes = 100,
            .free_bytes = 60,
            .catalog_version = format::kCatalogVersion,
            .software_version = kVersion};
  }
  Result<reply::Joined> join(const request::JoinNam& news, std::uint64_t session) {
    return table_.join(store(), news, {.session = session, .host = "10.0.0.7"});
  }
  NamTable table_;
};

TEST_F(Nams, IdsOfAServedStoreBeginAtTheBaseOfItsIndex) {
  ASSERT_TRUE(store().serve_as(node_place(3)));
  const auto use = make("w", {100});
  EXPECT_GE(use.window.id, format::first_served_id(3));
  EXPECT_EQ(format::nam_of_id(use.window.regions[0].allocation_id), 3U);
  const auto allocation = store().find_allocation(use.window.regions[0].allocation_id);
  ASSERT_TRUE(allocation);
  EXPECT_EQ(allocation->nam_index, 3U);
  // Served again, and embedded after that, it goes on where it was.
  ASSERT_TRUE(store().serve_as(node_place(3)));
  reopen();
  EXPECT_GT(make("v", {100}).window.id, use.window.id);
}

TEST_F(Nams, AStoreThatHasBeenANamIsNoOtherOne) {
  ASSERT_TRUE(store().serve_as(node_place(3)));
  for (const NamPlace& other : {node_place(2), manager_place()}) {
    const Status refused = store().serve_as(other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::incompatible);
    EXPECT_NE(refused.error().message.find("has been NAM 3 of the manager"), std::string::npos)
        << refused.error().message;
  }
  NamPlace stranger = node_place(3);
  stranger.manager = format::Uuid{{9}};
  EXPECT_FALSE(store().serve_as(stranger));
  EXPECT_FALSE(table_.reports(store()));
}

TEST_F(Nams, AManagerMayJoinAnotherAsLongAsNothingWasInIt) {
  ASSERT_TRUE(store().serve_as(manager_place()));
  EXPECT_TRUE(store().serve_as(node_place(1)));
}

TEST_F(Nams, AManagerWithAWindowCannotJoinAnother) {
  ASSERT_TRUE(store().serve_as(manager_place()));
  make("w", {100});
  const Status refused = store().serve_as(node_place(1));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("has been the manager of NAMs"), std::string::npos) << refused.error().message;
}

TEST_F(Nams, AMemoryNodeKeepsItsIndexAndIsReachableWhileItsSessionLives) {
  ASSERT_TRUE(store().serve_as(manager_place()));
  const auto first = join(news(1), 11);
  const auto second = join(news(2), 12);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->index, 1U);
  EXPECT_EQ(first->manager, store().node().store);
  EXPECT_EQ(second->index, 2U);
  table_.left(11);
  auto reports = table_.reports(store());
  ASSERT_TRUE(reports);
  ASSERT_EQ(reports->size(), 3U);
  EXPECT_FALSE((*reports)[1].reachable);
  EXPECT_TRUE((*reports)[2].reachable);
  EXPECT_EQ((*reports)[2].free_bytes, 60U);
  EXPECT_EQ((*reports)[2].socket, "/run/nam.sock");
  // It listens everywhere: it is found where it came from.
  EXPECT_EQ((*reports)[2].address, "10.0.0.7:7");
  const auto again = join(news(1, 1), 13);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->index, 1U);
}

TEST_F(Nams, WhoCannotBeWhatHeSaysIsRefused) {
  ASSERT_TRUE(store().serve_as(manager_place()));
  ASSERT_TRUE(join(news(1), 11));
  EXPECT_EQ(join(news(1), 12).error().code, Code::busy);             // another server of the same store
  EXPECT_EQ(join(news(2, 7), 12).error().code, Code::incompatible);  // NAM 7 of another manager
  request::JoinNam old = news(3);
  old.catalog_version = 1;
  EXPECT_EQ(join(old, 12).error().code, Code::incompatible);
  request::JoinNam homeless = news(3);
  homeless.addresses.clear();
  EXPECT_EQ(join(homeless, 12).error().code, Code::invalid_argument);
  const auto stranger = store().as({.uid = 12345, .gids = {12345}});
  EXPECT_EQ(table_.join(*stranger, news(3), {.session = 12, .host = {}}).error().code, Code::access);
  EXPECT_EQ(store().joined()->size(), 1U);
}

TEST_F(Nams, OneThatIsRemovedIsNotKnownAndItsIndexNotGivenAgain) {
  ASSERT_TRUE(store().serve_as(manager_place()));
  ASSERT_TRUE(join(news(1), 11));
  EXPECT_EQ(table_.remove(store(), 1, true).error().code, Code::busy);
  table_.left(11);
  auto draft = draft_of("w", {100});
  draft.nodes.push_back({.store = format::Uuid{{1}}, .host = "there", .path = "/there"});
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use);
  const auto refused = table_.remove(store(), 1, false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("1 window lies in NAM 1: w"), std::string::npos) << refused.error().message;
  const auto lost = table_.remove(store(), 1, true);
  ASSERT_TRUE(lost) << lost.error().message;
  EXPECT_EQ(*lost, std::vector<std::string>{"w"});
  EXPECT_EQ(join(news(1, 1), 12).error().code, Code::incompatible);
  EXPECT_EQ(join(news(2), 13)->index, 2U);
  EXPECT_EQ(table_.remove(store(), 9, true).error().code, Code::name_not_found);
}

TEST_F(Nams, TheHomeKnowsTheFateOfItsWindows) {
  const auto kept = make("kept", {10});
  const auto open = make("open", {10});
  ASSERT_TRUE(store().set_consistency(kept.window.id, format::Consistency::persistent, false));
  const std::vector<format::Uuid> asked{open.window.uuid, format::random_uuid(), kept.window.uuid};
  const auto fates = store().fates_of(asked);
  ASSERT_TRUE(fates);
  EXPECT_EQ(*fates, (std::vector{WindowFate::undecided, WindowFate::gone, WindowFate::kept}));
}

TEST_F(Nams, PartsThatNobodyUsesAreToldByTheirHome) {
  const format::Uuid home{{7}};
  auto draft = draft_of("part", {10});
  draft.nodes.insert(draft.nodes.begin(), {.store = home, .host = "home", .path = "/home"});
  draft.regions[0].node = 1;
  const auto use = store().create(draft, {}, me());
  ASSERT_TRUE(use);
  ASSERT_TRUE(store().create_memory(use->window.regions[0].allocation_id, 10, format::Reserve::full));
  ASSERT_TRUE(store().set_consistency(use->window.id, format::Consistency::volatile_, true));
  EXPECT_TRUE(store().idle_parts_of(home)->empty());
  ASSERT_TRUE(store().close(use->use_id));
  const auto idle = store().idle_parts_of(home);
  ASSERT_TRUE(idle);
  ASSERT_EQ(idle->size(), 1U);
  EXPECT_TRUE(idle->front().in_doubt);
  EXPECT_TRUE(store().idle_parts_of(format::Uuid{{8}})->empty());
}

}  // namespace
}  // namespace psnam::nam
