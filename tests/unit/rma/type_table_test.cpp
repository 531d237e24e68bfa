// The table of datatypes: predefined ones, handles that are no usable type, handle numbers that come again, and
// threads.
#include "rma/type_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <complex>
#include <string>
#include <thread>
#include <vector>

#include "unit/rma/mpi_fixture.hpp"

namespace psnam::rma {
namespace {

using testing::made;
using testing::OwnedType;

class TypeTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Status loaded = types_.load(testing::probe_communicator());
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  }
  /// Frees as the library's MPI_Type_free does.
  void free(MPI_Datatype type) {
    types_.forget(type);
    MPI_Type_free(&type);
  }
  [[nodiscard]] std::size_t size_of(MPI_Datatype type) {
    const Result<LayoutRef> layout = types_.find(type);
    EXPECT_TRUE(layout.ok()) << layout.error().message;
    return layout.ok() ? (*layout)->size : 0;
  }
  void expect_refused(MPI_Datatype type, const std::string& reason) {
    const Result<LayoutRef> layout = types_.find(type);
    ASSERT_FALSE(layout.ok());
    EXPECT_EQ(layout.error().code, Code::datatype);
    EXPECT_NE(layout.error().message.find(reason), std::string::npos) << layout.error().message;
  }

  const Real real_ = testing::linked_real();
  TypeTable types_{real_};
};

TEST_F(TypeTableTest, KnowsTheSizesOfPredefinedTypes) {
  EXPECT_EQ(types_.predefined_size(MPI_BYTE), 1U);
  EXPECT_EQ(types_.predefined_size(MPI_INT), sizeof(int));
  EXPECT_EQ(types_.predefined_size(MPI_DOUBLE), sizeof(double));
  EXPECT_EQ(types_.predefined_size(MPI_LONG_DOUBLE), sizeof(long double));
  EXPECT_EQ(types_.predefined_size(MPI_C_DOUBLE_COMPLEX), sizeof(std::complex<double>));
  EXPECT_EQ(types_.predefined_size(MPI_AINT), sizeof(MPI_Aint));
  EXPECT_EQ(types_.predefined_size(MPI_DOUBLE_PRECISION), 8U);
  EXPECT_EQ(types_.predefined_size(MPI_CHARACTER), 1U);
  EXPECT_EQ(types_.predefined_size(MPI_REAL16), 16U);
  EXPECT_EQ(types_.predefined_size(MPI_CXX_BOOL), sizeof(bool));
  EXPECT_EQ(types_.predefined_size(MPI_2INT), 2 * sizeof(int));
}

TEST_F(TypeTableTest, SaysZeroForEveryHandleThatIsNotAPredefinedTypeWithoutGap) {
  const OwnedType derived = made(MPI_Type_contiguous, 2, MPI_INT);
  for (const MPI_Datatype type : {MPI_DATATYPE_NULL, MPI_DOUBLE_INT, MPI_SHORT_INT, MPI_LB, derived.get(), 0,
                                  0x12345605, static_cast<int>(0x8c000005U)})
    EXPECT_EQ(types_.predefined_size(type), 0U) << std::hex << type;
}

TEST_F(TypeTableTest, FindsPredefinedPairAndDerivedTypes) {
  EXPECT_EQ(size_of(MPI_INT), 4U);
  EXPECT_EQ(size_of(MPI_DOUBLE_INT), 12U);
  const OwnedType type = made(MPI_Type_vector, 3, 2, 4, MPI_DOUBLE);
  EXPECT_EQ(size_of(type.get()), 48U);
}

TEST_F(TypeTableTest, GivesTheSameLayoutAgain) {
  const OwnedType type = made(MPI_Type_vector, 3, 2, 4, MPI_DOUBLE);
  const Result<LayoutRef> first = types_.find(type.get()), second = types_.find(type.get());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->get(), second->get());
}

TEST_F(TypeTableTest, RefusesTheNullType) { expect_refused(MPI_DATATYPE_NULL, "MPI_DATATYPE_NULL"); }

TEST_F(TypeTableTest, RefusesAHandleThatIsNoType) { expect_refused(0x12345, "0x12345 is not a valid datatype"); }

