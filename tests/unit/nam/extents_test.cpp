// The allocator of extents over the catalog's tables, with real transactions, some of them aborted half-way.
#include <iostream>

#include "nam/catalog.hpp"
#include "support/extent_model.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

class CatalogTables {
 public:
  explicit CatalogTables(Catalog& catalog) noexcept : catalog_{catalog} {}
  void begin() {
    auto transaction = catalog_.write(Purpose::removal);
    ASSERT_TRUE(transaction) << transaction.error().message;
    transaction_.emplace(std::move(*transaction));
    extents_.emplace(*transaction_);
  }
  segments::ExtentTable& table() { return *extents_; }
  void commit() {
    extents_.reset();
    const Status committed = transaction_->commit();
    EXPECT_TRUE(committed) << committed.error().message;
    transaction_.reset();
  }
  void abort() {
    extents_.reset();
    transaction_.reset();
  }

 private:
  Catalog& catalog_;
  std::optional<CatalogTransaction> transaction_;
  std::optional<CatalogExtents> extents_;
};

TEST(CatalogExtentProperties, RandomOperationsWithAbortedTransactionsNeverOverlapAndLoseNoByte) {
  const test::TemporaryFolder folder;
  ASSERT_NE(test::open_store(folder.path()), nullptr);
  auto opened = Folder::open(folder.path(), false);
  ASSERT_TRUE(opened);
  auto catalog = Catalog::open(*opened);
  ASSERT_TRUE(catalog) << catalog.error().message;
  CatalogTables tables{**catalog};
  test::ExtentModel model{tables, 7};
  for (int step = 0; step < 20000 && !HasFailure(); ++step) {
    model.step();
    if (step % 1000 == 0) model.expect_equal();
  }
  model.expect_equal();
  EXPECT_GT(model.cuts(), 1000U);
  EXPECT_GT(model.crashes(), 100U);
  model.release_all();
  auto transaction = (*catalog)->read();
  ASSERT_TRUE(transaction);
  for (const Table table : {Table::extents, Table::free_extents}) {
    const auto entries = transaction->entries(table);
    ASSERT_TRUE(entries);
    EXPECT_EQ(*entries, 0U);
  }
}

TEST(CatalogExtentRows, OfNeighbouringParentsAreKeptApart) {
  const test::TemporaryFolder folder;
  ASSERT_NE(test::open_store(folder.path()), nullptr);
  auto opened = Folder::open(folder.path(), false);
  ASSERT_TRUE(opened);
  auto catalog = Catalog::open(*opened);
  ASSERT_TRUE(catalog);
  CatalogTables tables{**catalog};
  tables.begin();
  auto& table = tables.table();
  ASSERT_TRUE(table.put(256, {0, 300, 0}) && table.put(258, {0, 400, 0}));
  for (const std::uint64_t absent : {0, 1, 255, 257, 259}) {
    EXPECT_FALSE(*table.at(absent, ~std::uint64_t{0})) << absent;
    EXPECT_FALSE(*table.next_free(absent, 0, 0)) << absent;
    EXPECT_FALSE(*table.largest_free(absent)) << absent;
  }
  EXPECT_EQ((*table.at(256, 1000))->size_bytes, 300U);
  EXPECT_EQ((*table.largest_free(258))->size_bytes, 400U);
  EXPECT_FALSE(*table.next_free(256, 301, 0));
  tables.abort();
}

}  // namespace
}  // namespace psnam::nam
