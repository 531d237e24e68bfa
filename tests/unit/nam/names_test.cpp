#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;

class StoreNames : public test::StoreTest {};

TEST_F(StoreNames, APublishedServiceLeadsToItsPortName) {
  make_persistent("field", {1});
  ASSERT_TRUE(store().publish("my service", "field"));
  const auto port = store().lookup("my service");
  ASSERT_TRUE(port);
  EXPECT_EQ(*port, "field");
  ASSERT_TRUE(store().unpublish("my service", "field"));
  EXPECT_FAILS(store().lookup("my service"), Code::service_not_found, "my service");
}

TEST_F(StoreNames, OnlyNamesOfWindowsCanBePublished) {
  make("young", {1});
  EXPECT_FAILS(store().publish("service", "young"), Code::name_not_found, "young");
  EXPECT_FAILS(store().publish("service", "nobody"), Code::name_not_found, "nobody");
  EXPECT_FAILS(store().publish("service", "tag#0$description#x y"), Code::name_not_found, "tag#0");
}

TEST_F(StoreNames, ATakenServiceIsRefused) {
  make_persistent("a", {1});
  make_persistent("b", {1});
  ASSERT_TRUE(store().publish("service", "a"));
  EXPECT_FAILS(store().publish("service", "b"), Code::service_exists, "\"a\"");
  EXPECT_FAILS(store().publish("service", "a"), Code::service_exists, "\"a\"");
}

TEST_F(StoreNames, UnpublishNeedsTheServiceAndItsPortName) {
  make_persistent("a", {1});
  EXPECT_FAILS(store().unpublish("service", "a"), Code::service_not_found, "service");
  ASSERT_TRUE(store().publish("service", "a"));
  EXPECT_FAILS(store().unpublish("service", "b"), Code::name_not_found, "\"b\"");
  EXPECT_TRUE(store().lookup("service"));
}

TEST_F(StoreNames, ServiceNamesHaveNoControlCharacters) {
  make_persistent("a", {1});
  for (const std::string& name : {std::string{}, std::string{"a\n"}, std::string(256, 's')}) {
    EXPECT_FAILS(store().publish(name, "a"), Code::info_value, "255");
    EXPECT_FAILS(store().lookup(name), Code::service_not_found, "no service");
    EXPECT_FAILS(store().unpublish(name, "a"), Code::service_not_found, "no service");
  }
  EXPECT_TRUE(store().publish(std::string(255, 's'), "a"));
}

TEST_F(StoreNames, ServicesGoWithTheName) {
  const auto first = make_persistent("a", {1});
  make_persistent("b", {1});
  for (const char* service : {"one", "two"}) ASSERT_TRUE(store().publish(service, "a"));
  ASSERT_TRUE(store().publish("three", "b"));
  ASSERT_TRUE(store().set_consistency(first.window.id, Consistency::volatile_, false));
  EXPECT_FAILS(store().lookup("one"), Code::service_not_found, "one");
  EXPECT_FAILS(store().lookup("two"), Code::service_not_found, "two");
  EXPECT_TRUE(store().lookup("three"));
  expect_clean();
}

}  // namespace
}  // namespace psnam::nam
