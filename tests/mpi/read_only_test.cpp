// Windows connected with psnam_access = read_only: their memory is mapped without the right to write, so whatever only
// reads must not write even what is there already, and whatever writes is an error before it touches anything.
#include <algorithm>
#include <array>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kBytes = 4096;
constexpr int kSalt = 5;

/// Predefined types of every width, with gaps and without.
struct Typed {
  const char* name;
  MPI_Datatype type;
};
const std::array kTypes{
    Typed{"byte", MPI_BYTE},
    Typed{"int16", MPI_INT16_T},
    Typed{"int32", MPI_INT32_T},
    Typed{"uint64", MPI_UINT64_T},
    Typed{"float", MPI_FLOAT},
    Typed{"double", MPI_DOUBLE},
    Typed{"long_double", MPI_LONG_DOUBLE},
    Typed{"float_complex", MPI_C_FLOAT_COMPLEX},
    Typed{"double_complex", MPI_C_DOUBLE_COMPLEX},
    Typed{"long_double_complex", MPI_C_LONG_DOUBLE_COMPLEX},
    Typed{"float_int", MPI_FLOAT_INT},
    Typed{"double_int", MPI_DOUBLE_INT},
    Typed{"long_int", MPI_LONG_INT},
    Typed{"short_int", MPI_SHORT_INT},
    Typed{"two_ints", MPI_2INT},
    Typed{"long_double_int", MPI_LONG_DOUBLE_INT},
};

/// A persistent window of this job, and the same connected to read only.
class ReadOnly : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = "read_only.window";
    made_ = allocate({{"psnam_manifestation", "psnam_manifestation_pershm"},
                      {"psnam_consistency", "psnam_consistency_persistent"},
                      {"psnam_window_name", name}},
                     kBytes, 1);
    const auto data = pattern_of(kSalt, me_, kBytes);
    ok(MPI_Win_fence(0, made_));
    ok(put_bytes(made_, me_, data));
    ok(MPI_Win_fence(MPI_MODE_NOSUCCEED, made_));
    win_ = connected_window(name, "read_only");
    ASSERT_NE(win_, MPI_WIN_NULL);
    ok(MPI_Win_lock_all(0, win_));
  }
  void TearDown() override {
    ok(MPI_Win_unlock_all(win_));
    std::vector<std::uint8_t> data(kBytes);
    ok(MPI_Win_lock(MPI_LOCK_SHARED, me_, 0, made_));
    ok(get_bytes(made_, me_, data));
    ok(MPI_Win_unlock(me_, made_));
    EXPECT_EQ(first_difference(data, kSalt, me_), -1);
    MPI_Barrier(MPI_COMM_WORLD);
    ok(MPI_Win_free(&win_));
    remove_window(made_);
  }

  static void ok(int code) { ASSERT_EQ(code, MPI_SUCCESS) << error_text(code); }
  static void expect_access_error(int code, const char* what) {
    ASSERT_EQ(error_class(code), MPI_ERR_ACCESS) << what << ": " << error_text(code);
    EXPECT_NE(error_text(code).find("read_only"), std::string::npos) << error_text(code);
  }

  MPI_Win made_ = MPI_WIN_NULL;
  MPI_Win win_ = MPI_WIN_NULL;
  const int me_ = world_rank();
  const int target_ = (world_rank() + 1) % world_size();
};

/// `count` elements of `type` at `displacement`, as a get sees them and as `fetch` does.
template <class Fetch>
void expect_as_by_get(MPI_Win win, int target, MPI_Datatype type, int count, MPI_Aint displacement, Fetch&& fetch) {
  std::vector<std::byte> by_get(kBytes, std::byte{0xEE});
  std::vector<std::byte> fetched(by_get);
  ASSERT_EQ(MPI_Get(by_get.data(), count, type, target, displacement, count, type, win), MPI_SUCCESS);
  ASSERT_EQ(fetch(fetched.data()), MPI_SUCCESS);
  EXPECT_EQ(fetched, by_get);
  EXPECT_TRUE(std::any_of(fetched.begin(), fetched.end(), [](std::byte b) { return b != std::byte{0xEE}; }));
}

TEST_F(ReadOnly, NoOpFetchesOneElementOfEveryWidthAtEveryAlignment) {
  for (const Typed& typed : kTypes)
    for (const MPI_Aint displacement : {0, 1, 4, 8, 24, 255, 256}) {
      SCOPED_TRACE(std::string{typed.name} + " at " + std::to_string(displacement));
      expect_as_by_get(win_, target_, typed.type, 1, displacement, [&](void* result) {
        return MPI_Fetch_and_op(nullptr, result, typed.type, target_, displacement, MPI_NO_OP, win_);
      });
    }
}

