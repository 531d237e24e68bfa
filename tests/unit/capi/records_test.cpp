// Records of sets: names in the catalog, files in the home folder.
#include "capi/records.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/store_fixture.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::test {
namespace {

using capi::SetRecord;

SetRecord example() {
  return {.nam_index = 0,
          .challenge = 0xfedcba9876543210,
          .size_bytes = 4096,
          .address = 12,
          .max_bytes = 1024,
          .ranks = 4,
          .global_ranks = {0, 1, 2, 7}};
}

TEST(SetNames, CarryWhatTheCatalogHasNoFieldFor) {
  const SetRecord record = example();
  format::AllocationRecord allocation;
  allocation.id = record.address;
  allocation.challenge = record.challenge;
  allocation.size_bytes = record.size_bytes;
  allocation.name = capi::new_set_name(record);
  EXPECT_NE(allocation.name.find(".1024.4.0-2,7"), std::string::npos) << allocation.name;
  EXPECT_EQ(capi::set_of(allocation), record);
  EXPECT_NE(allocation.name, capi::new_set_name(record));
}

TEST(SetNames, StayShortForRanksThatNeedALongList) {
  SetRecord record = example();
  record.global_ranks.clear();
  for (std::int32_t i = 0; i < 300; ++i) record.global_ranks.push_back(2 * i);
  record.ranks = 300;
  format::AllocationRecord allocation;
  allocation.name = capi::new_set_name(record);
  EXPECT_LE(allocation.name.size(), 255U);
  const auto set = capi::set_of(allocation);
  ASSERT_TRUE(set);
  EXPECT_EQ(set->ranks, 300U);
  EXPECT_TRUE(set->global_ranks.empty());
}

TEST(SetNames, OtherNamesAreNoSets) {
  for (const char* name : {"", "data", "libnam-set", "libnam-set.x.1", "libnam-set.x.1.0.", "libnam-set.x.-1.2.0-1",
                           "libnam-set.x.1.2.0-2", "libnam-set.x.1.2.1-0", "libnam-set.x.1.2.0,x",
                           "libnam-set.x.1.99999999999.", "libnam-set.x.1.2.0-2147483647"}) {
    format::AllocationRecord allocation;
    allocation.name = name;
    EXPECT_FALSE(capi::set_of(allocation)) << name;
  }
}

TEST(RecordText, GoesThereAndBack) {
  const std::string text = capi::to_text(example());
  EXPECT_EQ(text, "0\n18364758544493064720\n4096\n12\n1024\n4\n0\n1\n2\n7\n");
  const auto record = capi::parse_text(text);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(*record, example());
}

TEST(RecordText, GarbageNamesTheLine) {
  EXPECT_FAILS(capi::parse_text(""), Code::corrupt, "line 1 is no index of a NAM");
  EXPECT_FAILS(capi::parse_text("-1\n"), Code::corrupt, "line 1");
  EXPECT_FAILS(capi::parse_text("0\nxyz\n"), Code::corrupt, "line 2 is no challenge: \"xyz\"");
  EXPECT_FAILS(capi::parse_text("0\n1\n99999999999999999999\n"), Code::corrupt, "line 3 is no size");
  EXPECT_FAILS(capi::parse_text("0\n1\n2\n3\n4\n0\n"), Code::corrupt, "line 6 is no number of ranks");
  EXPECT_FAILS(capi::parse_text("0\n1\n2\n3\n4\n99999999999\n"), Code::corrupt, "line 6");
  EXPECT_FAILS(capi::parse_text("0\n1\n2\n3\n4\n2\n0\n"), Code::corrupt, "line 8 is no rank");
  EXPECT_FAILS(capi::parse_text("0\n1\n2\n3\n4\n1\n0\nmore"), Code::corrupt, "line 8 is no end of the record");
}

class RecordFiles : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("HOME", home_.path().c_str(), 1); }
  [[nodiscard]] std::filesystem::path folder() const { return home_.path() / ".libNAM"; }
  [[nodiscard]] std::filesystem::path file() const { return folder() / "fedcba9876543210.alloc_ext"; }

 private:
  TemporaryFolder home_;
};

TEST_F(RecordFiles, AreTheUsersAloneAndReplacedInOneStep) {
  ASSERT_EQ(*capi::records_folder(), folder());
  const Status written = capi::write_record(folder(), example());
  ASSERT_TRUE(written) << written.error().message;
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  const auto inode = status.st_ino;
  SetRecord other = example();
  other.max_bytes = 5;
  ASSERT_TRUE(capi::write_record(folder(), other));
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_NE(status.st_ino, inode);
  EXPECT_EQ(capi::read_records(folder()), std::vector{other});
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder()}, {}), 1);
  EXPECT_TRUE(capi::remove_record(folder(), other.challenge));
  EXPECT_TRUE(capi::remove_record(folder(), other.challenge));
  EXPECT_TRUE(capi::read_records(folder()).empty());
}

TEST_F(RecordFiles, WhatIsNoRecordIsSkippedWithAWarning) {
  ASSERT_TRUE(capi::write_record(folder(), example()));
  std::ofstream{folder() / "0000000000000001.alloc_ext"} << "garbage\n";
  std::ofstream{folder() / "0000000000000002.alloc_ext"} << capi::to_text(example());
  std::ofstream{folder() / "notes.txt"} << "nothing of ours\n";
  std::filesystem::create_directory(folder() / "0000000000000003.alloc_ext");
  ASSERT_EQ(::mkfifo((folder() / "0000000000000004.alloc_ext").c_str(), 0600), 0);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(capi::read_records(folder()), std::vector{example()});
  const std::string warnings = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(warnings.find("line 1 is no index of a NAM: \"garbage\""), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("its challenge is fedcba9876543210"), std::string::npos) << warnings;
  EXPECT_EQ(std::count(warnings.begin(), warnings.end(), '\n'), 4) << warnings;
}

TEST_F(RecordFiles, AFolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  std::ofstream{folder()} << "a file";
  EXPECT_FAILS(capi::write_record(folder(), example()), Code::system, folder().string());
}

}  // namespace
}  // namespace psnam::test
