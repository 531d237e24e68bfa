#include "nam/lmdb.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "support/child.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::nam {
namespace {

constexpr std::array<TableSpec, 2> kTables{{{"one", false}, {"many", true}}};

class LmdbTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Environment>> open(bool make = true) {
    return Environment::open({.path = folder_.path() / "file.mdb", .shown = "file.mdb", .tables = kTables}, make);
  }
  void SetUp() override {
    auto environment = open();
    ASSERT_TRUE(environment) << environment.error().message;
    environment_ = std::move(*environment);
  }
  [[nodiscard]] std::string read(std::string_view key) {
    auto transaction = environment_->begin_read();
    if (!transaction) return transaction.error().message;
    const auto value = transaction->get(0, bytes_of(key));
    if (!value || !*value) return "nothing";
    return {reinterpret_cast<const char*>((*value)->data()), (*value)->size()};
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Environment> environment_;
};

TEST_F(LmdbTest, WhatIsCommittedIsRead) {
  {
    auto transaction = environment_->begin_write();
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(transaction->put(0, bytes_of("key"), bytes_of("value")));
    ASSERT_TRUE(transaction->commit());
  }
  EXPECT_EQ(read("key"), "value");
}

TEST_F(LmdbTest, WhatIsNotCommittedNeverHappened) {
  {
    auto transaction = environment_->begin_write();
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(transaction->put(0, bytes_of("key"), bytes_of("value")));
  }
  EXPECT_EQ(read("key"), "nothing");
}

TEST_F(LmdbTest, ManyValuesOfAKeyAreASortedSet) {
  auto transaction = environment_->begin_write();
  ASSERT_TRUE(transaction);
  for (const char* value : {"b", "a", "c", "a"}) ASSERT_TRUE(transaction->put(1, bytes_of("k"), bytes_of(value)));
  ASSERT_TRUE(transaction->erase(1, bytes_of("k"), bytes_of("b")));
  ASSERT_TRUE(transaction->erase(1, bytes_of("k"), bytes_of("z"))) << "absent is fine";
  const auto values = transaction->values(1, bytes_of("k"));
  ASSERT_TRUE(values);
  ASSERT_EQ(values->size(), 2U);
  EXPECT_EQ(static_cast<char>((*values)[0][0]), 'a');
  EXPECT_EQ(static_cast<char>((*values)[1][0]), 'c');
  const auto none = transaction->values(1, bytes_of("other"));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST_F(LmdbTest, EachVisitsInOrderOfKeysAndStopsAtAnError) {
  auto transaction = environment_->begin_write();
  ASSERT_TRUE(transaction);
  for (const char* key : {"3", "1", "2"}) ASSERT_TRUE(transaction->put(0, bytes_of(key), bytes_of("x")));
  std::string seen;
  ASSERT_TRUE(transaction->each(0, [&](Bytes key, Bytes) -> Status {
    seen += static_cast<char>(key[0]);
    return {};
  }));
  EXPECT_EQ(seen, "123");
  const Status stopped = transaction->each(0, [&](Bytes, Bytes) -> Status { return Error{Code::range, "enough"}; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "enough");
}

TEST_F(LmdbTest, AForkedChildIsRefusedAndHarmsNobody) {
  test::Child child{[this] {
    const auto transaction = environment_->begin_read();
    if (transaction || transaction.error().code != Code::unsupported) return 1;
    environment_.reset();
    return 0;
  }};
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(read("key"), "nothing");
}

TEST_F(LmdbTest, AChildKilledInAWriteTransactionBlocksNobody) {
  environment_.reset();
  const test::Signal begun;
  const test::Signal never;
  test::Child child{[&] {
    auto environment = open();
    if (!environment) return 1;
    auto transaction = (*environment)->begin_write();
    if (!transaction || !transaction->put(0, bytes_of("key"), bytes_of("value"))) return 2;
    begun.give();
    never.await();
    return 0;
  }};
  begun.await();
  auto mine = open(false);
  ASSERT_TRUE(mine) << mine.error().message;
  environment_ = std::move(*mine);
  child.kill();
  EXPECT_EQ(child.wait(), -SIGKILL);
  auto transaction = environment_->begin_write();
  ASSERT_TRUE(transaction) << transaction.error().message;
  ASSERT_TRUE(transaction->put(0, bytes_of("mine"), bytes_of("1")));
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(read("key"), "nothing");
  EXPECT_EQ(read("mine"), "1");
}

TEST_F(LmdbTest, ATableThatIsMissingIsCorrupt) {
  environment_.reset();
  constexpr std::array<TableSpec, 1> kOther{{{"other", false}}};
  const auto environment =
      Environment::open({.path = folder_.path() / "file.mdb", .shown = "file.mdb", .tables = kOther}, false);
  ASSERT_FALSE(environment);
  EXPECT_EQ(environment.error().code, Code::corrupt);
  EXPECT_NE(environment.error().message.find("other"), std::string::npos);
}

TEST(LmdbError, EachKindHasItsCodeAndNamesTheFile) {
  const std::pair<int, Code> rows[] = {
      {MDB_MAP_FULL, Code::no_memory},
      {MDB_READERS_FULL, Code::no_memory},
      {ENOSPC, Code::no_memory},
      {MDB_CORRUPTED, Code::corrupt},
      {MDB_PAGE_NOTFOUND, Code::corrupt},
      {MDB_INVALID, Code::corrupt},
      {MDB_PANIC, Code::corrupt},
      {MDB_VERSION_MISMATCH, Code::incompatible},
      {MDB_MAP_RESIZED, Code::incompatible},
      {EACCES, Code::access},
      {EIO, Code::system},
      {MDB_BAD_TXN, Code::system},
  };
  for (const auto& [rc, code] : rows) {
    const Error error = lmdb_error("doing", "some.mdb", rc);
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_EQ(error.message.find("some.mdb: doing: "), 0U) << error.message;
  }
  EXPECT_NE(lmdb_error("doing", "some.mdb", MDB_MAP_FULL).message.find("the catalog is full"), std::string::npos);
}

}  // namespace
}  // namespace psnam::nam
