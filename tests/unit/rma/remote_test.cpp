// Operations on memory that is not mapped, for random types: pieces against transfer(), accumulates by requests against
// those on mapped memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "backends/atomics.hpp"
#include "backends/strips.hpp"
#include "rma/element.hpp"
#include "rma/flatten.hpp"
#include "rma/remote_accumulate.hpp"
#include "rma/remote_pieces.hpp"
#include "unit/backends/buffer.hpp"
#include "unit/backends/random_values.hpp"
#include "unit/backends/test_locks.hpp"
#include "unit/rma/random_types.hpp"

namespace psnam::rma {
namespace {

using namespace backends;
using backends::testing::Buffer;
using backends::testing::bytes_layout;
using backends::testing::RandomValues;
using backends::testing::TestLocks;
using testing::made;
using testing::RandomType;
using testing::TypeGenerator;
using testing::Variety;

using Bytes = std::vector<std::byte>;

/// A region of `bytes`, in which `count` elements of a layout lie from `displacement` on.
struct Placed {
  std::int64_t displacement;
  std::size_t region_bytes;
};

Placed place(const Layout& layout, std::uint64_t count, std::int64_t gap) {
  const std::int64_t to_last = (static_cast<std::int64_t>(count) - 1) * layout.extent;
  const std::int64_t first = layout.true_lb + std::min<std::int64_t>(0, to_last),
                     end = layout.true_ub + std::max<std::int64_t>(0, to_last);
  return {gap - first, static_cast<std::size_t>(end - first + 2 * gap)};
}

Side side_in(Bytes& region, const Placed& placed, std::uint64_t count, const Layout& layout) {
  // The displacement may be outside: only the sum with an offset of the layout is inside.
  return {reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(region.data()) +
                                       static_cast<std::uintptr_t>(placed.displacement)),
          count, &layout};
}

// Whether a byte is named twice: then the result of writing depends on an order.
bool twice(const testing::TypeMap& map, std::uint64_t count, std::int64_t extent) {
  testing::TypeMap all;
  for (std::uint64_t i = 0; i < count; ++i)
    for (const std::int64_t offset : map) all.push_back(offset + static_cast<std::int64_t>(i) * extent);
  std::ranges::sort(all);
  return std::ranges::adjacent_find(all) != all.end();
}

class Remote : public ::testing::Test {
 protected:
  /// Calls `body` with two random layouts and counts of the same bytes, where MPI lets both be written: no byte twice.
  template <class Body>
  void for_many_pairs(unsigned seed, Body&& body) {
    TypeGenerator generator{seed, Variety::any};
    int compared = 0;
    for (int i = 0; i < 2000; ++i) {
      const RandomType one = generator.make(4), other = generator.make(4);
      SCOPED_TRACE(fmt::format("{}: {} and {}", i, one.description, other.description));
      const Result<Layout> a = flatten(real_, one.type.get()), b = flatten(real_, other.type.get());
      ASSERT_TRUE(a.ok() && b.ok());
      if (a->size == 0 || b->size == 0) continue;
      const std::size_t total = std::lcm(a->size, b->size);
      const std::uint64_t a_count = total / a->size, b_count = total / b->size;
      if (total > 8192 || twice(one.map, a_count, a->extent) || twice(other.map, b_count, b->extent)) continue;
      ++compared;
      ASSERT_NO_FATAL_FAILURE(body(*a, a_count, *b, b_count));
    }
    EXPECT_GT(compared, 200);
  }
  Bytes random_bytes(std::size_t n) {
    Bytes bytes(n);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(values_.number(0, 255));
    return bytes;
  }

