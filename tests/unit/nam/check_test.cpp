// Each disagreement is made by hand, in the catalog itself or among the files, and must be found.
#include <fstream>

#include "nam/catalog.hpp"
#include "nam/folder.hpp"
#include "nam/keys.hpp"
#include "support/memory_fixture.hpp"

namespace psnam::nam {
namespace {

class StoreCheck : public test::MemoryTest {
 protected:
  void SetUp() override {
    MemoryTest::SetUp();
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
      auto transaction = (*catalog)->write(Purpose::removal);
      ASSERT_TRUE(transaction);
      const Status changed = body(*transaction);
      ASSERT_TRUE(changed) << changed.error().message;
      ASSERT_TRUE(transaction->commit());
    }
    MemoryTest::SetUp();
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

TEST_F(StoreCheck, AStoreOfVersionOneIsRefusedAndNothingOfItIsTouched) {
  const test::TemporaryFolder old;
  const auto catalog = old.path() / "catalog.mdb";
  {
    constexpr std::array<TableSpec, 8> kTables{{{"store", false},
                                                {"windows", false},
                                                {"allocations", false},
                                                {"uses", false},
                                                {"names", false},
                                                {"services", false},
                                                {"window_uses", true},
                                                {"window_services", true}}};
    auto environment = Environment::open({.path = catalog, .shown = "catalog.mdb", .tables = kTables}, true);
    ASSERT_TRUE(environment) << environment.error().message;
    auto transaction = (*environment)->begin_write();
    ASSERT_TRUE(transaction);
    auto bytes = format::encode(format::StoreRecord{});
    bytes[4] = std::byte{1};
    ASSERT_TRUE(transaction->put(0, bytes_of("store"), bytes));
    ASSERT_TRUE(transaction->commit());
  }
  std::filesystem::create_directory(old.path() / "memory");
  std::ofstream{old.path() / "memory" / file_name(7)} << "precious";
  const auto size = std::filesystem::file_size(catalog);
  const auto opened = Store::open({.folder = old.path()});
  EXPECT_FAILS(opened, Code::incompatible, "version 1, this library speaks version 3");
  EXPECT_EQ(std::filesystem::file_size(catalog), size);
  EXPECT_TRUE(std::filesystem::exists(old.path() / "memory" / file_name(7)));
}

/// A persistent grant; in it a persistent window in a segment, and one over the grant.
class StoreCheckMemory : public StoreCheck {
 protected:
  void SetUp() override {
    StoreCheck::SetUp();
    grant_ = store()
                 .allocate({.size_bytes = 1000, .consistency = format::Consistency::persistent, .name = "grant"}, {})
                 ->allocation;
    child_ = in_segments("child", {100}, {test::segment_of(grant_.id, 200)});
    over_ = in_segments("over", {1000}, {test::existing(grant_.id)});
    segment_ = child_.window.regions[0].segment_id;
    ASSERT_TRUE(store().set_consistency(child_.window.id, format::Consistency::persistent, false));
    expect_clean();
  }
  [[nodiscard]] std::string grant() const { return std::to_string(grant_.id); }
  [[nodiscard]] std::string segment() const { return std::to_string(segment_); }

