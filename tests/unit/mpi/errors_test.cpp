#include "mpi/errors.hpp"

#include <gtest/gtest.h>

#include <map>

namespace psnam::mpi {
namespace {

// An MPI library that only knows user-defined errors.
struct Fake {
  int classes = 0;
  int codes = 0;
  bool refuses = false;
  std::map<int, std::string> texts;
};
Fake g_fake;

constexpr int kFirstClass = 5000;
constexpr int kFirstCode = 100000;

Real fake_real() {
  g_fake = {};
  Real real;
  real.Add_error_class = [](int* error_class) {
    if (g_fake.refuses) return int{MPI_ERR_OTHER};
    *error_class = kFirstClass + g_fake.classes++;
    return int{MPI_SUCCESS};
  };
  real.Add_error_code = [](int error_class, int* code) {
    EXPECT_EQ(error_class, kFirstClass);
    *code = kFirstCode + g_fake.codes++;
    return int{MPI_SUCCESS};
  };
  real.Add_error_string = [](int code, const char* text) {
    g_fake.texts[code] = text;
    return int{MPI_SUCCESS};
  };
  return real;
}

Error error_of(Code code, std::string message) { return Error{code, std::move(message)}; }

TEST(ErrorClass, OfEveryCodeIsAStandardOne) {
  const std::map<Code, int> expected{{Code::invalid_argument, MPI_ERR_ARG},
                                     {Code::info_key, MPI_ERR_INFO_KEY},
                                     {Code::info_value, MPI_ERR_INFO_VALUE},
                                     {Code::size, MPI_ERR_SIZE},
                                     {Code::displacement, MPI_ERR_DISP},
                                     {Code::count, MPI_ERR_COUNT},
                                     {Code::rank, MPI_ERR_RANK},
                                     {Code::buffer, MPI_ERR_BUFFER},
                                     {Code::datatype, MPI_ERR_TYPE},
                                     {Code::range, MPI_ERR_RMA_RANGE},
                                     {Code::sync, MPI_ERR_RMA_SYNC},
                                     {Code::operation, MPI_ERR_OP},
                                     {Code::lock_type, MPI_ERR_LOCKTYPE},
                                     {Code::assertion, MPI_ERR_ASSERT},
                                     {Code::request, MPI_ERR_REQUEST},
                                     {Code::access, MPI_ERR_ACCESS},
                                     {Code::no_memory, MPI_ERR_NO_MEM},
                                     {Code::quota, MPI_ERR_NO_MEM},
                                     {Code::name_not_found, MPI_ERR_PORT},
                                     {Code::name_exists, MPI_ERR_NAME},
                                     {Code::service_not_found, MPI_ERR_NAME},
                                     {Code::service_exists, MPI_ERR_SERVICE},
                                     {Code::unsupported, MPI_ERR_UNSUPPORTED_OPERATION}};
  for (int i = 0; i <= static_cast<int>(Code::mpi); ++i) {
    const Code code{i};
    const auto row = expected.find(code);
    EXPECT_EQ(class_of(code), row == expected.end() ? MPI_ERR_OTHER : row->second) << "code " << i;
  }
}

TEST(ErrorCodes, HaveClassAndTextOfTheirError) {
  const Real real = fake_real();
  ErrorCodes codes{real};
  const int code = codes.code_for(error_of(Code::rank, "target_rank = 9"));
  EXPECT_EQ(codes.find_class(code), MPI_ERR_RANK);
  EXPECT_EQ(g_fake.texts[code], "psnam: target_rank = 9");
}

TEST(ErrorCodes, OfTheSameErrorAreTheSame) {
  const Real real = fake_real();
  ErrorCodes codes{real};
  const int first = codes.code_for(error_of(Code::rank, "a"));
  EXPECT_EQ(codes.code_for(error_of(Code::rank, "a")), first);
  EXPECT_NE(codes.code_for(error_of(Code::rank, "b")), first);
  EXPECT_NE(codes.code_for(error_of(Code::range, "a")), first);
  EXPECT_EQ(g_fake.codes, 3);
  EXPECT_EQ(g_fake.classes, 1);
}

TEST(ErrorCodes, AreUsedInTurnWhenAllAreTaken) {
  const Real real = fake_real();
  ErrorCodes codes{real};
  const int first = codes.code_for(error_of(Code::rank, "0"));
  for (std::size_t i = 1; i < ErrorCodes::kCodes; ++i)
    EXPECT_NE(codes.code_for(error_of(Code::rank, std::to_string(i))), first);
  EXPECT_EQ(codes.find_class(first), MPI_ERR_RANK);
  EXPECT_EQ(codes.code_for(error_of(Code::size, "one more")), first);
  EXPECT_EQ(codes.find_class(first), MPI_ERR_SIZE);
  EXPECT_EQ(g_fake.texts[first], "psnam: one more");
  EXPECT_EQ(g_fake.codes, static_cast<int>(ErrorCodes::kCodes));
}

TEST(ErrorCodes, OthersAreNotOurs) {
  const Real real = fake_real();
  ErrorCodes codes{real};
  EXPECT_EQ(codes.find_class(MPI_ERR_RANK), 0);
  EXPECT_EQ(codes.find_class(0), 0);
}

TEST(ErrorCodes, AnErrorOfTheMpiLibraryKeepsItsOwnCode) {
  const Real real = fake_real();
  ErrorCodes codes{real};
  EXPECT_EQ(codes.code_for(Error{Code::mpi, "MPI_Barrier failed", 777}), 777);
  EXPECT_EQ(g_fake.codes, 0);
}

TEST(ErrorCodes, ALongMessageIsCutToWhatMpiHolds) {
  const Real real = fake_real();
  ErrorCodes codes{real};
  const int code = codes.code_for(error_of(Code::rank, std::string(3 * MPI_MAX_ERROR_STRING, 'x')));
  EXPECT_LT(g_fake.texts[code].size(), std::size_t{MPI_MAX_ERROR_STRING});
  EXPECT_GT(g_fake.texts[code].size(), std::size_t{MPI_MAX_ERROR_STRING - 16});
}

TEST(ErrorCodes, AreThePlainClassIfTheMpiLibraryGivesNone) {
  const Real real = fake_real();
  g_fake.refuses = true;
  ErrorCodes codes{real};
  EXPECT_EQ(codes.code_for(error_of(Code::range, "a")), MPI_ERR_RMA_RANGE);
}

}  // namespace
}  // namespace psnam::mpi