  const Real real_ = testing::linked_real();
  RandomValues values_{20260402};
};

class RemotePieces : public Remote {
 protected:
  // A put when `writes`, else a get, of a region; every piece has to lie in it, and to end before the next one begins.
  static Status move(Bytes& region, const Side& local, const Side& remote, bool writes) {
    return for_each_batch(local, remote, [&](std::span<const Piece> pieces) -> Status {
      EXPECT_FALSE(pieces.empty());
      EXPECT_LE(pieces.size(), kPiecesPerBatch);
      const Piece* last = nullptr;
      for (const Piece& piece : pieces) {
        if (piece.bytes == 0 || piece.bytes > region.size() || piece.offset_bytes > region.size() - piece.bytes)
          return Error{Code::range, "a piece leaves the region"};
        EXPECT_FALSE(last != nullptr && last->offset_bytes + last->bytes == piece.offset_bytes &&
                     last->local + last->bytes == piece.local)
            << "two pieces touch on both sides";
        std::byte* const there = region.data() + piece.offset_bytes;
        std::memcpy(writes ? there : piece.local, writes ? piece.local : there, piece.bytes);
        last = &piece;
      }
      return {};
    });
  }
};

TEST_F(RemotePieces, PutWhatTransferPuts) {
  for_many_pairs(1, [&](const Layout& to, std::uint64_t to_count, const Layout& from, std::uint64_t from_count) {
    const Placed placed = place(to, to_count, 24);
    Bytes region = random_bytes(placed.region_bytes), expected = region;
    Buffer local{from, static_cast<std::int64_t>(from_count), 5};
    const Side origin{local.origin(), from_count, &from};
    transfer(side_in(expected, placed, to_count, to), origin);
    const Status status = move(region, origin, relative_side(placed.displacement, to_count, to), true);
    ASSERT_TRUE(status.ok()) << status.error().message;
    ASSERT_EQ(region, expected);
  });
}

TEST_F(RemotePieces, GetWhatTransferGets) {
  for_many_pairs(2, [&](const Layout& from, std::uint64_t from_count, const Layout& to, std::uint64_t to_count) {
    const Placed placed = place(from, from_count, 24);
    Bytes region = random_bytes(placed.region_bytes);
    const Bytes before = region;
    Buffer got{to, static_cast<std::int64_t>(to_count), 6}, expected{to, static_cast<std::int64_t>(to_count), 6};
    transfer({expected.origin(), to_count, &to}, side_in(region, placed, from_count, from));
    const Status status =
        move(region, {got.origin(), to_count, &to}, relative_side(placed.displacement, from_count, from), false);
    ASSERT_TRUE(status.ok()) << status.error().message;
    ASSERT_EQ(got.bytes(), expected.bytes());
    ASSERT_EQ(region, before);
  });
}

// As in MPI_BOTTOM's case and in that of a large strided type.
TEST_F(RemotePieces, ComeInBatchesOfABoundedSizeAndEndWithTheFirstFailure) {
  const Layout comb{8000, 16000, 0, 15992, false, {backends::Run{0, 8, 16, 1000}}}, flat = bytes_layout(8000);
  Bytes local(8000);
  std::vector<std::size_t> sizes;
  const auto deliver = [&](std::span<const Piece> pieces) -> Status {
    sizes.push_back(pieces.size());
    if (sizes.size() == 2) return Error{Code::unreachable, "gone"};
    return {};
  };
  const Status status = for_each_batch({local.data(), 3, &flat}, relative_side(0, 3, comb), deliver);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "gone");
  EXPECT_EQ(sizes, (std::vector<std::size_t>{kPiecesPerBatch, kPiecesPerBatch}));
}

TEST_F(RemotePieces, OfRowsWithoutAGapAreOne) {
  const Layout flat = bytes_layout(40);
  Bytes local(4000);
  int calls = 0;
  const auto deliver = [&](std::span<const Piece> pieces) -> Status {
    ++calls;
    EXPECT_EQ(pieces.size(), 1U);
    EXPECT_EQ(pieces[0].offset_bytes, 96U);
    EXPECT_EQ(pieces[0].bytes, 4000U);
    return {};
  };
  EXPECT_TRUE(for_each_batch({local.data(), 100, &flat}, relative_side(96, 100, flat), deliver).ok());
  EXPECT_TRUE(for_each_batch({nullptr, 0, &flat}, relative_side(96, 0, flat), deliver).ok()) << "nothing to move";
  EXPECT_EQ(calls, 1);
}