TEST_F(ReadOnly, NoOpFetchesArraysOfEveryWidthAtEveryAlignment) {
  for (const Typed& typed : kTypes)
    for (const int count : {1, 2, 7, 60})
      for (const MPI_Aint displacement : {0, 1, 8, 248}) {
        SCOPED_TRACE(std::string{typed.name} + " times " + std::to_string(count) + " at " +
                     std::to_string(displacement));
        expect_as_by_get(win_, target_, typed.type, count, displacement, [&](void* result) {
          return MPI_Get_accumulate(nullptr, 0, typed.type, result, count, typed.type, target_, displacement, count,
                                    typed.type, MPI_NO_OP, win_);
        });
        expect_as_by_get(win_, target_, typed.type, count, displacement, [&](void* result) {
          MPI_Request request = MPI_REQUEST_NULL;
          const int code = MPI_Rget_accumulate(nullptr, 0, typed.type, result, count, typed.type, target_, displacement,
                                               count, typed.type, MPI_NO_OP, win_, &request);
          return code == MPI_SUCCESS ? MPI_Wait(&request, MPI_STATUS_IGNORE) : code;
        });
      }
}

TEST_F(ReadOnly, NoOpFetchesDerivedTypesOfEveryWidth) {
  for (const Typed& typed : kTypes) {
    SCOPED_TRACE(typed.name);
    MPI_Datatype spread = MPI_DATATYPE_NULL;
    ASSERT_EQ(MPI_Type_vector(3, 2, 5, typed.type, &spread), MPI_SUCCESS);
    ASSERT_EQ(MPI_Type_commit(&spread), MPI_SUCCESS);
    expect_as_by_get(win_, target_, spread, 2, 16, [&](void* result) {
      return MPI_Get_accumulate(nullptr, 0, spread, result, 2, spread, target_, 16, 2, spread, MPI_NO_OP, win_);
    });
    EXPECT_EQ(MPI_Type_free(&spread), MPI_SUCCESS);
  }
}

TEST_F(ReadOnly, EveryOtherOperationIsAnAccessError) {
  const std::array<std::pair<const char*, MPI_Op>, 13> ops{{{"sum", MPI_SUM},
                                                            {"prod", MPI_PROD},
                                                            {"max", MPI_MAX},
                                                            {"min", MPI_MIN},
                                                            {"land", MPI_LAND},
                                                            {"lor", MPI_LOR},
                                                            {"lxor", MPI_LXOR},
                                                            {"band", MPI_BAND},
                                                            {"bor", MPI_BOR},
                                                            {"bxor", MPI_BXOR},
                                                            {"maxloc", MPI_MAXLOC},
                                                            {"minloc", MPI_MINLOC},
                                                            {"replace", MPI_REPLACE}}};
  std::array<std::byte, 64> from{};
  std::array<std::byte, 64> to{};
  MPI_Request request = MPI_REQUEST_NULL;
  for (const auto& [name, op] : ops)
    for (const Typed& typed : kTypes) {
      SCOPED_TRACE(typed.name);
      const MPI_Datatype type = typed.type;
      expect_access_error(MPI_Accumulate(from.data(), 1, type, target_, 0, 1, type, op, win_), name);
      expect_access_error(MPI_Get_accumulate(from.data(), 1, type, to.data(), 1, type, target_, 0, 1, type, op, win_),
                          name);
      expect_access_error(MPI_Fetch_and_op(from.data(), to.data(), type, target_, 0, op, win_), name);
      expect_access_error(MPI_Raccumulate(from.data(), 1, type, target_, 0, 1, type, op, win_, &request), name);
      expect_access_error(
          MPI_Rget_accumulate(from.data(), 1, type, to.data(), 1, type, target_, 0, 1, type, op, win_, &request), name);
    }
  for (const MPI_Datatype type : {MPI_BYTE, MPI_INT16_T, MPI_INT32_T, MPI_INT64_T})
    expect_access_error(MPI_Compare_and_swap(from.data(), from.data(), to.data(), type, target_, 0, win_), "swap");
  expect_access_error(MPI_Put(from.data(), 1, MPI_INT, target_, 0, 1, MPI_INT, win_), "put");
  expect_access_error(MPI_Rput(from.data(), 1, MPI_INT, target_, 0, 1, MPI_INT, win_, &request), "rput");
  EXPECT_EQ(request, MPI_REQUEST_NULL);
}

}  // namespace
}  // namespace psnam::test
