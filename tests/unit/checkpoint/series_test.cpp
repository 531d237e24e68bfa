#include "checkpoint/series.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "format/checkpoint_page.hpp"

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
  Series series = series_of({0, 1, 0, 1, 0}, 2);
  for (const std::uint32_t kept : {2U, 3U, 8U}) {
    series.kept = kept;
    const auto read = decode_series(encode(series));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, series);
  }
  EXPECT_EQ(series.ranks_of(0), (std::vector<std::uint32_t>{0, 2, 4}));
  EXPECT_EQ(series.member(4), 2U);
  EXPECT_EQ(series.member(1), 0U);
}

TEST(SeriesOfCheckpoints, AChangedByteOrAShortPageIsRefused) {
  const auto page = encode(series_of({0, 1, 0, 1, 0}, 2));
  // What comes then are 4 bytes of nothing, and the newest version.
  const std::size_t checked = sizeof(format::CheckpointSeriesHeader) + 5 * sizeof(std::uint32_t);
  for (std::size_t at = 0; at < checked; ++at) {
    auto changed = page;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(decode_series(changed)) << at;
  }
  for (std::size_t length = 0; length < checked; ++length)
    EXPECT_FALSE(decode_series(std::span{page}.first(length))) << length;
}

TEST(SeriesOfCheckpoints, ANewestVersionThatIsNotAsItWasWrittenIsNone) {
  Series series = series_of({0, 1, 0, 1, 0}, 2);
  series.newest = 12;
  const auto page = encode(series);
  EXPECT_EQ(decode_series(page)->newest, 12U);
  for (std::size_t at = page.size() - 16; at < page.size(); ++at) {
    auto changed = page;
    changed[at] ^= std::byte{1};
    const auto read = decode_series(changed);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->newest, 0U) << at;
  }
  EXPECT_EQ(decode_series(std::span{page}.first(page.size() - 1))->newest, 0U);
}

TEST(SeriesOfCheckpoints, PartnersAreOnAnotherNodeWhereThereIsOne) {
  EXPECT_EQ(choose_partners(std::vector{node(1)}), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(choose_partners(std::vector{node(1), node(1), node(1)}), (std::vector<std::uint32_t>{1, 2, 0}));
  for (const std::uint32_t nodes : {2U, 3U, 5U})
    for (const std::uint32_t ranks : {5U, 7U, 16U}) {
      std::vector<format::Uuid> where;
      for (std::uint32_t rank = 0; rank < ranks; ++rank) where.push_back(node(rank * rank % nodes));
      const auto partner_of = choose_partners(where);
      for (std::uint32_t rank = 0; rank < ranks; ++rank) EXPECT_NE(where[partner_of[rank]], where[rank]) << rank;
    }
}

TEST(SeriesOfCheckpoints, PartnersAndTheFormerSeriesAreKept) {
  Series series = series_of({0, 0, 0}, 1);
  series.parities = 0;
  EXPECT_FALSE(decode_series(encode(series))) << "unprotected";
  series.partner_of = {1, 2, 0};
  series.former = {{5}};
  EXPECT_EQ(*decode_series(encode(series)), series);
  EXPECT_EQ(series.wards_of(0), (std::vector<std::uint32_t>{2}));
  series.partner_of = {1, 2, 3};
  EXPECT_FALSE(decode_series(encode(series))) << "a partner that there is not";
}

TEST(SeriesOfCheckpoints, SetsThatCannotBeAreRefused) {
  EXPECT_FALSE(decode_series(encode(series_of({0, 0, 0}, 2)))) << "an empty set";
  EXPECT_FALSE(decode_series(encode(series_of({0, 5}, 1)))) << "a set that there is not";
  EXPECT_FALSE(decode_series(encode(series_of({}, 0))));
  EXPECT_FALSE(decode_series(encode(series_of(std::vector<std::uint32_t>(255), 1)))) << "too large for the code";
}

}  // namespace
}  // namespace psnam::checkpoint
