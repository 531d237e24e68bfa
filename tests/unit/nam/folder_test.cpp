#include "nam/folder.hpp"

#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

using test::TemporaryFolder;

Result<std::unique_ptr<Store>> open_at(const std::filesystem::path& path, bool create = true) {
  return Store::open({.folder = path, .capacity_bytes = test::kCapacity, .create = create});
}

TEST(StoreFolder, IsMadeWithAccessForItsUserOnly) {
  const TemporaryFolder parent;
  ASSERT_TRUE(open_at(parent.path() / "store"));
  struct stat status {};
  ASSERT_EQ(::stat((parent.path() / "store").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  for (const char* file : {"catalog.mdb", "catalog.mdb-lock"}) {
    ASSERT_EQ(::stat((parent.path() / "store" / file).c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_mode & 07777, 0600U) << file;
  }
}

TEST(StoreFolder, IsNotMadeWhenOnlyAskedFor) {
  const TemporaryFolder parent;
  EXPECT_FAILS(open_at(parent.path() / "store", false), Code::name_not_found, "store");
  EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
  EXPECT_FAILS(open_at(parent.path(), false), Code::name_not_found, parent.path().string());
  EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
}

TEST(StoreFolder, ThatLetsOthersInIsRefused) {
  const TemporaryFolder parent;
  ASSERT_EQ(::chmod(parent.path().c_str(), 0750), 0);
  EXPECT_FAILS(open_at(parent.path()), Code::access, "0750");
}

TEST(StoreFolder, OfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  const TemporaryFolder parent;
  ASSERT_EQ(::chown(parent.path().c_str(), 12345, 12345), 0);
  EXPECT_FAILS(open_at(parent.path()), Code::access, "12345");
}

TEST(StoreFolder, ThatIsALinkIsRefusedEvenWithASlash) {
  const TemporaryFolder parent;
  ASSERT_TRUE(open_at(parent.path() / "real"));
  std::filesystem::create_directory_symlink(parent.path() / "real", parent.path() / "link");
  EXPECT_FAILS(open_at(parent.path() / "link"), Code::access, "link");
  EXPECT_FAILS(open_at(parent.path() / "link/"), Code::access, "link");
}

TEST(StoreFolder, ThatIsAFileIsRefused) {
  const TemporaryFolder parent;
  std::ofstream{parent.path() / "file"} << "x";
  EXPECT_FAILS(open_at(parent.path() / "file"), Code::access, "file");
}

TEST(StoreFolder, WithoutItsParentIsRefusedByName) {
  const TemporaryFolder parent;
  EXPECT_FAILS(open_at(parent.path() / "a" / "b"), Code::system, "a/b");
}

TEST(StoreFolder, MustBeAnAbsolutePath) { EXPECT_FAILS(open_at("relative"), Code::invalid_argument, "relative"); }

TEST(StoreFolder, NetworkFileSystemsAreKnown) {
  for (const std::uint64_t type : {std::uint64_t{NFS_SUPER_MAGIC}, std::uint64_t{0xFF534D42}, std::uint64_t{0xFE534D42},
                                   std::uint64_t{0x65735546}, std::uint64_t{0x0BD00BD0}})
    EXPECT_TRUE(is_network_file_system(type)) << type;
  // A 32-bit number that went through a signed long.
  EXPECT_TRUE(is_network_file_system(0xFFFFFFFFFF534D42));
  EXPECT_FALSE(is_network_file_system(TMPFS_MAGIC));
  EXPECT_FALSE(is_network_file_system(EXT4_SUPER_MAGIC));
}

TEST(StoreFolder, OnADiskWorksToo) {
  const TemporaryFolder parent{"/var/tmp"};
  auto store = open_at(parent.path() / "store");
  ASSERT_TRUE(store) << store.error().message;
  const auto use = (*store)->create(test::draft_of("", {4096}), {}, test::me());
  ASSERT_TRUE(use) << use.error().message;
  EXPECT_TRUE((*store)->close(use->use_id));
}

TEST(StoreFolder, ADamagedCatalogIsCorruptAndNamed) {
  const TemporaryFolder parent;
  std::ofstream{parent.path() / "catalog.mdb"} << std::string(8192, 'x');
  EXPECT_FAILS(open_at(parent.path()), Code::corrupt, "catalog.mdb");
}

TEST(StoreFolder, WhatAKilledMakerLeftIsMadeAnew) {
  const TemporaryFolder parent;
  std::ofstream{parent.path() / "catalog.new"} << std::string(4096, 'x');
  const auto store = open_at(parent.path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE(std::filesystem::exists(parent.path() / "catalog.new"));
}

TEST(StoreFolder, CapacityIsFixedWhenTheStoreIsMade) {
  const TemporaryFolder parent;
  { ASSERT_TRUE(Store::open({.folder = parent.path(), .capacity_bytes = 12345})); }
  const auto store = Store::open({.folder = parent.path(), .capacity_bytes = 99});
  ASSERT_TRUE(store);
  const auto summary = (*store)->summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->capacity_bytes, 12345U);
}

TEST(StoreFolder, DefaultCapacityIsAShareOfTheFileSystem) {
  const TemporaryFolder parent;
  const auto store = Store::open({.folder = parent.path()});
  ASSERT_TRUE(store);
  const auto summary = (*store)->summary();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->capacity_bytes, summary->file_system_bytes / 100 * kDefaultCapacityPercent);
  EXPECT_GT(summary->capacity_bytes, 0U);
}

TEST(StoreFolder, TheStoreKeepsItsIdentity) {
  const TemporaryFolder parent;
  format::NodeRecord first;
  {
    const auto store = open_at(parent.path());
    ASSERT_TRUE(store);
    first = (*store)->node();
  }
  const auto store = open_at(parent.path());
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->node(), first);
  EXPECT_NE(first.store, format::Uuid{});
  EXPECT_FALSE(first.host.empty());
  EXPECT_EQ(first.path, parent.path().string());
}

TEST(StoreFolder, FileNamesAreSixteenDigits) {
  EXPECT_EQ(file_name(0xabc), "0000000000000abc");
  EXPECT_EQ(id_of_file_name("0000000000000abc"), 0xabcU);
  for (const char* name :
       {"", ".", "abc", "0000000000000ABC", "0000000000000abcd", "000000000000 abc", "-000000000000abc"})
    EXPECT_FALSE(id_of_file_name(name)) << name;
}

}  // namespace
}  // namespace psnam::nam
