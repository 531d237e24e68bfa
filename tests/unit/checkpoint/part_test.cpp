#include "checkpoint/part.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

namespace psnam::checkpoint {
namespace {

Part part(std::uint64_t element_bytes, std::vector<Extent> extents) {
  return {.share = Share::part, .element_bytes = element_bytes, .extents = std::move(extents)};
}

/// Numbers of the bytes of a box of an array, in its order, as a block has them at the offsets that Runs gives.
std::vector<std::uint64_t> bytes_of(const Part& block, const Box& box, std::uint64_t most) {
  std::vector<std::uint64_t> offsets;
  Runs runs{block, box};
  while (runs.left() != 0) {
    const auto run = runs.next(most);
    EXPECT_LE(run.bytes, most);
    for (std::uint64_t at = 0; at < run.bytes; ++at) offsets.push_back(run.offset + at);
  }
  return offsets;
}

TEST(PartOfAnArray, IsRefusedWithWhatIsWrong) {
  EXPECT_TRUE(check(part(8, {{10, 4, 6}})));
  EXPECT_TRUE(check(part(8, {{10, 0, 10}})));
  EXPECT_TRUE(check(Part{}));
  EXPECT_EQ(check(part(8, {})).error().message, "an array of 0 dimensions: 1 to 8 are possible");
  EXPECT_EQ(check(part(8, std::vector<Extent>(9))).error().message, "an array of 9 dimensions: 1 to 8 are possible");
  EXPECT_EQ(check(part(0, {{1, 1, 0}})).error().message, "elements of 0 bytes");
  EXPECT_EQ(check(part(8, {{3, 1, 0}, {10, 4, 7}})).error().message,
            "dimension 1: 4 elements from 7 on are not inside of 10");
  EXPECT_FALSE(check(part(8, {{10, 1, ~std::uint64_t{0}}})));
  constexpr std::uint64_t kLarge = std::uint64_t{1} << 32;
  EXPECT_EQ(check(part(8, {{kLarge, 1, 0}, {kLarge, 1, 0}})).error().message,
            "4294967296 x 4294967296 elements of 8 bytes are too many");
}

TEST(PartOfAnArray, KnowsWhereABoxLiesInIt) {
  // 4 x 5 of a larger array, from (10, 20) on.
  const Part block = part(2, {{100, 4, 10}, {100, 5, 20}});
  EXPECT_EQ(bytes_of(block, {{11, 2}, {21, 2}}, 100), (std::vector<std::uint64_t>{12, 13, 14, 15, 22, 23, 24, 25}));
  // Whole rows lie together.
  Runs rows{block, {{11, 2}, {20, 5}}};
  const auto run = rows.next(100);
  EXPECT_EQ(run.offset, 10U);
  EXPECT_EQ(run.bytes, 20U);
  EXPECT_EQ(rows.left(), 0U);
  for (const std::uint64_t most : {1U, 3U, 7U})
    EXPECT_EQ(bytes_of(block, {{11, 2}, {21, 2}}, most), bytes_of(block, {{11, 2}, {21, 2}}, 100));
}

/// An array of up to four dimensions, and boxes of it.
class RandomDivisions : public ::testing::Test {
 protected:
  std::uint64_t draw(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{least, most}(random_);
  }
  void draw_array() {
    sizes_.resize(draw(1, 4));
    for (std::uint64_t& size : sizes_) size = draw(1, 7);
  }
  Box draw_box() {
    Box box;
    for (const std::uint64_t size : sizes_) {
      const std::uint64_t first = draw(0, size);
      box.push_back({first, draw(0, size - first)});
    }
    return box;
  }
  [[nodiscard]] Part block_of(const Box& box) const {
    Part block = part(1, {});
    for (std::size_t one = 0; one < box.size(); ++one)
      block.extents.push_back({sizes_[one], box[one].count, box[one].first});
    return block;
  }
  [[nodiscard]] std::uint64_t elements() const {
    return std::accumulate(sizes_.begin(), sizes_.end(), std::uint64_t{1}, std::multiplies{});
  }
  /// The numbers of the elements of a box in the array.
  [[nodiscard]] std::vector<std::uint64_t> numbers_of(const Box& box) const {
    Part whole = part(1, {});
    for (const std::uint64_t size : sizes_) whole.extents.push_back({size, size, 0});
    return bytes_of(whole, box, 1000);
  }

  std::mt19937_64 random_{20261126};
  std::vector<std::uint64_t> sizes_;
};

TEST_F(RandomDivisions, GiveEveryElementOnceAndRightOrNameWhatIsMissing) {
  for (int round = 0; round < 3000; ++round) {
    draw_array();
    // What ranks have saved: each its element's number, in its own block.
    std::vector<Box> sources(draw(1, 5));
    std::vector<std::vector<std::uint64_t>> saved;
    for (Box& source : sources) {
      source = draw_box();
      saved.push_back(numbers_of(source));
    }
    const Box wanted = draw_box();
    const FetchPlan plan = plan_fetches(wanted, sources);
    std::vector<std::uint64_t> got(volume(wanted), elements());
    for (const Fetch& fetch : plan.fetches) {
      const auto from = bytes_of(block_of(sources[fetch.source]), fetch.box, 3);
      const auto to = bytes_of(block_of(wanted), fetch.box, 5);
      ASSERT_EQ(from.size(), to.size());
      for (std::size_t one = 0; one < from.size(); ++one) {
        ASSERT_EQ(got.at(to[one]), elements()) << "twice";
        got.at(to[one]) = saved[fetch.source].at(from[one]);
      }
    }
    const auto expected = numbers_of(wanted);
    std::vector<bool> is_saved(elements());
    for (const auto& block : saved)
      for (const std::uint64_t number : block) is_saved[number] = true;
    bool all = true;
    for (std::size_t one = 0; one < got.size(); ++one) {
      ASSERT_EQ(got[one], is_saved[expected[one]] ? expected[one] : elements());
      all = all && is_saved[expected[one]];
    }
    ASSERT_EQ(plan.missing.empty(), all);
    if (!all) {
      for (const std::uint64_t number : numbers_of(plan.missing)) ASSERT_FALSE(is_saved[number]);
    }
  }
}

}  // namespace
}  // namespace psnam::checkpoint
