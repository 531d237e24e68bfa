#include "segments/extents.hpp"

#include <gtest/gtest.h>

#include <random>

#include "support/extent_tables.hpp"
#include "support/store_fixture.hpp"

namespace psnam::segments {
namespace {

using test::MapTable;
using test::WatchedTable;

constexpr Parent kParent{.id = 5, .size_bytes = 4096, .root_offset_bytes = 0};

class Extents : public ::testing::Test {
 protected:
  Result<std::uint64_t> cut(std::uint64_t size, std::optional<std::uint64_t> offset = std::nullopt,
                            std::uint64_t alignment = 64, const Parent& parent = kParent) {
    return segments::cut(table_, parent, {.size_bytes = size, .offset_bytes = offset, .alignment_bytes = alignment},
                         next_id_++);
  }
  void expect_cut(std::uint64_t expected, std::uint64_t size, std::uint64_t alignment = 64) {
    const auto offset = cut(size, std::nullopt, alignment);
    ASSERT_TRUE(offset) << offset.error().message;
    EXPECT_EQ(*offset, expected);
  }
  void expect_free(std::uint64_t offset) {
    const auto extent = table_.at(kParent.id, offset);
    ASSERT_TRUE(extent && *extent);
    ASSERT_FALSE((*extent)->free());
    const Status released = release(table_, kParent, **extent);
    ASSERT_TRUE(released) << released.error().message;
  }
  std::vector<Extent> rows() {
    std::vector<Extent> rows;
    for (auto extent = table_.at(kParent.id, 0); extent && *extent; extent = table_.at(kParent.id, rows.back().end())) {
      if (!rows.empty() && rows.back() == **extent) break;  // a gap
      rows.push_back(**extent);
      if (rows.back().end() == kParent.size_bytes) break;
    }
    return rows;
  }
  MapTable table_;
  std::uint64_t next_id_ = 10;
};

TEST_F(Extents, TheFirstCutMakesTheRowsAndTheLastReleaseTakesThemAway) {
  expect_cut(0, 100);
  EXPECT_EQ(rows(), (std::vector<Extent>{{0, 100, 10}, {100, 3996, 0}}));
  expect_free(0);
  EXPECT_EQ(table_.rows(), 0U);
  EXPECT_EQ(table_.free_rows(), 0U);
}

TEST_F(Extents, ASegmentOfTheWholeParentLeavesNoFreeExtent) {
  expect_cut(0, 4096);
  EXPECT_EQ(rows(), (std::vector<Extent>{{0, 4096, 10}}));
  EXPECT_FAILS(cut(1), Code::no_memory, "no free place of 1 bytes at a multiple of 64: its largest free part has 0");
}

TEST_F(Extents, AnOffsetIsTakenAsItIs) {
  const auto offset = cut(7, 13);
  ASSERT_TRUE(offset);
  EXPECT_EQ(*offset, 13U);
  EXPECT_EQ(rows(), (std::vector<Extent>{{0, 13, 0}, {13, 7, 10}, {20, 4076, 0}}));
}

TEST_F(Extents, TheSmallestHoleThatHoldsItIsTaken) {
  // Holes of 256 at 0, of 128 at 320 and of 192 at 512, then free from 768 on.
  ASSERT_TRUE(cut(64, 256) && cut(64, 448) && cut(64, 704));
  expect_cut(320, 128);
  expect_cut(512, 129);
  expect_cut(0, 200);
  expect_cut(768, 200);
}

TEST_F(Extents, OfEqualHolesTheLowestIsTaken) {
  ASSERT_TRUE(cut(64, 128) && cut(64, 320) && cut(4096 - 384, 384));
  expect_cut(0, 128);
  expect_cut(192, 128);
}

TEST_F(Extents, AlignmentCountsFromTheRootsFile) {
  const Parent parent{.id = 6, .size_bytes = 4096, .root_offset_bytes = 100};
  const auto offset = cut(10, std::nullopt, 64, parent);
  ASSERT_TRUE(offset);
  EXPECT_EQ(*offset, 28U) << "100 + 28 is a multiple of 64";
  EXPECT_FAILS(cut(64, std::nullopt, 4096, {.id = 7, .size_bytes = 4000, .root_offset_bytes = 1}), Code::no_memory,
               "multiple of 4096");
}

TEST_F(Extents, MoreMisfitsThanAreTriedDoNotHideAPlace) {
  // Twelve holes of 64 bytes at odd offsets, and after them one at a multiple of 64. None has 127 bytes.
  const Parent parent{.id = kParent.id, .size_bytes = 1344, .root_offset_bytes = 0};
  ASSERT_TRUE(cut(1, 0, 1, parent));
  for (std::uint64_t hole = 0; hole < 11; ++hole) ASSERT_TRUE(cut(36, hole * 100 + 65, 1, parent));
  ASSERT_TRUE(cut(115, 1165, 1, parent));
  const auto offset = cut(64, std::nullopt, 64, parent);
  ASSERT_TRUE(offset) << offset.error().message;
  EXPECT_EQ(*offset, 1280U);
  EXPECT_FAILS(cut(64, std::nullopt, 64, parent), Code::no_memory, "its largest free part has 64 bytes");
}

TEST_F(Extents, FreedNeighboursJoinAtOnce) {
  for (int part = 0; part < 4; ++part) expect_cut(static_cast<std::uint64_t>(part) * 1024, 1024);
  expect_free(1024);
  EXPECT_EQ(rows()[1], (Extent{1024, 1024, 0}));
  expect_free(0);
  EXPECT_EQ(rows()[0], (Extent{0, 2048, 0}));
  expect_free(3072);
  expect_free(2048);
  EXPECT_EQ(table_.rows(), 0U);
}

TEST_F(Extents, WhatIsTakenIsRefusedAndNamed) {
  ASSERT_TRUE(cut(100, 1000));
  for (const auto& [offset, size] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {1000, 100}, {999, 2}, {1099, 1}, {0, 4096}, {1050, 10}, {900, 150}})
    EXPECT_FAILS(cut(size, offset), Code::info_value, "overlaps a taken part: bytes 1000 to 1100 are the segment 10");
  EXPECT_TRUE(cut(100, 900));
  EXPECT_TRUE(cut(100, 1100));
}

TEST_F(Extents, WhatIsOutsideTheParentIsRefused) {
  for (const auto& [offset, size] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {4096, 1}, {0, 4097}, {4095, 2}, {~std::uint64_t{0}, 2}, {1, ~std::uint64_t{0}}})
    EXPECT_FAILS(cut(size, offset), Code::info_value, "is not inside the allocation 5 of 4096 bytes");
  EXPECT_FAILS(cut(1, 0, 64, {.id = 9}), Code::info_value, "of 0 bytes");
  EXPECT_FAILS(cut(1, std::nullopt, 64, {.id = 9}), Code::no_memory, "has 0 bytes");
  EXPECT_FAILS(cut(~std::uint64_t{0}, std::nullopt, 4096), Code::no_memory, "largest free part has 4096");
}

