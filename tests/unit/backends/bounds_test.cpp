// check_bounds(), total_bytes() and matching_bytes() at their edges: nothing is allocated, sizes are what they like.
#include <gtest/gtest.h>

#include <limits>

#include "backends/transfer.hpp"
#include "unit/backends/buffer.hpp"

namespace psnam::backends {
namespace {

using testing::bytes_layout;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

std::string message(const Status& status) { return status.ok() ? "" : status.error().message; }

TEST(CheckBounds, TheLastByteOfTheRegionFitsAndTheNextDoesNot) {
  const Layout doubles = bytes_layout(8);
  EXPECT_TRUE(check_bounds(92, 1, doubles, 100).ok());
  const Status beyond = check_bounds(93, 1, doubles, 100);
  ASSERT_FALSE(beyond.ok());
  EXPECT_EQ(beyond.error().code, Code::range);
  EXPECT_EQ(beyond.error().message, "the access covers bytes 93 to 100 of a region of 100 bytes");
  EXPECT_EQ(message(check_bounds(-1, 1, doubles, 100)), "the access covers bytes -1 to 6 of a region of 100 bytes");
}

TEST(CheckBounds, AnAccessOfNothingIsInsideWhereverItIs) {
  EXPECT_TRUE(check_bounds(-5, 0, bytes_layout(8), 0).ok());
  EXPECT_TRUE(check_bounds(kMax, 0, bytes_layout(8), 10).ok());
  EXPECT_TRUE(check_bounds(1000, 7, bytes_layout(0), 10).ok());
}

TEST(CheckBounds, ANegativeCountIsACountError) {
  const Status status = check_bounds(0, -3, bytes_layout(8), 100);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::count);
  EXPECT_EQ(status.error().message, "count -3 is negative");
}

TEST(CheckBounds, ElementsThatGoBackwardsAreInsideWhenTheirFirstByteIs) {
  const Layout backwards{4, -4, 0, 4, false, {backends::Run{0, 4, 0, 1}}};
  EXPECT_TRUE(check_bounds(12, 4, backwards, 16).ok());
  EXPECT_FALSE(check_bounds(8, 4, backwards, 16).ok());
  EXPECT_FALSE(check_bounds(13, 4, backwards, 16).ok());
}

TEST(CheckBounds, LowerBoundsMoveTheAccess) {
  const Layout before{4, 4, -8, -4, true, {backends::Run{-8, 4, 0, 1}}};
  EXPECT_TRUE(check_bounds(8, 2, before, 8).ok());
  EXPECT_FALSE(check_bounds(7, 2, before, 8).ok());
}

TEST(CheckBounds, NoNumbersOverflowIt) {
  const Layout large{1, kMax, 0, 1, false, {backends::Run{0, 1, 0, 1}}};
  EXPECT_FALSE(check_bounds(kMax, kMax, large, kAll).ok());
  EXPECT_FALSE(check_bounds(kMin, kMax, large, kAll).ok());
  const Layout negative{1, kMin, kMin, kMin + 1, false, {backends::Run{kMin, 1, 0, 1}}};
  EXPECT_FALSE(check_bounds(kMin, kMax, negative, kAll).ok());
  EXPECT_TRUE(check_bounds(kMax, 1, bytes_layout(1), kAll).ok());
  // In 64 bits these ends would be 2^63, negative; 2^64, zero; and 2^64 + 2^62, 2^62.
  const Layout far{1, std::ptrdiff_t{1} << 62, 0, 1, false, {backends::Run{0, 1, 0, 1}}};
  for (const std::int64_t count : {1, 3, 4})
    EXPECT_FALSE(check_bounds(kMax, count, far, std::uint64_t{1} << 62).ok()) << count;
  EXPECT_FALSE(check_bounds(kMax, 4, far, kAll).ok());
}

TEST(CheckBounds, RegionsOfManyGibibytesAreExactToTheByte) {
  constexpr std::size_t kTeeth = std::size_t{1} << 20;
  constexpr std::ptrdiff_t kStride = 4096 * 8, kEnd = (std::ptrdiff_t{kTeeth} - 1) * kStride + 8;
  const Layout comb{kTeeth * 8, kEnd, 0, kEnd, false, {backends::Run{0, 8, kStride, kTeeth}}};
  const std::uint64_t needed = ((std::uint64_t{1} << 20) - 1) * 4096 * 8 + 8;
  EXPECT_TRUE(check_bounds(0, 1, comb, needed).ok());
  EXPECT_FALSE(check_bounds(0, 1, comb, needed - 1).ok());
  EXPECT_TRUE(check_bounds(5'000'000'000, 3, comb, 5'000'000'000 + 3 * needed).ok());
  EXPECT_FALSE(check_bounds(5'000'000'000, 3, comb, 5'000'000'000 + 3 * needed - 1).ok());
}

TEST(TotalBytes, OverflowIsACountError) {
  EXPECT_EQ(*total_bytes(5, bytes_layout(8)), 40U);
  const Result<std::uint64_t> lost = total_bytes(kMax, bytes_layout(8));
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, Code::count);
}

TEST(MatchingBytes, AreTheBytesOfBothSides) { EXPECT_EQ(*matching_bytes(6, bytes_layout(4), 3, bytes_layout(8)), 24U); }

TEST(MatchingBytes, DifferentTotalsAreADatatypeErrorWithBothValues) {
  const Result<std::uint64_t> different = matching_bytes(6, bytes_layout(4), 2, bytes_layout(8));
  ASSERT_FALSE(different.ok());
  EXPECT_EQ(different.error().code, Code::datatype);
  EXPECT_EQ(different.error().message,
            "the origin side has 24 bytes (6 elements of 4), the target side 16 (2 elements of 8)");
}

TEST(MatchingBytes, ANegativeCountOnEitherSideIsACountError) {
  EXPECT_EQ(matching_bytes(-1, bytes_layout(4), 1, bytes_layout(4)).error().code, Code::count);
  EXPECT_EQ(matching_bytes(1, bytes_layout(4), -2, bytes_layout(4)).error().message, "count -2 is negative");
}

}  // namespace
}  // namespace psnam::backends
