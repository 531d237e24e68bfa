// Random types: what flatten() and transfer() make of them must be their type map by definition, and what MPI_Pack and
// MPI_Unpack do.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "backends/transfer.hpp"
#include "rma/flatten.hpp"
#include "unit/backends/buffer.hpp"
#include "unit/rma/random_types.hpp"

namespace psnam::rma {
namespace {

using namespace backends;

using backends::testing::Buffer;
using backends::testing::bytes_layout;
using testing::RandomType;
using testing::TypeGenerator;
using testing::TypeMap;
using testing::Variety;

constexpr unsigned kSeed = 20260107;
constexpr int kTypes = 3000;

// Whether the bytes named by `count` elements are all different: only then does the result of writing not depend on an
// order.
bool names_no_byte_twice(const TypeMap& map, int count, std::int64_t extent) {
  TypeMap all;
  for (int i = 0; i < count; ++i)
    for (const std::int64_t offset : map) all.push_back(offset + i * extent);
  std::ranges::sort(all);
  return std::ranges::adjacent_find(all) == all.end();
}

std::vector<std::byte> packed_by_mpi(Buffer& buffer, int count, const RandomType& random, std::size_t size) {
  std::vector<std::byte> packed(size);
  int position = 0;
  MPI_Pack(buffer.origin(), count, random.type.get(), packed.data(), static_cast<int>(size), &position, MPI_COMM_SELF);
  EXPECT_EQ(static_cast<std::size_t>(position), size);
  return packed;
}

void unpack_by_mpi(std::vector<std::byte> data, Buffer& buffer, int count, const RandomType& random) {
  int position = 0;
  MPI_Unpack(data.data(), static_cast<int>(data.size()), &position, buffer.origin(), count, random.type.get(),
             MPI_COMM_SELF);
}

class RandomTypes : public ::testing::Test {
 protected:
  /// Calls `body(i, random type, layout)` for many types with data.
  template <class Body>
  void for_many(unsigned seed, Variety variety, Body&& body) {
    TypeGenerator generator{seed, variety};
    int with_data = 0;
    for (int i = 0; i < kTypes; ++i) {
      const RandomType random = generator.make(4);
      SCOPED_TRACE(fmt::format("seed {} type {}: {}", seed, i, random.description));
      const Result<Layout> layout = flatten(real_, random.type.get());
      ASSERT_TRUE(layout.ok()) << layout.error().message;
      ASSERT_EQ(layout->size, random.map.size());
      if (layout->size == 0) continue;
      ++with_data;
      ASSERT_NO_FATAL_FAILURE(body(static_cast<unsigned>(i), generator, random, *layout));
    }
    EXPECT_GT(with_data, kTypes / 3);
  }

