#include "checkpoint/series.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace psnam::checkpoint {
namespace {

format::Uuid node(std::uint32_t number) { return {{static_cast<std::uint8_t>(number)}}; }

Series series_of(std::vector<std::uint32_t> set_of, std::uint32_t sets) {
  return {
      .id = {{9, 8}}, .name = "mine", .sets = sets, .parities = 1, .block_bytes = 65536, .set_of = std::move(set_of)};
}

TEST(Placement, ALostNodeCostsEachSetAsFewRanksAsPossible) {
  for (const std::uint32_t nodes : {1U, 2U, 3U, 5U, 8U})
    for (const std::uint32_t ranks : {1U, 2U, 7U, 16U, 33U})
      for (std::uint32_t sets = 1; sets <= ranks; ++sets) {
        std::vector<format::Uuid> where;
        for (std::uint32_t rank = 0; rank < ranks; ++rank) where.push_back(node(rank % nodes));
        const auto set_of = deal_out(where, sets);
        std::map<std::pair<std::uint32_t, format::Uuid>, std::uint32_t> together;
        std::map<std::uint32_t, std::uint32_t> sizes;
        std::map<format::Uuid, std::uint32_t> on_node;
        for (std::uint32_t rank = 0; rank < ranks; ++rank) {
          ++together[{set_of[rank], where[rank]}];
          ++sizes[set_of[rank]];
          ++on_node[where[rank]];
        }
        EXPECT_EQ(sizes.size(), sets);
        for (const auto& [set, size] : sizes) {
          EXPECT_GE(size, ranks / sets);
          EXPECT_LE(size, (ranks + sets - 1) / sets);
        }
        for (const auto& [place, count] : together) EXPECT_LE(count, (on_node[place.second] + sets - 1) / sets);
      }
}

TEST(Placement, SetsAreNoLargerThanAskedForAndThanACodeCanBe) {
  EXPECT_EQ(count_sets(4, 0, 1), 1U);
  EXPECT_EQ(count_sets(4, 2, 1), 2U);
  EXPECT_EQ(count_sets(5, 2, 1), 3U);
  EXPECT_EQ(count_sets(254, 0, 1), 1U);
  EXPECT_EQ(count_sets(255, 0, 1), 2U);
  EXPECT_EQ(count_sets(255, 0, 254), 255U);
  EXPECT_EQ(count_sets(1000, 1000, 5), 4U);
}

TEST(SeriesOfCheckpoints, ComesBackAsItWasWritten) {
  const Series series = series_of({0, 1, 0, 1, 0}, 2);
  const auto page = encode(series);
  const auto read = decode_series(page);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, series);
  EXPECT_EQ(series.ranks_of(0), (std::vector<std::uint32_t>{0, 2, 4}));
  EXPECT_EQ(series.member(4), 2U);
  EXPECT_EQ(series.member(1), 0U);
}

TEST(SeriesOfCheckpoints, AChangedByteOrAShortPageIsRefused) {
  const auto page = encode(series_of({0, 1, 0, 1, 0}, 2));
  for (std::size_t at = 0; at < page.size(); ++at) {
    auto changed = page;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(decode_series(changed)) << at;
  }
  for (std::size_t length = 0; length < page.size(); ++length)
    EXPECT_FALSE(decode_series(std::span{page}.first(length))) << length;
}

TEST(SeriesOfCheckpoints, SetsThatCannotBeAreRefused) {
  EXPECT_FALSE(decode_series(encode(series_of({0, 0, 0}, 2)))) << "an empty set";
  EXPECT_FALSE(decode_series(encode(series_of({0, 5}, 1)))) << "a set that there is not";
  EXPECT_FALSE(decode_series(encode(series_of({}, 0))));
  EXPECT_FALSE(decode_series(encode(series_of(std::vector<std::uint32_t>(255), 1)))) << "too large for the code";
}

}  // namespace
}  // namespace psnam::checkpoint
