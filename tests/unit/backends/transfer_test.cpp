// transfer() on chosen layouts: each of its ways through, and buffers without a base address.
#include "backends/transfer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "unit/backends/buffer.hpp"

namespace psnam::backends {
namespace {

using testing::bytes_layout;

// `count` blocks of `length`, `stride` apart; the extent goes on at the same distance.
Layout strided(std::size_t length, std::ptrdiff_t stride, std::size_t count) {
  const auto n = static_cast<std::ptrdiff_t>(count);
  return Layout{length * count,
                stride * n,
                0,
                stride * (n - 1) + static_cast<std::ptrdiff_t>(length),
                false,
                {backends::Run{0, length, stride, count}}};
}

std::vector<std::byte> counted(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

class BlockLength : public ::testing::TestWithParam<std::size_t> {};

TEST_P(BlockLength, GathersStridedBlocksAndScattersThemBack) {
  const std::size_t length = GetParam(), count = 37;
  const auto stride = static_cast<std::ptrdiff_t>(length + 5);
  const Layout holes = strided(length, stride, count), flat = bytes_layout(length * count);
  std::vector<std::byte> source = counted(static_cast<std::size_t>(holes.extent) * 2), packed(2 * flat.size);
  transfer(Side{packed.data(), 2, &flat}, Side{source.data(), 2, &holes});
  for (std::size_t block = 0; block < 2 * count; ++block)
    for (std::size_t i = 0; i < length; ++i)
      ASSERT_EQ(packed[block * length + i], source[block * (length + 5) + i]) << block << " " << i;

  std::vector<std::byte> back(source.size());
  transfer(Side{back.data(), 2, &holes}, Side{packed.data(), 2, &flat});
  for (std::size_t at = 0; at < back.size(); ++at)
    ASSERT_EQ(back[at], at % (length + 5) < length ? source[at] : std::byte{0}) << at;
}

TEST_P(BlockLength, CopiesBetweenTwoStrides) {
  const std::size_t length = GetParam(), count = 50;
  const Layout from = strided(length, static_cast<std::ptrdiff_t>(length + 3), count);
  const Layout to = strided(length, static_cast<std::ptrdiff_t>(length + 8), count);
  std::vector<std::byte> source = counted(static_cast<std::size_t>(from.extent)),
                         target(static_cast<std::size_t>(to.extent));
  transfer(Side{target.data(), 1, &to}, Side{source.data(), 1, &from});
  for (std::size_t at = 0; at < target.size(); ++at) {
    const std::size_t block = at / (length + 8), i = at % (length + 8);
    ASSERT_EQ(target[at], i < length ? source[block * (length + 3) + i] : std::byte{0}) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, BlockLength, ::testing::Values(1, 2, 3, 4, 7, 8, 12, 16, 24, 64, 100, 1000));

TEST(Transfer, SplitsBlocksOfLengthsThatDoNotDivideEachOther) {
  const Layout sixes = strided(6, 11, 20), tens = strided(10, 13, 12);
  ASSERT_EQ(sixes.size, tens.size);
  std::vector<std::byte> source = counted(static_cast<std::size_t>(sixes.extent)),
                         target(static_cast<std::size_t>(tens.extent));
  transfer(Side{target.data(), 1, &tens}, Side{source.data(), 1, &sixes});
  for (std::size_t n = 0; n < tens.size; ++n) ASSERT_EQ(target[n / 10 * 13 + n % 10], source[n / 6 * 11 + n % 6]) << n;
}

TEST(Transfer, GoesBackwardsWithANegativeStride) {
  const Layout backwards{16, 16, -12, 4, false, {backends::Run{0, 4, -4, 4}}};
  const std::vector<int> source{1, 2, 3, 4};
  std::vector<int> target(4);
  const Layout flat = bytes_layout(16);
  auto* const from = reinterpret_cast<std::byte*>(const_cast<int*>(source.data()));
  transfer(Side{reinterpret_cast<std::byte*>(target.data() + 3), 1, &backwards}, Side{from, 1, &flat});
  EXPECT_EQ(target, (std::vector<int>{4, 3, 2, 1}));
}

TEST(Transfer, RepeatsAnElementOfExtentZero) {
  const Layout again{4, 0, 0, 4, false, {backends::Run{0, 4, 0, 1}}}, flat = bytes_layout(12);
  int source = 42;
  std::vector<int> target(3);
  transfer(Side{reinterpret_cast<std::byte*>(target.data()), 1, &flat},
           Side{reinterpret_cast<std::byte*>(&source), 3, &again});
  EXPECT_EQ(target, (std::vector<int>{42, 42, 42}));
}

// MPI_BOTTOM: the offsets of the type are absolute addresses.
TEST(Transfer, TakesAbsoluteAddressesFromAnOriginWithoutABase) {
  int first = 17;
  std::vector<double> second{2.5, 3.5};
  const auto first_at = reinterpret_cast<std::ptrdiff_t>(&first),
             second_at = reinterpret_cast<std::ptrdiff_t>(second.data());
  Layout absolute{20, 0, std::min(first_at, second_at), std::max(first_at + 4, second_at + 16), false, {}};
  absolute.runs = {backends::Run{first_at, 4, 0, 1}, backends::Run{second_at, 16, 0, 1}};
  std::vector<std::byte> packed(20);
  const Layout flat = bytes_layout(20);
  transfer(Side{packed.data(), 1, &flat}, Side{nullptr, 1, &absolute});
  EXPECT_EQ(std::memcmp(packed.data(), &first, 4), 0);
  EXPECT_EQ(std::memcmp(packed.data() + 4, second.data(), 16), 0);

  first = 0;
  second.assign(2, 0.0);
  transfer(Side{nullptr, 1, &absolute}, Side{packed.data(), 1, &flat});
  EXPECT_EQ(first, 17);
  EXPECT_EQ(second, (std::vector<double>{2.5, 3.5}));
}

TEST(Transfer, OfNothingTouchesNothing) {
  const Layout empty = bytes_layout(0), four = bytes_layout(4);
  transfer(Side{nullptr, 5, &empty}, Side{nullptr, 0, &four});
  transfer(Side{nullptr, 0, &four}, Side{nullptr, 3, &empty});
}

}  // namespace
}  // namespace psnam::backends