  const Real real_ = testing::linked_real();
};

TEST_F(RandomTypes, HaveRunsThatSpellTheirTypeMapWithNeighboursMerged) {
  for_many(kSeed, Variety::any, [](unsigned, TypeGenerator&, const RandomType& random, const Layout& layout) {
    TypeMap spelled;
    std::int64_t end = std::numeric_limits<std::int64_t>::min();
    for (const backends::Run& run : layout.runs)
      for (std::size_t block = 0; block < run.count; ++block) {
        const std::int64_t begin = run.offset + static_cast<std::int64_t>(block) * run.stride;
        ASSERT_NE(begin, end) << "two blocks touch";
        end = begin + static_cast<std::int64_t>(run.length);
        for (std::int64_t at = begin; at < end; ++at) spelled.push_back(at);
      }
    ASSERT_EQ(spelled, random.map);
    EXPECT_EQ(layout.true_lb, *std::ranges::min_element(random.map));
    EXPECT_EQ(layout.true_ub, *std::ranges::max_element(random.map) + 1);
    // Contiguous: two elements are twice as many bytes in a row.
    bool in_a_row = layout.extent == static_cast<std::ptrdiff_t>(layout.size);
    for (std::size_t i = 0; i < random.map.size(); ++i)
      in_a_row = in_a_row && random.map[i] == layout.true_lb + static_cast<std::int64_t>(i);
    EXPECT_EQ(layout.contiguous, in_a_row);
  });
}

TEST_F(RandomTypes, AreGatheredInTheOrderOfTheirTypeMap) {
  for_many(
      kSeed + 1, Variety::any,
      [](unsigned i, TypeGenerator& generator, const RandomType& random, const Layout& layout) {
        const int count = generator.number(1, 3);
        Buffer buffer{layout, count, i};
        std::vector<std::byte> expected, gathered(layout.size * static_cast<std::size_t>(count));
        for (int element = 0; element < count; ++element)
          for (const std::int64_t offset : random.map) expected.push_back(buffer.at(element * layout.extent + offset));
        const Layout flat = bytes_layout(gathered.size());
        transfer(Side{gathered.data(), 1, &flat}, Side{buffer.origin(), static_cast<std::uint64_t>(count), &layout});
        ASSERT_EQ(gathered, expected);
      });
}

TEST_F(RandomTypes, AreScatteredInTheOrderOfTheirTypeMapAndTouchNothingElse) {
  for_many(
      kSeed + 2, Variety::any,
      [](unsigned i, TypeGenerator& generator, const RandomType& random, const Layout& layout) {
        const int count = generator.number(1, 3);
        Buffer expected{layout, count, i}, scattered{layout, count, i};
        std::vector<std::byte> data(layout.size * static_cast<std::size_t>(count));
        for (std::size_t k = 0; k < data.size(); ++k) data[k] = static_cast<std::byte>(k * 31 + k / 256 + 7);
        std::size_t next = 0;
        for (int element = 0; element < count; ++element)
          for (const std::int64_t offset : random.map) expected.at(element * layout.extent + offset) = data[next++];
        const Layout flat = bytes_layout(data.size());
        transfer(Side{scattered.origin(), static_cast<std::uint64_t>(count), &layout}, Side{data.data(), 1, &flat});
        ASSERT_EQ(scattered.bytes(), expected.bytes());
      });
}

TEST_F(RandomTypes, AreGatheredAsMpiPackGathersThem) {
  for_many(
      kSeed + 3, Variety::packable,
      [](unsigned i, TypeGenerator& generator, const RandomType& random, const Layout& layout) {
        const int count = generator.number(1, 3);
        Buffer buffer{layout, count, i};
        std::vector<std::byte> gathered(layout.size * static_cast<std::size_t>(count));
        const Layout flat = bytes_layout(gathered.size());
        transfer(Side{gathered.data(), 1, &flat}, Side{buffer.origin(), static_cast<std::uint64_t>(count), &layout});
        ASSERT_EQ(gathered, packed_by_mpi(buffer, count, random, gathered.size()));
      });
}

// Between two different types, as many elements of each as make the same number of bytes.
TEST_F(RandomTypes, AreMovedIntoEachOtherAsMpiPackAndUnpackMoveThem) {
  int compared = 0;
  for_many(kSeed + 4, Variety::packable,
           [&](unsigned i, TypeGenerator& generator, const RandomType& target, const Layout& to) {
             const RandomType origin = generator.make(4);
             SCOPED_TRACE(fmt::format("from {}", origin.description));
             const Result<Layout> from = flatten(real_, origin.type.get());
             ASSERT_TRUE(from.ok()) << from.error().message;
             if (from->size == 0) return;
             const std::size_t total = std::lcm(from->size, to.size);
             const auto from_count = static_cast<int>(total / from->size), to_count = static_cast<int>(total / to.size);
             if (total > 8192 || !names_no_byte_twice(target.map, to_count, to.extent)) return;
             Buffer source{*from, from_count, i}, by_mpi{to, to_count, i + 1}, by_us{to, to_count, i + 1};
             unpack_by_mpi(packed_by_mpi(source, from_count, origin, total), by_mpi, to_count, target);
             transfer(Side{by_us.origin(), static_cast<std::uint64_t>(to_count), &to},
                      Side{source.origin(), static_cast<std::uint64_t>(from_count), &*from});
             ASSERT_EQ(by_us.bytes(), by_mpi.bytes());
             ++compared;
           });
  EXPECT_GT(compared, 500);
}

TEST_F(RandomTypes, FitARegionExactlyWhenEachOfTheirBytesDoes) {
  int inside = 0, outside = 0;
  for_many(kSeed + 5, Variety::any,
           [&](unsigned, TypeGenerator& generator, const RandomType& random, const Layout& layout) {
             for (int k = 0; k < 8; ++k) {
               const int count = generator.number(0, 3), displacement = generator.number(-50, 300),
                         region = generator.number(0, 900);
               bool expected = true;
               for (int element = 0; element < count; ++element)
                 for (const std::int64_t offset : random.map) {
                   const std::int64_t at = displacement + element * layout.extent + offset;
                   expected = expected && at >= 0 && at < region;
                 }
               const Status status = check_bounds(displacement, count, layout, static_cast<std::uint64_t>(region));
               ASSERT_EQ(status.ok(), expected) << displacement << " " << count << " " << region;
               ASSERT_TRUE(status.ok() || status.error().code == Code::range);
               ++(expected ? inside : outside);
             }
           });
  EXPECT_GT(inside, 1000);
  EXPECT_GT(outside, 1000);
}

}  // namespace
}  // namespace psnam::rma
