// A catalog that has reached its limit: what is new is refused in time, what is there can be removed, and then there is
// room again.
#include "nam/catalog.hpp"

#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

constexpr std::size_t kMapBytes = 4 << 20;
constexpr std::uint64_t kStep = 32;

class FullCatalog : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(test::open_store(folder_.path()), nullptr);
    auto opened = Folder::open(folder_.path(), false);
    ASSERT_TRUE(opened);
    opened_.emplace(std::move(*opened));
    auto catalog = Catalog::open(*opened_, kMapBytes);
    ASSERT_TRUE(catalog) << catalog.error().message;
    catalog_ = std::move(*catalog);
  }
  Status put(std::uint64_t id) {
    PSNAM_CHECK(catalog_->require_room(200));
    PSNAM_TRY(CatalogTransaction transaction, catalog_->write());
    format::AllocationRecord record;
    record.id = id;
    PSNAM_CHECK(transaction.put(record));
    return transaction.commit();
  }
  Status erase(std::uint64_t first, std::uint64_t end) {
    PSNAM_TRY(CatalogTransaction transaction, catalog_->write());
    for (std::uint64_t id = first; id < end; ++id) PSNAM_CHECK(transaction.erase_allocation(id));
    return transaction.commit();
  }
  /// Puts records from `id` on until one is refused; the first that was.
  std::uint64_t fill(std::uint64_t id) {
    for (;; ++id) {
      const Status put_one = put(id);
      if (put_one) continue;
      EXPECT_EQ(put_one.error().code, Code::no_memory);
      EXPECT_NE(put_one.error().message.find("catalog.mdb is full: it has"), std::string::npos)
          << put_one.error().message;
      return id;
    }
  }

  test::TemporaryFolder folder_;
  std::optional<Folder> opened_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(FullCatalog, RefusesWhatIsNewLetsRemoveAndHasRoomAfterwards) {
  std::uint64_t first = 1;
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t end = fill(first);
    EXPECT_GT(end - first, 10000U) << "most of the room is used";
    for (std::uint64_t id = first; id < end; id += kStep) {
      const Status erased = erase(id, std::min(end, id + kStep));
      ASSERT_TRUE(erased) << erased.error().message;
    }
    first = end;
  }
}

}  // namespace
}  // namespace psnam::nam