  format::AllocationRecord grant_;
  WindowUse child_;
  WindowUse over_;
  std::uint64_t segment_ = 0;
};

TEST_F(StoreCheckMemory, FindsALostExtent) {
  change([&](CatalogTransaction& transaction) {
    return CatalogExtents{transaction}.erase(grant_.id, {200, 100, segment_});
  });
  expect_finding("the allocation " + grant() + ": a gap: no extent has the bytes 200 to 300");
  expect_finding("the segment " + segment() + " has no extent at 200 of 100 bytes in its parent " + grant());
}

TEST_F(StoreCheckMemory, FindsAnOverlap) {
  change([&](CatalogTransaction& transaction) {
    return CatalogExtents{transaction}.put(grant_.id, {250, 10, segment_});
  });
  expect_finding("an overlap: bytes 250 to 260 are the segment " + segment());
}

TEST_F(StoreCheckMemory, FindsAListedFreeExtentThatIsTaken) {
  change([&](CatalogTransaction& transaction) {
    return CatalogExtents{transaction}.put(grant_.id, {0, 200, segment_});
  });
  expect_finding("200 bytes at 0 of the allocation " + grant() + " are listed as free and no free extent");
}

TEST_F(StoreCheckMemory, FindsAFreeExtentThatIsNotListed) {
  close_store();
  {
    constexpr std::array<TableSpec, 1> kFreeExtents{{{"free_extents", false}}};
    auto environment =
        Environment::open({.path = folder() / "catalog.mdb", .shown = "catalog.mdb", .tables = kFreeExtents}, false);
    ASSERT_TRUE(environment) << environment.error().message;
    auto transaction = (*environment)->begin_write();
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(transaction->erase(0, NumberKey{grant_.id, 200, 0}.bytes()));
    ASSERT_TRUE(transaction->commit());
  }
  MemoryTest::SetUp();
  expect_finding("the free extent at 0 of the allocation " + grant() + " is not listed as free");
}

TEST_F(StoreCheckMemory, FindsASegmentWithoutARecord) {
  change([&](CatalogTransaction& transaction) { return transaction.erase_allocation(segment_); });
  expect_finding("the extent at 200 of the allocation " + grant() + " is of the segment " + segment() +
                 ", which is missing");
  expect_finding("of rank 0 has no record");
}

TEST_F(StoreCheckMemory, FindsChildrenOfAMissingParent) {
  change([&](CatalogTransaction& transaction) { return transaction.erase_allocation(grant_.id); });
  expect_finding("the segment " + segment() + " was cut from " + grant() + ", which is missing");
  expect_finding("there are extents of the allocation " + grant() + ", which is missing");
  expect_finding("the name \"grant\" leads to allocation " + grant() + ", which is missing");
}

TEST_F(StoreCheckMemory, FindsASegmentAtAnotherPlaceThanItsParentSays) {
  change([&](CatalogTransaction& transaction) -> Status {
    PSNAM_TRY(auto record, transaction.allocation(segment_));
    record->root_offset_bytes = 201;
    return transaction.put(*record);
  });
  expect_finding("the segment " + segment() + " is at byte 201 of the file");
  expect_finding("the region of rank 0 is not in the segment " + segment());
}

TEST_F(StoreCheckMemory, FindsReferencesOfOneSideOnly) {
  change([&](CatalogTransaction& transaction) -> Status {
    PSNAM_CHECK(transaction.erase_reference(grant_.id, over_.window.id));
    return transaction.put_reference(grant_.id, child_.window.id);
  });
  expect_finding("the allocation " + grant() + " does not know the window " + std::to_string(over_.window.id));
  expect_finding("the allocation " + grant() + " knows the window " + std::to_string(child_.window.id) +
                 ", which does not lie in it");
}

TEST_F(StoreCheckMemory, FindsAnAllocationThatIsNotFoundByItsName) {
  change([](CatalogTransaction& transaction) { return transaction.erase_allocation_name("grant"); });
  expect_finding("the allocation " + grant() + " \"grant\" is persistent and not found by its name");
}

TEST_F(StoreCheckMemory, FindsAPersistentWindowInVolatileMemory) {
  change([&](CatalogTransaction& transaction) -> Status {
    auto record = grant_;
    record.consistency = format::Consistency::volatile_;
    PSNAM_CHECK(transaction.erase_allocation_name("grant"));
    return transaction.put(record);
  });
  expect_finding("\"child\" is persistent, and rank 0 lies in the volatile allocation " + grant());
}

TEST_F(StoreCheckMemory, FindsAMissingFileOfAFreeStandingAllocation) {
  std::filesystem::remove(folder() / "memory" / file_name(grant_.id));
  expect_finding("memory of \"grant\", is missing");
}

TEST_F(StoreCheckMemory, FindsAFileOfASegment) {
  std::ofstream{folder() / "memory" / file_name(segment_)} << "x";
  expect_finding("belongs to no allocation");
}

}  // namespace
}  // namespace psnam::nam