TEST_F(TypeTableTest, RefusesAnUncommittedTypeUntilItIsCommitted) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(3, MPI_INT, &type);
  expect_refused(type, "is not committed");
  MPI_Type_commit(&type);
  EXPECT_EQ(size_of(type), 12U);
  free(type);
}

TEST_F(TypeTableTest, AHandleNumberThatComesAgainIsTheNewType) {
  int reused = 0;
  MPI_Datatype before = MPI_DATATYPE_NULL;
  for (int n = 1; n <= 100; ++n) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_contiguous(n, MPI_INT, &type);
    MPI_Type_commit(&type);
    reused += type == before ? 1 : 0;
    before = type;
    ASSERT_EQ(size_of(type), 4U * static_cast<std::size_t>(n));
    free(type);
  }
  EXPECT_GT(reused, 50) << "MPI gave a new number each time: nothing was tested";
}

TEST_F(TypeTableTest, AnUncommittedTypeUnderAFreedHandleNumberIsRefused) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(3, MPI_INT, &type);
  MPI_Type_commit(&type);
  const MPI_Datatype number = type;
  EXPECT_EQ(size_of(type), 12U);
  free(type);
  MPI_Type_contiguous(5, MPI_INT, &type);
  const OwnedType owned{type};
  ASSERT_EQ(type, number);
  expect_refused(type, "is not committed");
}

TEST_F(TypeTableTest, HoldsManyTypesAtOnce) {
  std::vector<OwnedType> held;
  for (int n = 1; n <= 1000; ++n) held.push_back(made(MPI_Type_vector, n, 1, 3, MPI_SHORT));
  for (int round = 0; round < 2; ++round)
    for (int n = 1; n <= 1000; ++n)
      ASSERT_EQ(size_of(held[static_cast<std::size_t>(n - 1)].get()), 2U * static_cast<std::size_t>(n));
}

TEST_F(TypeTableTest, ALayoutInUseOutlivesTheFreeOfAnotherReference) {
  const OwnedType type = made(MPI_Type_vector, 1000, 1, 3, MPI_SHORT);
  Result<LayoutRef> used = types_.find(type.get());
  ASSERT_TRUE(used.ok());
  types_.forget(type.get());
  EXPECT_EQ((*used)->size, 2000U);
  EXPECT_EQ((*used)->runs.size(), 1U);
  EXPECT_EQ(size_of(type.get()), 2000U);
}

// Two threads look up types that live, one of which the third keeps forgetting, as when it frees further references to
// it; the third also makes and frees types of its own, so that numbers come again and the table grows.
TEST_F(TypeTableTest, LookupsAreRightWhileAnotherThreadInsertsAndForgets) {
  std::vector<OwnedType> lasting;
  for (int n = 1; n <= 8; ++n) lasting.push_back(made(MPI_Type_vector, n, 1, 3, MPI_DOUBLE));
  std::atomic<bool> stop{false};
  std::atomic<int> lookups{0}, wrong{0};
  const auto look_up = [&] {
    while (!stop.load())
      for (std::size_t n = 1; n <= lasting.size(); ++n) {
        const Result<LayoutRef> layout = types_.find(lasting[n - 1].get());
        const bool right = layout.ok() && (*layout)->size == 8 * n && (*layout)->runs.size() == 1 &&
                           (*layout)->runs.front().length * (*layout)->runs.front().count == 8 * n;
        if (!right) wrong.fetch_add(1);
        lookups.fetch_add(1);
      }
  };
  std::thread first{look_up}, second{look_up};
  std::vector<MPI_Datatype> own;
  for (int n = 1; n <= 600 || lookups.load() < 2000; ++n) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_contiguous(n % 600 + 1, MPI_SHORT, &type);
    MPI_Type_commit(&type);
    EXPECT_EQ(size_of(type), 2U * static_cast<std::size_t>(n % 600 + 1));
    own.push_back(type);
    if (own.size() == 200) {
      for (const MPI_Datatype old : own) free(old);
      own.clear();
    }
    types_.forget(lasting[0].get());
  }
  for (const MPI_Datatype old : own) free(old);
  stop.store(true);
  first.join();
  second.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(lookups.load(), 2000);
}

}  // namespace
}  // namespace psnam::rma
