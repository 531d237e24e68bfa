// Each disagreement is made by hand, in the catalog itself or among the files, and must be found.
#include <fstream>

#include "nam/catalog.hpp"
#include "nam/folder.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

class StoreCheck : public test::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    made_ = make_persistent("field", {100});
    expect_clean();
  }
  [[nodiscard]] std::filesystem::path file() const {
    return folder() / "memory" / file_name(made_.window.regions[0].allocation_id);
  }
  void expect_finding(const std::string& part) {
    const auto findings = store().check();
    ASSERT_TRUE(findings) << findings.error().message;
    for (const auto& finding : *findings)
      if (finding.find(part) != std::string::npos) return;
    ADD_FAILURE() << "nothing found of: " << part;
    for (const auto& finding : *findings) std::cerr << "  found: " << finding << '\n';
  }
  /// Changes the catalog behind the store's back; the store must not be open meanwhile (one environment in a process).
  template <class Change>
  void change(Change body) {
    close_store();
    {
      auto opened = Folder::open(folder(), false);
      ASSERT_TRUE(opened);
      auto catalog = Catalog::open(*opened);
      ASSERT_TRUE(catalog) << catalog.error().message;
      auto transaction = (*catalog)->write();
      ASSERT_TRUE(transaction);
      const Status changed = body(*transaction);
      ASSERT_TRUE(changed) << changed.error().message;
      ASSERT_TRUE(transaction->commit());
    }
    StoreTest::SetUp();
  }
  WindowUse made_;
};

TEST_F(StoreCheck, FindsAMissingFile) {
  std::filesystem::remove(file());
  expect_finding("is missing");
}

TEST_F(StoreCheck, FindsAFileThatIsTooShort) {
  std::filesystem::resize_file(file(), 99);
  expect_finding("has 99 bytes, its record says 100");
}

TEST_F(StoreCheck, FindsAFileThatIsTooLong) {
  std::filesystem::resize_file(file(), 101);
  expect_finding("has 101 bytes, its record says 100");
}

TEST_F(StoreCheck, FindsFilesOfNobody) {
  std::ofstream{folder() / "memory" / file_name(999)} << "x";
  std::ofstream{folder() / "control" / file_name(998)} << "x";
  expect_finding("memory/00000000000003e7 belongs to no allocation");
  expect_finding("control/00000000000003e6 belongs to no use");
}

TEST_F(StoreCheck, FindsAWrongSumOfReservedBytes) {
  change([](CatalogTransaction& transaction) -> Status {
    PSNAM_TRY(auto store, transaction.store());
    store.reserved_bytes = 5;
    return transaction.put(store);
  });
  expect_finding("5 bytes count as reserved, the allocations have 100");
}

TEST_F(StoreCheck, FindsAUseWithoutItsWindowAndWhatThatWindowHad) {
  change([&](CatalogTransaction& transaction) { return transaction.erase_window(made_.window.id); });
  expect_finding("is of window " + std::to_string(made_.window.id) + ", which is missing");
  expect_finding("the name \"field\" leads to window " + std::to_string(made_.window.id) + ", which is missing");
  expect_finding("belongs to no window");
}

TEST_F(StoreCheck, FindsAPersistentWindowWithoutItsName) {
  change([](CatalogTransaction& transaction) { return transaction.erase_name("field"); });
  expect_finding("is persistent and not found by its name");
}

TEST_F(StoreCheck, FindsAVolatileWindowWithAName) {
  change([&](CatalogTransaction& transaction) -> Status {
    auto window = made_.window;
    window.consistency = format::Consistency::volatile_;
    return transaction.put(window);
  });
  expect_finding("is volatile and found by its name");
}

TEST_F(StoreCheck, FindsAServiceThatLeadsNowhere) {
  change([](CatalogTransaction& transaction) {
    return transaction.put_service("service", {.window_id = 77, .port_name = "nowhere"});
  });
  expect_finding("the service \"service\" leads to \"nowhere\"");
}

TEST_F(StoreCheck, FindsAnAllocationWithoutARecord) {
  change([&](CatalogTransaction& transaction) {
    return transaction.erase_allocation(made_.window.regions[0].allocation_id);
  });
  expect_finding("of rank 0 has no record");
}

TEST_F(StoreCheck, FindsARegionThatLeavesItsAllocation) {
  change([&](CatalogTransaction& transaction) {
    auto window = made_.window;
    window.consistency = format::Consistency::persistent;
    window.regions[0].offset_bytes = 1;
    return transaction.put(window);
  });
  expect_finding("the region of rank 0 ends at byte 101 of an allocation of 100");
}

TEST_F(StoreCheck, DoesNotMistakeAWindowInTheMakingForDamage) {
  ASSERT_TRUE(store().create(test::draft_of("", {5000}), {}, test::me()));
  expect_clean();
}

TEST_F(StoreCheck, ARecordOfAnotherVersionIsIncompatibleAndNamesTheFile) {
  close_store();
  {
    auto opened = Folder::open(folder(), false);
    ASSERT_TRUE(opened);
    constexpr std::array<TableSpec, 1> kStoreTable{{{"store", false}}};
    auto environment =
        Environment::open({.path = folder() / "catalog.mdb", .shown = "catalog.mdb", .tables = kStoreTable}, false);
    ASSERT_TRUE(environment) << environment.error().message;
    auto transaction = (*environment)->begin_write();
    ASSERT_TRUE(transaction);
    auto bytes = format::encode(format::StoreRecord{});
    bytes[4] = std::byte{99};
    ASSERT_TRUE(transaction->put(0, bytes_of("store"), bytes));
    ASSERT_TRUE(transaction->commit());
  }
  const auto reopened = Store::open({.folder = folder()});
  EXPECT_FAILS(reopened, Code::incompatible, "catalog.mdb");
  EXPECT_NE(reopened.error().message.find("version 99"), std::string::npos);
}

}  // namespace
}  // namespace psnam::nam
