#include "structures/structure.hpp"

#include <gtest/gtest.h>

namespace psnam::structures {
namespace {

using format::Manifestation;
using format::Structure;

const std::vector<RankRequest> kThree{{100, 4, 0, Manifestation::libnam},
                                      {0, 8, 0, Manifestation::persistent_shm},
                                      {50, 2, 1, Manifestation::persistent_shm}};

TEST(RawAndFlat, IsOneRegionOfRankZero) {
  const std::vector<RankRequest> requests{{100, 4, 0, Manifestation::libnam}, {0, 8, 1, Manifestation::persistent_shm}};
  const auto regions = structure(Structure::raw_and_flat).plan(requests);
  ASSERT_TRUE(regions);
  ASSERT_EQ(regions->size(), 2U);
  EXPECT_EQ((*regions)[0], (format::RegionRecord{100, 1, 0, 4, 0, Manifestation::libnam}));
  EXPECT_EQ((*regions)[1].size_bytes, 0U);
  EXPECT_EQ((*regions)[1].allocation_id, 0U);
  EXPECT_EQ(file_part(*regions, 0).bytes, 100U);
  EXPECT_EQ(file_part(*regions, 1).bytes, 0U);
}

TEST(RawAndFlat, ASizeOnAnotherRankIsRefusedByName) {
  const auto regions = structure(Structure::raw_and_flat).plan(kThree);
  ASSERT_FALSE(regions);
  EXPECT_EQ(regions.error().code, Code::size);
  EXPECT_NE(regions.error().message.find("size = 50 on rank 2"), std::string::npos) << regions.error().message;
}

TEST(ManagedContiguous, IsOneAllocationOfRankZeroCutInRankOrder) {
  const auto regions = structure(Structure::managed_contiguous).plan(kThree);
  ASSERT_TRUE(regions);
  EXPECT_EQ((*regions)[0], (format::RegionRecord{100, 1, 0, 4, 0, Manifestation::libnam}));
  EXPECT_EQ((*regions)[1], (format::RegionRecord{0, 0, 100, 8, 0, Manifestation::libnam}));
  EXPECT_EQ((*regions)[2], (format::RegionRecord{50, 1, 100, 2, 0, Manifestation::libnam}));
  EXPECT_EQ(file_part(*regions, 0).bytes, 150U);
  EXPECT_EQ(file_part(*regions, 2).bytes, 150U);
  for (std::uint32_t rank = 0; rank < 3; ++rank) EXPECT_EQ(structure(Structure::managed_contiguous).creator(rank), 0U);
}

TEST(ManagedContiguous, ASumBeyond64BitsIsRefused) {
  const std::vector<RankRequest> requests{{UINT64_MAX - 1}, {1}, {1}};
  EXPECT_TRUE(structure(Structure::managed_contiguous).plan(std::span{requests}.first(2)));
  const auto regions = structure(Structure::managed_contiguous).plan(requests);
  ASSERT_FALSE(regions);
  EXPECT_EQ(regions.error().code, Code::size);
  EXPECT_NE(regions.error().message.find("ranks 0 to 2"), std::string::npos) << regions.error().message;
}

TEST(FileParts, OfSegmentsInOneFileAreApart) {
  std::vector<format::RegionRecord> regions(4);
  for (std::size_t rank = 0; rank < regions.size(); ++rank) {
    regions[rank].size_bytes = 100;
    regions[rank].allocation_id = 7;
    regions[rank].source = format::RegionSource::segment;
    regions[rank].segment_id = rank < 2 ? 11 : 12;
    regions[rank].offset_bytes = 1000 * (rank + 1);
  }
  EXPECT_EQ(file_part(regions, 1).offset_bytes, 1000U);
  EXPECT_EQ(file_part(regions, 1).bytes, 1100U);
  EXPECT_EQ(file_part(regions, 2).offset_bytes, 3000U);
  EXPECT_EQ(file_part(regions, 2).bytes, 1100U);
  EXPECT_TRUE(share_allocation(regions[0], regions[1]));
  EXPECT_FALSE(share_allocation(regions[1], regions[2]));
}

TEST(ManagedDistributed, IsAnAllocationForEachRankThatAsks) {
  const auto regions = structure(Structure::managed_distributed).plan(kThree);
  ASSERT_TRUE(regions);
  EXPECT_EQ((*regions)[0], (format::RegionRecord{100, 1, 0, 4, 0, Manifestation::libnam}));
  EXPECT_EQ((*regions)[1], (format::RegionRecord{0, 0, 0, 8, 0, Manifestation::persistent_shm}));
  EXPECT_EQ((*regions)[2], (format::RegionRecord{50, 2, 0, 2, 1, Manifestation::persistent_shm}));
  for (std::uint32_t rank = 0; rank < 3; ++rank)
    EXPECT_EQ(structure(Structure::managed_distributed).creator(rank), rank);
  EXPECT_EQ(file_part(*regions, 2).bytes, 50U);
}

// Holds for every structure in the table.
class EveryStructure : public testing::TestWithParam<Choice<Structure>> {};

INSTANTIATE_TEST_SUITE_P(Table, EveryStructure, testing::ValuesIn(format::kStructures),
                         [](const auto& of) { return std::string{of.param.name}; });

TEST_P(EveryStructure, KeepsSizesAndUnitsAndGivesNoMemoryToNoBytes) {
  std::vector<RankRequest> requests = kThree;
  if (GetParam().value == Structure::raw_and_flat) requests[2].size_bytes = 0;
  const auto regions = structure(GetParam().value).plan(requests);
  ASSERT_TRUE(regions);
  ASSERT_EQ(regions->size(), requests.size());
  for (std::size_t rank = 0; rank < requests.size(); ++rank) {
    EXPECT_EQ((*regions)[rank].size_bytes, requests[rank].size_bytes);
    EXPECT_EQ((*regions)[rank].displacement_unit, requests[rank].displacement_unit);
    EXPECT_EQ((*regions)[rank].allocation_id != 0, requests[rank].size_bytes != 0) << "rank " << rank;
  }
}

TEST_P(EveryStructure, OfNoBytesHasNoMemory) {
  const std::vector<RankRequest> requests(4);
  const auto regions = structure(GetParam().value).plan(requests);
  ASSERT_TRUE(regions);
  for (const auto& region : *regions) EXPECT_EQ(region.allocation_id, 0U);
}

TEST_P(EveryStructure, RegionsOfOneAllocationDoNotOverlap) {
  const std::vector<RankRequest> requests{{10}, {20}, {30}};
  const auto regions =
      structure(GetParam().value)
          .plan(GetParam().value == Structure::raw_and_flat ? std::span{requests}.first(1) : std::span{requests});
  ASSERT_TRUE(regions);
  for (std::size_t a = 0; a < regions->size(); ++a)
    for (std::size_t b = a + 1; b < regions->size(); ++b) {
      const auto& one = (*regions)[a];
      const auto& other = (*regions)[b];
      EXPECT_TRUE(one.allocation_id != other.allocation_id || one.offset_bytes + one.size_bytes <= other.offset_bytes);
    }
}

}  // namespace
}  // namespace psnam::structures