TEST_F(Extents, NoBytesAndNoPowerOfTwoAreRefused) {
  EXPECT_FAILS(cut(0), Code::invalid_argument, "no bytes");
  for (const std::uint64_t alignment : {0, 3, 96})
    EXPECT_FAILS(cut(1, std::nullopt, alignment), Code::info_value, "a power of two");
}

TEST_F(Extents, ReleasingWhatIsNotThereIsCorrupt) {
  EXPECT_FAILS(release(table_, kParent, {0, 10, 10}), Code::corrupt, "there are none");
  ASSERT_TRUE(cut(100, 0));
  EXPECT_FAILS(release(table_, kParent, {0, 99, 10}), Code::corrupt, "bytes 0 to 100 are the segment 10");
  EXPECT_FAILS(release(table_, kParent, {0, 100, 11}), Code::corrupt, "instead of bytes 0 to 100, the segment 11");
}

TEST_F(Extents, AnySegmentIsFoundWhereverItLies) {
  auto any = any_segment(table_, kParent.id);
  ASSERT_TRUE(any);
  EXPECT_FALSE(*any);
  ASSERT_TRUE(cut(10, 500));
  any = any_segment(table_, kParent.id);
  ASSERT_TRUE(any && *any);
  EXPECT_EQ((*any)->segment_id, 10U);
  ASSERT_TRUE(cut(10, 0));
  any = any_segment(table_, kParent.id);
  ASSERT_TRUE(any && *any);
  EXPECT_EQ((*any)->segment_id, 11U);
}

TEST_F(Extents, CheckNamesEachFault) {
  using Rows = std::vector<Extent>;
  const auto finding = [](const Rows& rows) {
    const auto findings = check(kParent, rows);
    return findings.empty() ? std::string{} : findings.front();
  };
  EXPECT_EQ(finding({}), "");
  EXPECT_EQ(finding({{0, 100, 7}, {100, 3996, 0}}), "");
  EXPECT_NE(finding({{0, 100, 7}, {101, 3995, 0}}).find("a gap: no extent has the bytes 100 to 101"),
            std::string::npos);
  EXPECT_NE(finding({{0, 100, 7}, {99, 3997, 0}}).find("an overlap"), std::string::npos);
  EXPECT_NE(finding({{0, 100, 0}, {100, 96, 0}, {196, 3900, 7}}).find("two free extents meet at 100"),
            std::string::npos);
  EXPECT_NE(finding({{0, 100, 7}}).find("end at 100 of 4096"), std::string::npos);
  EXPECT_NE(finding({{0, 4096, 0}}).find("no segment"), std::string::npos);
  EXPECT_NE(finding({{0, 0, 7}, {0, 4096, 8}}).find("has 0 bytes"), std::string::npos);
}

TEST(ExtentsCost, TheHundredThousandthCutMakesNoMoreTableCallsThanTheThousandth) {
  MapTable table;
  const Parent parent{.id = 1, .size_bytes = std::uint64_t{1} << 40};
  std::mt19937_64 random{1};
  int most[2] = {0, 0};
  int most_released = 0;
  std::vector<Extent> segments;
  for (std::uint64_t id = 1; id <= 100000; ++id) {
    WatchedTable watched{table};
    const std::uint64_t size = std::uniform_int_distribution<std::uint64_t>{1, 10000}(random);
    const auto offset = cut(watched, parent, {.size_bytes = size}, id);
    ASSERT_TRUE(offset) << offset.error().message;
    segments.push_back({*offset, size, id});
    int& worst = most[id <= 1000 ? 0 : 1];
    worst = std::max(worst, watched.calls());
    // One in three goes again, from anywhere.
    if (id % 3 != 0) continue;
    std::swap(segments[random() % segments.size()], segments.back());
    WatchedTable releasing{table};
    ASSERT_TRUE(release(releasing, parent, segments.back()));
    segments.pop_back();
    most_released = std::max(most_released, releasing.calls());
  }
  // Reading the parent, the tries and the certain one; then a row less and three more.
  EXPECT_LE(most[0], 1 + kTries + 1 + 4);
  EXPECT_LE(most[1], 1 + kTries + 1 + 4);
  EXPECT_LE(most_released, 7);
}

}  // namespace
}  // namespace psnam::segments
