// Each way in which a put, a get or a fence can be refused: at the origin, with nothing moved.
#include <functional>
#include <limits>

#include "errors.hpp"

namespace psnam::test {
namespace {

constexpr int kBytes = 64;
constexpr int kUnit = 4;

/// One operation as the program writes it; right as it stands: one int to the first place of rank 0.
struct Operation {
  bool null_origin = false;
  MPI_Count origin_count = 1;
  MPI_Datatype origin_type = MPI_INT;
  int rank = 0;
  MPI_Aint displacement = 0;
  MPI_Count target_count = 1;
  MPI_Datatype target_type = MPI_INT;
  bool large_only = false;  ///< the counts do not fit an int
};

struct Types {
  MPI_Datatype uncommitted = MPI_DATATYPE_NULL;
  MPI_Datatype before = MPI_DATATYPE_NULL;  ///< one int, one before its element
  MPI_Datatype wide = MPI_DATATYPE_NULL;    ///< one int in an extent of 1000 bytes
  MPI_Datatype backwards = MPI_DATATYPE_NULL;
  MPI_Datatype far = MPI_DATATYPE_NULL;

  Types() {
    const int length = 1;
    const MPI_Aint four_before = -4;
    const MPI_Aint almost_everything = std::numeric_limits<MPI_Aint>::max() - 100;
    MPI_Type_contiguous(1, MPI_INT, &uncommitted);
    MPI_Type_create_hindexed(1, &length, &four_before, MPI_INT, &before);
    MPI_Type_create_resized(MPI_INT, 0, 1000, &wide);
    MPI_Type_create_resized(MPI_INT, 0, -8, &backwards);
    MPI_Type_create_hindexed(1, &length, &almost_everything, MPI_INT, &far);
    for (MPI_Datatype* type : {&before, &wide, &backwards, &far}) MPI_Type_commit(type);
  }
  ~Types() {
    for (MPI_Datatype* type : {&uncommitted, &before, &wide, &backwards, &far}) MPI_Type_free(type);
  }
  Types(const Types&) = delete;
  Types& operator=(const Types&) = delete;
};

struct Case {
  const char* name;
  std::function<void(Operation&, const Types&)> change;
  int error_class;
  std::vector<std::string> words;
};

std::vector<Case> cases() {
  constexpr MPI_Aint kMost = std::numeric_limits<MPI_Aint>::max();
  return {
      {"RankThatIsNegative", [](Operation& o, const Types&) { o.rank = -5; }, MPI_ERR_RANK, {"-5"}},
      {"RankBeyondTheLast", [](Operation& o, const Types&) { o.rank = world_size(); }, MPI_ERR_RANK, {"target_rank"}},
      {"RankFarBeyondTheLast",
       [](Operation& o, const Types&) { o.rank = std::numeric_limits<int>::max(); },
       MPI_ERR_RANK,
       {"2147483647"}},
      {"DisplacementThatIsNegative",
       [](Operation& o, const Types&) { o.displacement = -1; },
       MPI_ERR_RMA_RANGE,
       {"-4", "64"}},
      {"DisplacementBeyondTheRegion",
       [](Operation& o, const Types&) { o.displacement = kBytes / kUnit; },
       MPI_ERR_RMA_RANGE,
       {"64 to 67", "64 bytes"}},
      {"DisplacementThatOverflowsWithTheUnit",
       [](Operation& o, const Types&) { o.displacement = kMost / 2; },
       MPI_ERR_RMA_RANGE,
       {std::to_string(kMost / 2), "unit 4"}},
      {"DisplacementThatOverflowsToAGoodOne",
       [](Operation& o, const Types&) { o.displacement = MPI_Aint{1} << 62; },
       MPI_ERR_RMA_RANGE,
       {}},
      {"DisplacementOfLeastValue",
       [](Operation& o, const Types&) { o.displacement = std::numeric_limits<MPI_Aint>::min(); },
       MPI_ERR_RMA_RANGE,
       {}},
      {"CountThatLeavesTheRegion",
       [](Operation& o, const Types&) { o.origin_count = o.target_count = kBytes / kUnit + 1; },
       MPI_ERR_RMA_RANGE,
       {"0 to 67", "64 bytes"}},
      {"CountsThatAreNegative",
       [](Operation& o, const Types&) { o.origin_count = o.target_count = -1; },
       MPI_ERR_COUNT,
       {"-1"}},
      {"OriginCountThatIsNegative", [](Operation& o, const Types&) { o.origin_count = -3; }, MPI_ERR_COUNT, {"-3"}},
      {"TargetCountThatIsNegative", [](Operation& o, const Types&) { o.target_count = -2; }, MPI_ERR_COUNT, {"-2"}},
      {"CountsThatAreNegativeInBytes",
       [](Operation& o, const Types&) {
         o.origin_count = o.target_count = -4;
         o.origin_type = o.target_type = MPI_BYTE;
       },
       MPI_ERR_COUNT,
       {"-4"}},
      {"CountsBeyond63Bits",
       [](Operation& o, const Types&) {
         o.origin_count = o.target_count = MPI_Count{1} << 62;
         o.large_only = true;
       },
       MPI_ERR_COUNT,
       {"63 bits"}},
      {"CountsFarBeyondTheRegion",
       [](Operation& o, const Types&) {
         o.origin_count = o.target_count = MPI_Count{1} << 60;
         o.large_only = true;
       },
       MPI_ERR_RMA_RANGE,
       {"64 bytes"}},
      {"OriginTypeNull",
       [](Operation& o, const Types&) { o.origin_type = MPI_DATATYPE_NULL; },
       MPI_ERR_TYPE,
       {"MPI_DATATYPE_NULL"}},
      {"TargetTypeNull",
       [](Operation& o, const Types&) { o.target_type = MPI_DATATYPE_NULL; },
       MPI_ERR_TYPE,
       {"MPI_DATATYPE_NULL"}},
      {"OriginTypeUncommitted",
       [](Operation& o, const Types& t) { o.origin_type = t.uncommitted; },
       MPI_ERR_TYPE,
       {"not committed"}},
      {"TargetTypeUncommitted",
       [](Operation& o, const Types& t) { o.target_type = t.uncommitted; },
       MPI_ERR_TYPE,
       {"not committed"}},
      {"TypesOfDifferentBytes",
       [](Operation& o, const Types&) { o.origin_type = MPI_SHORT; },
       MPI_ERR_TYPE,
       {"2 bytes", "4"}},
      {"CountsOfDifferentBytes",
       [](Operation& o, const Types&) { o.target_count = 3; },
       MPI_ERR_TYPE,
       {"4 bytes", "12"}},
      {"OneSideWithoutBytes", [](Operation& o, const Types&) { o.origin_count = 0; }, MPI_ERR_TYPE, {"0 bytes", "4"}},
      {"TargetTypeThatBeginsBeforeTheRegion",
       [](Operation& o, const Types& t) { o.target_type = t.before; },
       MPI_ERR_RMA_RANGE,
       {"-4 to -1"}},
      {"TargetTypeWhoseExtentLeavesTheRegion",
       [](Operation& o, const Types& t) {
         o.origin_count = o.target_count = 2;
         o.target_type = t.wide;
       },
       MPI_ERR_RMA_RANGE,
       {"0 to 1003"}},
      {"TargetTypeThatGoesBackwardsOutOfTheRegion",
       [](Operation& o, const Types& t) {
         o.origin_count = o.target_count = 2;
         o.target_type = t.backwards;
       },
       MPI_ERR_RMA_RANGE,
       {"-8"}},
      {"TargetTypeAtTheEndOfTheAddresses",
       [](Operation& o, const Types& t) {
         o.displacement = 15;
         o.target_type = t.far;
       },
       MPI_ERR_RMA_RANGE,
       {}},
      {"OriginNull", [](Operation& o, const Types&) { o.null_origin = true; }, MPI_ERR_BUFFER, {"NULL", "4 bytes"}},
  };
}

class AccessErrors : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Of, AccessErrors, testing::ValuesIn(cases()),
                         [](const auto& of) { return std::string{of.param.name}; });

enum class Call { put, get, put_c, get_c };

int make(Call call, const Operation& o, int* buffer, MPI_Win win) {
  int* const origin = o.null_origin ? nullptr : buffer;
  const auto oc = static_cast<int>(o.origin_count);
  const auto tc = static_cast<int>(o.target_count);
  switch (call) {
    case Call::put:
      return MPI_Put(origin, oc, o.origin_type, o.rank, o.displacement, tc, o.target_type, win);
    case Call::get:
      return MPI_Get(origin, oc, o.origin_type, o.rank, o.displacement, tc, o.target_type, win);
    case Call::put_c:
      return MPI_Put_c(origin, o.origin_count, o.origin_type, o.rank, o.displacement, o.target_count, o.target_type,
                       win);
    case Call::get_c:
      return MPI_Get_c(origin, o.origin_count, o.origin_type, o.rank, o.displacement, o.target_count, o.target_type,
                       win);
  }
  return MPI_ERR_INTERN;
}

/// Nothing was written to the part of `owner`. Ends a fence epoch, which is open, and opens the next.
void expect_zeros(const PartedWindow& window, int owner) {
  const auto part = window.read(owner, kBytes);
  window.fence();
  EXPECT_EQ(part, std::vector<std::byte>(kBytes)) << "part of rank " << owner;
}

TEST_P(AccessErrors, AreRaisedOnceAtTheOriginAndMoveNothing) {
  const Types types;
  for (const std::size_t kind : {std::size_t{3}, std::size_t{8}}) {
    // In a flat window of several ranks the region is larger than the cases expect.
    if (kKinds[kind].flat() && world_size() > 1) continue;
    const PartedWindow window{kKinds[kind], kBytes, kUnit};
    handle_errors_of(window);
    Operation operation;
    GetParam().change(operation, types);
    std::array<int, 32> buffer{};
    buffer.fill(4711);
    window.fence();
    for (const Call call : {Call::put, Call::get, Call::put_c, Call::get_c}) {
      if (operation.large_only && (call == Call::put || call == Call::get)) continue;
      const int code = make(call, operation, buffer.data(), window);
      expect_handled_once(code);
      expect_same_error(code, GetParam().error_class, GetParam().words, MPI_COMM_WORLD);
    }
    window.fence();
    expect_zeros(window, world_rank());
    for (const int number : buffer) EXPECT_EQ(number, 4711);
  }
}

TEST(RangeErrors, ARankWithoutBytesHasNoPlaceToPut) {
  const PartedWindow window{kKinds[0], kBytes, kUnit};
  if (world_size() < 2) GTEST_SKIP() << "needs two ranks";
  window.fence();
  const int value = 1;
  expect_same_error(MPI_Put(&value, 1, MPI_INT, 1, 0, 1, MPI_INT, window), MPI_ERR_RMA_RANGE, {"region of 0 bytes"},
                    MPI_COMM_WORLD);
  window.fence(MPI_MODE_NOSUCCEED);
}

TEST(RangeErrors, ARegionEndsWhereTheNextOneOfItsAllocationBegins) {
  // The regions of a contiguous window are neighbours in memory: a put across the border must not reach the neighbour.
  const PartedWindow window{kKinds[4], kBytes, 1};
  window.fence();
  const std::array<char, 2> value{1, 1};
  expect_error(MPI_Put(value.data(), 2, MPI_CHAR, 0, kBytes - 1, 2, MPI_CHAR, window), MPI_ERR_RMA_RANGE, {"63 to 64"});
  window.fence();
  for (int rank = 0; rank < world_size(); ++rank) expect_zeros(window, rank);
}

/// All four calls outside an epoch.
void expect_no_epoch(MPI_Win win) {
  Operation operation;
  std::array<int, 32> buffer{};
  for (const Call call : {Call::put, Call::get, Call::put_c, Call::get_c}) {
    const int code = make(call, operation, buffer.data(), win);
    expect_handled_once(code);
    expect_same_error(code, MPI_ERR_RMA_SYNC, {"outside an epoch"}, MPI_COMM_WORLD);
  }
}

TEST(SyncErrors, NoOperationBeforeTheFirstFence) {
  const PartedWindow window{kKinds[8], kBytes, kUnit};
  handle_errors_of(window);
  expect_no_epoch(window);
  window.fence();
  expect_zeros(window, world_rank());
}

TEST(SyncErrors, NoOperationAfterAFenceThatSaysSo) {
  const PartedWindow window{kKinds[8], kBytes, kUnit};
  handle_errors_of(window);
  window.fence();
  window.fence(MPI_MODE_NOSUCCEED);
  expect_no_epoch(window);
  window.fence();
  expect_zeros(window, world_rank());
}

TEST(SyncErrors, AnAssertionThatAFenceDoesNotKnowIsRefusedAndTheEpochStays) {
  const PartedWindow window{kKinds[8], kBytes, kUnit};
  handle_errors_of(window);
  window.fence();
  for (const int bits : {1 << 20, int{MPI_MODE_NOCHECK}, MPI_MODE_NOSTORE | (1 << 2), -1}) {
    const int code = MPI_Win_fence(bits, window);
    expect_handled_once(code);
    expect_same_error(code, MPI_ERR_ASSERT, {std::to_string(bits), "MPI_MODE_NOSUCCEED"}, MPI_COMM_WORLD);
  }
  expect_zeros(window, world_rank());
}

TEST(AccessRight, APutToAWindowConnectedReadOnlyIsRefused) {
  const Info keep{kPershm, {"psnam_consistency", "psnam_consistency_persistent"}};
  const Window made{kBytes, kUnit, keep};
  const std::string name = window_info(made, "psnam_window_name");
  MPI_Comm inter = MPI_COMM_NULL;
  const Info connect{{"psnam_window_connect", "true"}, {"psnam_access", "read_only"}};
  ASSERT_EQ(MPI_Comm_connect(name.c_str(), connect, 0, MPI_COMM_WORLD, &inter), MPI_SUCCESS);
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_create_dynamic(MPI_INFO_NULL, inter, &win), MPI_SUCCESS);
  handle_errors_of(win);
  EXPECT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  int value = 5;
  for (const int rank : {0, world_size() - 1}) {
    const int code = MPI_Put(&value, 1, MPI_INT, rank, 0, 1, MPI_INT, win);
    expect_handled_once(code);
    expect_same_error(code, MPI_ERR_ACCESS, {"read_only", name}, MPI_COMM_WORLD);
    EXPECT_EQ(MPI_Get(&value, 1, MPI_INT, rank, 0, 1, MPI_INT, win), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
    EXPECT_EQ(value, 0);
  }
  const Info back{{"psnam_consistency", "psnam_consistency_volatile"}};
  const int code = MPI_Win_set_info(win, back);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_ACCESS, {"read_only"}, MPI_COMM_WORLD);
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Comm_disconnect(&inter), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_set_info(made, back), MPI_SUCCESS);
}

}  // namespace
}  // namespace psnam::test