class RemoteAccumulates : public Remote {
 protected:
  /// The other side of the connection.
  SendRequest server(Bytes& region) {
    return [this, &region](const IndivisibleRequest& request) {
      ++requests_;
      return execute(request, region, locks_);
    };
  }
  // Valid values at all elements of a side.
  void fill(Element element, const Side& side) {
    for_each_strip(element, side, nullptr, nullptr, [&](const Strip& strip) {
      for (std::size_t i = 0; i < strip.n; ++i) put(element.kind(), strip.target_at(i));
    });
  }
  void put(Kind kind, std::byte* to) {
    alignas(64) std::array<std::byte, 64> value{};
    values_.put(kind, value.data());
    const std::size_t bytes = kind == Kind::short_int ? 2 : Element{kind, 0}.bytes();
    std::memcpy(to, value.data(), bytes);
    if (kind == Kind::short_int) std::memcpy(to + 4, value.data() + 4, 4);
  }
  Op some_op(Element element) {
    std::vector<Op> allowed;
    for (std::size_t op = 0; op < kOps; ++op)
      if (element.allows(static_cast<Op>(op))) allowed.push_back(static_cast<Op>(op));
    return allowed.at(static_cast<std::size_t>(values_.number(0, static_cast<int>(allowed.size()) - 1)));
  }

  // By requests and on mapped memory: equal regions, equal results.
  void expect_same(const Layout& to, std::uint64_t to_count, const Layout& from, std::uint64_t from_count) {
    const Element element = to.element;
    const Op op = some_op(element);
    SCOPED_TRACE(name(op));
    const Placed placed = place(to, to_count, 64);
    Bytes region = random_bytes(placed.region_bytes);
    fill(element, side_in(region, placed, to_count, to));
    Bytes expected = region;
    Buffer origin{from, static_cast<std::int64_t>(from_count), 7}, old{from, static_cast<std::int64_t>(from_count), 8},
        expected_old{from, static_cast<std::int64_t>(from_count), 8};
    fill(element, {origin.origin(), from_count, &from});
    const Side operand{origin.origin(), from_count, &from}, result{old.origin(), from_count, &from},
        expected_result{expected_old.origin(), from_count, &from};
    const bool fetches = op == Op::no_op || values_.number(0, 1) == 0;
    accumulate(op, element, side_in(expected, placed, to_count, to), operand, fetches ? &expected_result : nullptr,
               locks_, expected.data());
    const Status status = accumulate_remotely(op, element, relative_side(placed.displacement, to_count, to), operand,
                                              fetches ? &result : nullptr, server(region));
    ASSERT_TRUE(status.ok()) << status.error().message;
    ASSERT_EQ(region, expected);
    ASSERT_EQ(old.bytes(), expected_old.bytes());
  }

  TestLocks locks_;
  int requests_ = 0;
};

TEST_F(RemoteAccumulates, DoWhatThoseOnMappedMemoryDo) {
  TypeGenerator generator{11, Variety::any};
  int compared = 0;
  for (int i = 0; i < 4000; ++i) {
    const RandomType one = generator.make(4), other = generator.make(4);
    SCOPED_TRACE(fmt::format("{}: {} and {}", i, one.description, other.description));
    const Result<Layout> to = flatten(real_, one.type.get()), from = flatten(real_, other.type.get());
    ASSERT_TRUE(to.ok() && from.ok());
    if (to->size == 0 || to->element.kind() == Kind::mixed || to->element != from->element) continue;
    const std::size_t total = std::lcm(to->size, from->size);
    if (total > 8192 || twice(one.map, total / to->size, to->extent) ||
        twice(other.map, total / from->size, from->extent))
      continue;
    ++compared;
    ASSERT_NO_FATAL_FAILURE(expect_same(*to, total / to->size, *from, total / from->size));
  }
  EXPECT_GT(compared, 50);
}

TEST_F(RemoteAccumulates, OfEveryPredefinedTypeDoToo) {
  for (std::size_t row = 0; row < predefined_type_count(); ++row) {
    const MPI_Datatype type = predefined_type(row);
    if (type == MPI_DATATYPE_NULL || type == MPI_PACKED) continue;
    const auto vector = made(MPI_Type_vector, 3, 2, 4, type), array = made(MPI_Type_contiguous, 6, type);
    const Result<Layout> to = flatten(real_, vector.get()), from = flatten(real_, array.get());
    ASSERT_TRUE(to.ok() && from.ok());
    SCOPED_TRACE(to->element.name());
    for (int i = 0; i < 20; ++i) {
      ASSERT_NO_FATAL_FAILURE(expect_same(*to, 4, *from, 4));
      ASSERT_NO_FATAL_FAILURE(expect_same(*from, 5, *to, 5));
    }
  }
}

