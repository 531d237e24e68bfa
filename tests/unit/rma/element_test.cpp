// What datatypes are built of, and which operations MPI allows on it.
#include "rma/element.hpp"

#include <gtest/gtest.h>

#include <string>

#include "rma/operation.hpp"
#include "rma/type_table.hpp"
#include "unit/rma/mpi_fixture.hpp"

namespace psnam::rma {
namespace {

using testing::made;

class ElementTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(types_.load(testing::probe_communicator()).ok()); }
  // Forgets the type at once: the tests' types are freed by the MPI library alone.
  [[nodiscard]] Element of(MPI_Datatype type) {
    Element element;
    {
      const Result<LayoutRef> layout = types_.find(type);
      EXPECT_TRUE(layout.ok());
      if (layout.ok()) element = (*layout)->element;
    }
    types_.forget(type);
    return element;
  }
  [[nodiscard]] testing::OwnedType structure(MPI_Datatype first, int first_length, MPI_Datatype second,
                                             int second_length) {
    const int lengths[]{first_length, second_length};
    const MPI_Aint places[]{0, 64};
    const MPI_Datatype types[]{first, second};
    return made(MPI_Type_create_struct, 2, lengths, places, types);
  }

  const Real real_ = testing::linked_real();
  TypeTable types_{real_};
};

std::string message(const Status& status) { return status.ok() ? "allowed" : status.error().message; }

TEST_F(ElementTest, EveryPredefinedTypeIsItsOwnElementInBothTables) {
  for (std::size_t row = 0; row < predefined_type_count(); ++row) {
    const MPI_Datatype type = predefined_type(row);
    if (type == MPI_DATATYPE_NULL) continue;
    const Element element = types_.predefined_element(type);
    EXPECT_EQ(element.name(), of(type).name()) << row;
    EXPECT_EQ(element, of(type)) << element.name();
    EXPECT_NE(element.kind(), Kind::mixed) << element.name();
    MPI_Count size = 0, lower = 0, extent = 0;
    MPI_Type_size_x(type, &size);
    MPI_Type_get_extent_x(type, &lower, &extent);
    EXPECT_EQ(element.bytes(), static_cast<std::size_t>(size)) << element.name();
    EXPECT_EQ(element.extent(), static_cast<std::size_t>(extent)) << element.name();
  }
}

TEST_F(ElementTest, ElementsOfHandlesThatAreNoPredefinedTypeAreNone) {
  const auto derived = made(MPI_Type_contiguous, 3, MPI_INT);
  for (const MPI_Datatype type : {MPI_DATATYPE_NULL, derived.get(), 0, static_cast<MPI_Datatype>(0x8c00007f)})
    EXPECT_EQ(types_.predefined_element(type).kind(), Kind::none) << std::hex << type;
}

TEST_F(ElementTest, DerivedTypesAreBuiltOfTheOneTypeInsideThem) {
  const auto vector = made(MPI_Type_vector, 3, 2, 4, MPI_DOUBLE_INT);
  const auto twice = made(MPI_Type_contiguous, 5, vector.get());
  const auto resized = made(MPI_Type_create_resized, twice.get(), MPI_Aint{-8}, MPI_Aint{4000});
  EXPECT_EQ(of(vector.get()).name(), "MPI_DOUBLE_INT");
  EXPECT_EQ(of(resized.get()).name(), "MPI_DOUBLE_INT");
  EXPECT_EQ(of(structure(MPI_LONG, 2, MPI_LONG, 1).get()).name(), "MPI_LONG");
  EXPECT_EQ(of(structure(MPI_LONG, 2, MPI_INT64_T, 1).get()).kind(), Kind::int64);
  EXPECT_EQ(of(structure(MPI_INT, 2, MPI_DOUBLE, 0).get()).name(), "MPI_INT") << "a member without data";
}

TEST_F(ElementTest, MixedTypesAndTypesWithoutDataHaveNoElement) {
  const auto mixed = structure(MPI_INT, 1, MPI_DOUBLE, 1);
  EXPECT_EQ(of(mixed.get()).kind(), Kind::mixed);
  EXPECT_EQ(of(made(MPI_Type_contiguous, 2, mixed.get()).get()).kind(), Kind::mixed);
  EXPECT_EQ(of(structure(mixed.get(), 1, MPI_INT, 1).get()).kind(), Kind::mixed);
  EXPECT_EQ(of(made(MPI_Type_contiguous, 0, mixed.get()).get()).kind(), Kind::none);
}

TEST_F(ElementTest, ParametrizedFortranTypesAreTheTypesOfTheirSize) {
  MPI_Datatype real = MPI_DATATYPE_NULL, integer = MPI_DATATYPE_NULL, complex = MPI_DATATYPE_NULL;
  MPI_Type_create_f90_real(15, 307, &real);
  MPI_Type_create_f90_integer(9, &integer);
  MPI_Type_create_f90_complex(6, 37, &complex);
  EXPECT_EQ(of(real).kind(), Kind::float64);
  EXPECT_EQ(of(integer).kind(), Kind::int32);
  EXPECT_EQ(of(complex).kind(), Kind::complex32);
}

