// What flatten() makes of chosen types: how short the runs are, what counts as contiguous, and what MPI_Pack cannot
// judge.
#include "rma/flatten.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "rma/run_list.hpp"
#include "rma/type_contents.hpp"
#include "unit/rma/mpi_fixture.hpp"

namespace psnam::rma {
namespace {

using testing::made;
using testing::OwnedType;
using Runs = std::vector<Run>;

Layout layout_of(MPI_Datatype type) {
  Result<Layout> layout = flatten(testing::linked_real(), type);
  EXPECT_TRUE(layout.ok()) << layout.error().message;
  return layout.ok() ? *layout : Layout{};
}

TEST(Flatten, AMillionVectorBlocksAreOneRun) {
  const OwnedType type = made(MPI_Type_vector, 1'000'000, 2, 5, MPI_INT);
  const Layout layout = layout_of(type.get());
  EXPECT_EQ(layout.runs, (Runs{{0, 8, 20, 1'000'000}}));
  EXPECT_EQ(layout.size, 8'000'000U);
  EXPECT_FALSE(layout.contiguous);
}

TEST(Flatten, NestedRegularTypesThatGoOnAtOneDistanceAreOneRun) {
  const OwnedType row = made(MPI_Type_vector, 1000, 1, 4, MPI_DOUBLE);
  const OwnedType padded = made(MPI_Type_create_resized, row.get(), MPI_Aint{0}, MPI_Aint{32'000});
  const OwnedType plane = made(MPI_Type_contiguous, 1000, padded.get());
  EXPECT_EQ(layout_of(plane.get()).runs, (Runs{{0, 8, 32, 1'000'000}}));
}

TEST(Flatten, AFaceOfABoxHasARunForEachLineOfIt) {
  const int sizes[]{500, 400, 300}, subsizes[]{500, 100, 1}, starts[]{0, 7, 9};
  MPI_Datatype face = MPI_DATATYPE_NULL;
  MPI_Type_create_subarray(3, sizes, subsizes, starts, MPI_ORDER_C, MPI_DOUBLE, &face);
  const OwnedType owned{face};
  const Layout layout = layout_of(face);
  EXPECT_EQ(layout.runs.size(), 500U);
  EXPECT_EQ(layout.runs.front(), (backends::Run{8 * (7 * 300 + 9), 8, 2400, 100}));
}

TEST(Flatten, RowsOfTheWholeWidthAreOneBlock) {
  const int sizes[]{64, 32}, subsizes[]{10, 32}, starts[]{3, 0};
  MPI_Datatype rows = MPI_DATATYPE_NULL;
  MPI_Type_create_subarray(2, sizes, subsizes, starts, MPI_ORDER_C, MPI_FLOAT, &rows);
  const OwnedType owned{rows};
  EXPECT_EQ(layout_of(rows).runs, (Runs{{3 * 32 * 4, 10 * 32 * 4, 0, 1}}));
}

TEST(Flatten, StructMembersThatTouchAreOneBlock) {
  const int lengths[]{2, 1, 3};
  const MPI_Aint places[]{16, 24, 28};
  const MPI_Datatype types[]{MPI_INT, MPI_FLOAT, MPI_CHAR};
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_create_struct(3, lengths, places, types, &type);
  const OwnedType owned{type};
  EXPECT_EQ(layout_of(type).runs, (Runs{{16, 15, 0, 1}}));
}

TEST(Flatten, ABlockThatIsRightButWhoseExtentIsNotIsNotContiguous) {
  EXPECT_TRUE(layout_of(made(MPI_Type_contiguous, 10, MPI_INT).get()).contiguous);
  EXPECT_FALSE(layout_of(made(MPI_Type_create_resized, MPI_INT, MPI_Aint{0}, MPI_Aint{8}).get()).contiguous);
  EXPECT_FALSE(layout_of(made(MPI_Type_create_resized, MPI_INT, MPI_Aint{0}, MPI_Aint{-4}).get()).contiguous);
  EXPECT_TRUE(layout_of(made(MPI_Type_contiguous, 0, MPI_INT).get()).contiguous);
}

TEST(Flatten, ContiguousBytesMayBeginElsewhere) {
  const int place = 3;
  const OwnedType type = made(MPI_Type_create_indexed_block, 1, 2, &place, MPI_INT);
  const Layout layout = layout_of(type.get());
  EXPECT_TRUE(layout.contiguous);
  EXPECT_EQ(layout.true_lb, 12);
  EXPECT_EQ(layout.extent, 8);
}

TEST(Flatten, ATypeWithoutDataHasNoRuns) {
  const Layout layout = layout_of(made(MPI_Type_vector, 5, 0, 3, MPI_INT).get());
  EXPECT_EQ(layout.size, 0U);
  EXPECT_TRUE(layout.runs.empty());
}

TEST(Flatten, PairTypesLeaveOutTheirPadding) {
  EXPECT_EQ(layout_of(MPI_SHORT_INT).runs, (Runs{{0, 2, 0, 1}, {4, 4, 0, 1}}));
  EXPECT_EQ(layout_of(MPI_DOUBLE_INT).runs, (Runs{{0, 12, 0, 1}}));
  EXPECT_FALSE(layout_of(MPI_DOUBLE_INT).contiguous);
  EXPECT_EQ(layout_of(MPI_LONG_DOUBLE_INT).runs, (Runs{{0, 20, 0, 1}}));
  EXPECT_EQ(layout_of(MPI_LONG_DOUBLE_INT).extent, 32);
  EXPECT_TRUE(layout_of(MPI_FLOAT_INT).contiguous);
}

TEST(Flatten, FortranTypesByPrecisionAreBasicTypes) {
  MPI_Datatype real = MPI_DATATYPE_NULL, complex = MPI_DATATYPE_NULL, integer = MPI_DATATYPE_NULL;
  MPI_Type_create_f90_real(12, 30, &real);
  MPI_Type_create_f90_complex(6, 30, &complex);
  MPI_Type_create_f90_integer(15, &integer);
  for (const MPI_Datatype type : {real, complex, integer}) {
    EXPECT_EQ(layout_of(type).size, 8U);
    EXPECT_TRUE(layout_of(type).contiguous);
  }
  const OwnedType strided = made(MPI_Type_vector, 4, 1, 2, real);
  EXPECT_EQ(layout_of(strided.get()).runs, (Runs{{0, 8, 16, 4}}));
}

TEST(Flatten, CountsBeyond32BitsCostNoMore) {
  const OwnedType long_row = made(MPI_Type_contiguous_c, MPI_Count{1} << 33, MPI_INT);
  EXPECT_EQ(layout_of(long_row.get()).runs, (Runs{{0, std::size_t{1} << 35, 0, 1}}));
  const OwnedType comb = made(MPI_Type_vector_c, MPI_Count{1} << 33, MPI_Count{1}, MPI_Count{3}, MPI_INT);
  EXPECT_EQ(layout_of(comb.get()).runs, (Runs{{0, 4, 12, std::size_t{1} << 33}}));
  const OwnedType far = made(MPI_Type_create_hvector, 2, 1, MPI_Aint{-1} * (MPI_Aint{1} << 40), MPI_INT);
  EXPECT_EQ(layout_of(far.get()).true_lb, -(std::int64_t{1} << 40));
}

// MPICH hands out the inner type itself with one more reference. If it were not given back, the type would survive its
// free and its handle number would not come again.
TEST(Flatten, GivesBackTheInnerTypesItWasHanded) {
  MPI_Datatype inner = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(3, MPI_INT, &inner);
  const MPI_Datatype number = inner;
  MPI_Datatype outer = MPI_DATATYPE_NULL;
  MPI_Type_vector(2, 1, 2, inner, &outer);
  for (int i = 0; i < 5; ++i) layout_of(outer);
  MPI_Type_free(&inner);
  MPI_Type_free(&outer);
  bool came_again = false;
  std::vector<OwnedType> types;
  for (int i = 0; i < 3; ++i) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_contiguous(2, MPI_INT, &type);
    types.emplace_back(type);
    came_again = came_again || type == number;
  }
  EXPECT_TRUE(came_again);
}

TEST(RunList, SaysWhenATypeLeavesTheAddressRange) {
  constexpr std::ptrdiff_t kHuge = std::numeric_limits<std::ptrdiff_t>::max() / 2;
  RunList list;
  list.append(backends::Run{0, 8, 0, 1});
  list.repeat(4, kHuge);
  ASSERT_FALSE(list.status().ok());
  EXPECT_EQ(list.status().error().code, Code::datatype);
}

TEST(RunList, RefusesMorePiecesThanItMayHold) {
  RunList list{100};
  list.append(backends::Run{0, 1, 0, 1});
  list.append(backends::Run{3, 2, 0, 1});
  list.repeat(std::int64_t{1} << 40, 8);
  ASSERT_FALSE(list.status().ok());
  EXPECT_EQ(list.status().error().code, Code::no_memory);
  EXPECT_EQ(list.status().error().message, "the datatype consists of more than 100 irregular pieces");
}

}  // namespace
}  // namespace psnam::rma