// More elements, and more irregular runs, than one request holds.
TEST_F(RemoteAccumulates, AreCutIntoRequestsWithinTheLimits) {
  const auto gaps = made(MPI_Type_vector, 300'000, 1, 2, MPI_INT), dense = made(MPI_Type_contiguous, 300'000, MPI_INT);
  const Result<Layout> to = flatten(real_, gaps.get()), from = flatten(real_, dense.get());
  ASSERT_TRUE(to.ok() && from.ok());
  ASSERT_NO_FATAL_FAILURE(expect_same(*to, 1, *from, 1));
  EXPECT_EQ(requests_, 2) << "1,200,000 bytes";

  std::vector<int> places;
  for (int i = 0; i < 10'000; ++i) places.push_back(i * 20 + i * i % 17);
  const auto irregular = made(MPI_Type_create_indexed_block, 10'000, 1, places.data(), MPI_DOUBLE);
  const Result<Layout> scattered = flatten(real_, irregular.get()), doubles = flatten(real_, MPI_DOUBLE);
  ASSERT_TRUE(scattered.ok() && doubles.ok());
  requests_ = 0;
  ASSERT_NO_FATAL_FAILURE(expect_same(*scattered, 1, *doubles, 10'000));
  EXPECT_GT(requests_, 1);
}

TEST_F(RemoteAccumulates, EndWithTheFirstFailureOfTheOtherSide) {
  const Layout doubles = bytes_layout(8);
  const Element element = predefined_element(MPI_DOUBLE, 8);
  Bytes origin(std::size_t{3} << 20);
  int calls = 0;
  const SendRequest send = [&](const IndivisibleRequest&) -> Result<Bytes> {
    if (++calls == 2) return Error{Code::unreachable, "gone"};
    return Bytes{};
  };
  const Side side{origin.data(), origin.size() / 8, &doubles};
  const Status status =
      accumulate_remotely(Op::sum, element, relative_side(0, side.count, doubles), side, nullptr, send);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "gone");
  EXPECT_EQ(calls, 2);
}

TEST_F(RemoteAccumulates, TakeNoAnswerOfAnotherLength) {
  const Layout doubles = bytes_layout(8);
  const Element element = predefined_element(MPI_DOUBLE, 8);
  Bytes origin(80), old(80, std::byte{1});
  const Side side{origin.data(), 10, &doubles}, result{old.data(), 10, &doubles};
  for (const std::size_t length : {0, 72, 79, 81, 160}) {
    const SendRequest send = [&](const IndivisibleRequest&) -> Result<Bytes> { return Bytes(length); };
    const Status status = accumulate_remotely(Op::sum, element, relative_side(0, 10, doubles), side, &result, send);
    ASSERT_FALSE(status.ok()) << length;
    EXPECT_EQ(status.error().code, Code::corrupt);
    EXPECT_EQ(old, Bytes(80, std::byte{1}));
    std::int64_t origin_value = 1, compare = 0, found = -1;
    const Status swapped =
        compare_and_swap_remotely(predefined_element(MPI_INT64_T, 8), 0, reinterpret_cast<std::byte*>(&origin_value),
                                  reinterpret_cast<std::byte*>(&compare), reinterpret_cast<std::byte*>(&found), send);
    ASSERT_FALSE(swapped.ok()) << length;
    EXPECT_EQ(found, -1);
  }
}

TEST_F(RemoteAccumulates, CompareAndSwapGoesToItsElement) {
  Bytes region(64);
  store_value(region.data() + 24, std::int64_t{40});
  const Element element = predefined_element(MPI_INT64_T, 8);
  const auto swap = [&](std::int64_t to, std::int64_t from) {
    std::int64_t old = -1;
    EXPECT_TRUE(compare_and_swap_remotely(element, 24, reinterpret_cast<std::byte*>(&to),
                                          reinterpret_cast<std::byte*>(&from), reinterpret_cast<std::byte*>(&old),
                                          server(region))
                    .ok());
    return old;
  };
  EXPECT_EQ(swap(41, 40), 40);
  EXPECT_EQ(swap(50, 40), 41);
  EXPECT_EQ(load_value<std::int64_t>(region.data() + 24), 41);
}

}  // namespace
}  // namespace psnam::rma