TEST_F(ElementTest, CommonElementNeedsOnePredefinedTypeOnBothSides) {
  const Element integer = of(MPI_INT), real = of(MPI_DOUBLE), mixed = of(structure(MPI_INT, 1, MPI_DOUBLE, 1).get());
  EXPECT_EQ(common_element(integer, of(MPI_INT32_T))->kind(), Kind::int32);
  const Result<Element> different = common_element(integer, real), several = common_element(integer, mixed);
  ASSERT_FALSE(different.ok() || several.ok());
  EXPECT_EQ(different.error().code, Code::datatype);
  EXPECT_EQ(different.error().message, "the origin type is built of MPI_INT, the target type of MPI_DOUBLE");
  EXPECT_EQ(
      several.error().message,
      "an accumulate needs data of one predefined type; the target type is a datatype of several predefined types");
}

TEST_F(ElementTest, OperationsAreRefusedOnTypesThatMpiDoesNotAllowThemOn) {
  const Status status = check(Op::band, of(MPI_DOUBLE));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::operation);
  EXPECT_EQ(status.error().message, "MPI_BAND is not allowed on MPI_DOUBLE");
  EXPECT_EQ(message(check(Op::max, of(MPI_C_DOUBLE_COMPLEX))), "MPI_MAX is not allowed on MPI_C_DOUBLE_COMPLEX");
  EXPECT_EQ(message(check(Op::sum, of(MPI_BYTE))), "MPI_SUM is not allowed on MPI_BYTE");
  EXPECT_EQ(message(check(Op::sum, of(MPI_LOGICAL))), "MPI_SUM is not allowed on MPI_LOGICAL");
  EXPECT_EQ(message(check(Op::land, of(MPI_FLOAT))), "MPI_LAND is not allowed on MPI_FLOAT");
  EXPECT_EQ(message(check(Op::maxloc, of(MPI_INT))), "MPI_MAXLOC is not allowed on MPI_INT");
  EXPECT_EQ(message(check(Op::sum, of(MPI_2INT))), "MPI_SUM is not allowed on MPI_2INT");
  EXPECT_EQ(message(check(Op::replace, of(MPI_PACKED))), "MPI_REPLACE is not allowed on MPI_PACKED");
  EXPECT_EQ(message(check(Op::sum, of(MPI_WCHAR))), "MPI_SUM is not allowed on MPI_WCHAR");
}

TEST_F(ElementTest, ReplaceAndNoOpAreAllowedOnAllTypesButPacked) {
  for (std::size_t row = 0; row < predefined_type_count(); ++row) {
    const MPI_Datatype type = predefined_type(row);
    if (type == MPI_DATATYPE_NULL || type == MPI_PACKED) continue;
    EXPECT_EQ(message(check(Op::replace, of(type))), "allowed");
    EXPECT_EQ(message(check(Op::no_op, of(type))), "allowed");
  }
}

TEST_F(ElementTest, OnlyIntegerLogicalAndByteTypesCanBeComparedAndSwapped) {
  for (const MPI_Datatype type : {MPI_INT, MPI_UINT64_T, MPI_BYTE, MPI_LOGICAL, MPI_C_BOOL, MPI_AINT, MPI_INTEGER})
    EXPECT_EQ(message(check_compare_and_swap(of(type))), "allowed");
  for (const MPI_Datatype type : {MPI_DOUBLE, MPI_FLOAT, MPI_COMPLEX, MPI_2INT, MPI_LONG_DOUBLE, MPI_PACKED, MPI_WCHAR})
    EXPECT_FALSE(check_compare_and_swap(of(type)).ok()) << of(type).name();
  EXPECT_EQ(message(check_compare_and_swap(of(MPI_DOUBLE))),
            "MPI_DOUBLE cannot be compared and swapped: only integer, logical and byte types can");
}

TEST(Operation, IsFoundForEveryPredefinedHandle) {
  EXPECT_EQ(*operation(MPI_SUM), Op::sum);
  EXPECT_EQ(*operation(MPI_MINLOC), Op::minloc);
  EXPECT_EQ(*operation(MPI_NO_OP), Op::no_op);
  EXPECT_EQ(name(Op::bxor), "MPI_BXOR");
}

TEST(Operation, UserDefinedAndNullOnesAreRefusedWithTheKnownOnes) {
  MPI_Op user = MPI_OP_NULL;
  MPI_Op_create([](void*, void*, int*, MPI_Datatype*) {}, 1, &user);
  const Result<Op> refused = operation(user), null = operation(MPI_OP_NULL);
  ASSERT_FALSE(refused.ok() || null.ok());
  EXPECT_EQ(refused.error().code, Code::operation);
  EXPECT_NE(refused.error().message.find("known are MPI_SUM, MPI_PROD"), std::string::npos) << refused.error().message;
  EXPECT_EQ(null.error().message.find("MPI_OP_NULL is not a predefined operation"), 0U);
  MPI_Op_free(&user);
}

}  // namespace
}  // namespace psnam::rma
