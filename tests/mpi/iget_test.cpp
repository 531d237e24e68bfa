// MPIX_Iget on windows of every kind, of the own job and connected, over nodes, and on windows of the MPI library.
#include <sys/types.h>

#include <array>
#include <cinttypes>
#include <cstring>
#include <fstream>
#include <functional>

#include "errors.hpp"
#include "psnam.h"

namespace psnam::test {
namespace {

constexpr std::size_t kInts = 96;
constexpr std::size_t kPart = kInts * sizeof(int);

/// Whether `address` lies in a mapped file of this process's store.
bool is_in_region(const void* address) {
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &begin, &end) != 2) continue;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (at >= begin && at < end) return line.find("/memory/") != std::string::npos;
  }
  return false;
}

void ok(int code) { EXPECT_EQ(code, MPI_SUCCESS) << error_text(code); }

/// What a completed get has.
struct Got {
  const void* address = nullptr;
  MPI_Count bytes = -1;

  [[nodiscard]] std::vector<std::byte> copy() const {
    const auto* const first = static_cast<const std::byte*>(address);
    return {first, first + bytes};
  }
};

Got data_of(MPIX_Iget_request request) {
  Got got;
  ok(MPIX_Iget_wait(request));
  ok(MPIX_Iget_data(request, &got.address, &got.bytes));
  return got;
}

void free_get(MPIX_Iget_request& request) {
  ok(MPIX_Iget_free(&request));
  EXPECT_EQ(request, MPIX_IGET_REQUEST_NULL);
}

/// The datatypes that are gotten, of at most half a part for two elements.
struct Type {
  const char* name;
  std::function<MPI_Datatype()> make;
  bool one_piece;
};

MPI_Datatype indexed(std::vector<int> lengths, std::vector<int> places) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_indexed(static_cast<int>(lengths.size()), lengths.data(), places.data(), MPI_INT, &type);
  return type;
}

MPI_Datatype mixed_struct() {
  const std::array lengths{1, 3, 1};
  const std::array<MPI_Aint, 3> places{0, 5, 16};
  const std::array<MPI_Datatype, 3> types{MPI_INT, MPI_BYTE, MPI_DOUBLE};
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_create_struct(3, lengths.data(), places.data(), types.data(), &type);
  return type;
}

template <auto Make, class... Args>
std::function<MPI_Datatype()> maker(Args... args) {
  return [=] {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    Make(args..., &type);
    return type;
  };
}

const std::vector<Type>& types() {
  static const std::vector<Type> all{
      {"int", maker<MPI_Type_dup>(MPI_INT), true},
      {"double", maker<MPI_Type_dup>(MPI_DOUBLE), true},
      {"contiguous", maker<MPI_Type_contiguous>(5, MPI_INT), true},
      {"vector", maker<MPI_Type_vector>(3, 2, 4, MPI_INT), false},
      {"backwards",
       [] {
         return indexed({1, 2}, {4, 1});
       },
       false},
      {"mixed", mixed_struct, false},
      {"pair with a gap", maker<MPI_Type_dup>(MPI_SHORT_INT), false},
      {"resized", maker<MPI_Type_create_resized>(MPI_INT, MPI_Aint{0}, MPI_Aint{12}), false},
  };
  return all;
}

/// A part of kInts ints for each rank, filled with its pattern; `win_` is the window itself or a connection to it.
class Parts {
 public:
  Parts(const Kind& kind, bool connected, const char* access = nullptr)
      : made_{kind,
              kPart,
              sizeof(int),
              MPI_COMM_WORLD,
              {{"psnam_consistency", "psnam_consistency_persistent"}, {"psnam_window_name", "iget.window"}}} {
    made_.fence();
    const auto mine = expected(me_);
    ok(MPI_Put(mine.data(), kPart, MPI_BYTE, made_.target(me_), made_.displacement(me_), kPart, MPI_BYTE, made_));
    made_.fence(MPI_MODE_NOSUCCEED);
    if (connected) connect(access);
    handle_errors_of(win());
  }
  ~Parts() {
    EXPECT_EQ(handled(), std::vector<int>{});
    handled().clear();
    if (connected_ != MPI_WIN_NULL) ok(MPI_Win_free(&connected_));
    ok(MPI_Win_set_info(made_, Info{{"psnam_consistency", "psnam_consistency_volatile"}}));
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  [[nodiscard]] MPI_Win win() const { return connected_ != MPI_WIN_NULL ? connected_ : static_cast<MPI_Win>(made_); }
  [[nodiscard]] static std::vector<std::byte> expected(int owner) {
    std::vector<std::byte> part(kPart);
    for (std::size_t i = 0; i < kPart; ++i) part[i] = pattern(owner, owner, i);
    return part;
  }
  [[nodiscard]] int target(int owner) const { return made_.target(owner); }
  [[nodiscard]] MPI_Aint at(int owner, std::size_t place = 0) const { return made_.displacement(owner, place); }
  [[nodiscard]] MPIX_Iget_request get(int owner, std::size_t place, int count, MPI_Datatype type) const {
    MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
    ok(MPIX_Iget(at(owner, place), count, type, target(owner), win(), &request));
    EXPECT_NE(request, MPIX_IGET_REQUEST_NULL);
    return request;
  }
  /// The value is read until the epoch has ended.
  void put(int owner, std::size_t place, const int& value) const {
    ok(MPI_Put(&value, 1, MPI_INT, target(owner), at(owner, place), 1, MPI_INT, win()));
  }
  void put(int owner, std::size_t place, int&& value) const = delete;
  void fence(int assertions = 0) const { ok(MPI_Win_fence(assertions, win())); }

 private:
  void connect(const char* access) {
    MPI_Comm inter = MPI_COMM_NULL;
    Info info{};
    if (access != nullptr) info.set("psnam_access", access);
    ok(MPIX_Win_connect_intercomm("iget.window", info, 0, MPI_COMM_WORLD, &inter));
    ok(MPIX_Win_create_intercomm(MPI_INFO_NULL, inter, &connected_));
    ok(MPI_Comm_disconnect(&inter));
  }

  const int me_ = world_rank();
  PartedWindow made_;
  MPI_Win connected_ = MPI_WIN_NULL;
};

/// What `count` elements of `type` at int `place` of the part of `owner` are, packed.
std::vector<std::byte> packed(int owner, std::size_t place, int count, MPI_Datatype type) {
  const std::vector<std::byte> part = Parts::expected(owner);
  int size = 0;
  MPI_Type_size(type, &size);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size * count) + 64);
  int position = 0;
  MPI_Pack(part.data() + place * sizeof(int), count, type, bytes.data(), static_cast<int>(bytes.size()), &position,
           MPI_COMM_SELF);
  EXPECT_EQ(position, size * count);
  bytes.resize(static_cast<std::size_t>(size * count));
  return bytes;
}

struct Case {
  Kind kind;
  bool connected;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Kind& kind : kKinds)
    for (const bool connected : {false, true}) all.push_back({kind, connected});
  return all;
}

class Iget : public testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] static bool is_mapped(int owner) { return test::is_mapped(GetParam().kind, owner); }

  Parts parts_{GetParam().kind, GetParam().connected};
  const int me_ = world_rank();
  const int next_ = (world_rank() + 1) % world_size();
};

TEST_P(Iget, DataInOnePieceIsTheRegionItselfWhereThatIsMapped) {
  parts_.fence();
  for (int owner = 0; owner < world_size(); ++owner) {
    MPIX_Iget_request request = parts_.get(owner, 3, 8, MPI_INT);
    const Got got = data_of(request);
    EXPECT_EQ(got.bytes, 32);
    EXPECT_EQ(is_in_region(got.address), is_mapped(owner));
    EXPECT_EQ(got.copy(), packed(owner, 3, 8, MPI_INT));
    free_get(request);
  }
  // What is put later is seen, at the same place; of memory that is not mapped there is a copy.
  MPIX_Iget_request request = parts_.get(next_, 0, 4, MPI_INT);
  const Got got = data_of(request);
  const auto before = got.copy();
  const int later = 4711;
  parts_.fence();
  parts_.put(next_, 1, later);
  parts_.fence(MPI_MODE_NOSUCCEED);
  int seen = 0;
  std::memcpy(&seen, static_cast<const int*>(got.address) + 1, sizeof seen);
  if (is_mapped(next_))
    EXPECT_EQ(seen, later);
  else
    EXPECT_EQ(got.copy(), before);
  free_get(request);
}

TEST_P(Iget, EveryTypeArrivesPacked) {
  parts_.fence();
  for (const Type& each : types())
    for (const int count : {1, 2, 3}) {
      SCOPED_TRACE(std::string{each.name} + " times " + std::to_string(count));
      MPI_Datatype type = each.make();
      MPI_Type_commit(&type);
      MPIX_Iget_request request = parts_.get(next_, 2, count, type);
      MPI_Type_free(&type);  // not needed any more
      const Got got = data_of(request);
      type = each.make();
      MPI_Type_commit(&type);
      EXPECT_EQ(got.copy(), packed(next_, 2, count, type));
      const bool one_piece = each.one_piece || (count == 1 && std::string{each.name} == "resized");
      EXPECT_EQ(is_in_region(got.address), one_piece && is_mapped(next_));
      free_get(request);
      MPI_Type_free(&type);
    }
  parts_.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(Iget, ACopyStaysAsItWas) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_vector(3, 1, 2, MPI_INT, &type);
  MPI_Type_commit(&type);
  parts_.fence();
  MPIX_Iget_request request = parts_.get(next_, 0, 1, type);
  const Got got = data_of(request);
  const int later = 12345;
  parts_.fence();
  parts_.put(next_, 0, later);
  parts_.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(got.copy(), packed(next_, 0, 1, type));
  free_get(request);
  MPI_Type_free(&type);
}

TEST_P(Iget, EveryEpochAllowsIt) {
  const int target = parts_.target(me_);
  const auto expect_get = [&](const char* epoch) {
    SCOPED_TRACE(epoch);
    MPIX_Iget_request request = parts_.get(me_, 5, 3, MPI_INT);
    EXPECT_EQ(data_of(request).copy(), packed(me_, 5, 3, MPI_INT));
    free_get(request);
  };
  ok(MPI_Win_lock(MPI_LOCK_SHARED, target, 0, parts_.win()));
  expect_get("lock");
  ok(MPI_Win_unlock(target, parts_.win()));
  ok(MPI_Win_lock_all(0, parts_.win()));
  expect_get("lock_all");
  ok(MPI_Win_unlock_all(parts_.win()));
  parts_.fence();
  expect_get("fence");
  parts_.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(Iget, NothingIsNull) {
  parts_.fence();
  MPIX_Iget_request none = parts_.get(me_, 0, 0, MPI_INT);
  MPIX_Iget_request nobody = MPIX_IGET_REQUEST_NULL;
  ok(MPIX_Iget(1, 5, MPI_INT, MPI_PROC_NULL, parts_.win(), &nobody));
  for (MPIX_Iget_request* const request : {&none, &nobody}) {
    int place = 0;
    Got got{&place, -1};
    ok(MPIX_Iget_wait(*request));
    ok(MPIX_Iget_data(*request, &got.address, &got.bytes));
    EXPECT_EQ(got.address, nullptr);
    EXPECT_EQ(got.bytes, 0);
    ok(MPIX_Iget_data(*request, nullptr, nullptr));
    free_get(*request);
  }
  parts_.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(Iget, LargeCountsAndTestsAreTheSame) {
  parts_.fence();
  MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
  ok(MPIX_Iget_c(parts_.at(me_, 1), 7, MPI_INT, parts_.target(me_), parts_.win(), &request));
  int flag = -1;
  ok(MPIX_Iget_test(request, &flag));
  EXPECT_EQ(flag, 1);
  Got got;
  ok(MPIX_Iget_data(request, &got.address, &got.bytes));
  EXPECT_EQ(got.copy(), packed(me_, 1, 7, MPI_INT));
  ok(MPIX_Iget_wait(request));
  ok(MPIX_Iget_test(request, &flag));
  EXPECT_EQ(data_of(request).address, got.address);
  free_get(request);
  parts_.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(Iget, ErrorsAreThoseOfAGet) {
  MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
  const MPI_Win w = parts_.win();
  const int target = parts_.target(me_);
  const auto expect_refused = [&](int code, int error_class, const std::vector<std::string>& words) {
    expect_handled_once(code);
    expect_error(code, error_class, words);
    EXPECT_EQ(request, MPIX_IGET_REQUEST_NULL);
  };
  const auto stale = [&] { std::memset(&request, 0x55, sizeof request); };
  stale();
  expect_refused(MPIX_Iget(0, 1, MPI_INT, target, w, &request), MPI_ERR_RMA_SYNC, {"MPIX_Iget", "epoch"});
  expect_refused(MPIX_Iget(0, 1, MPI_INT, MPI_PROC_NULL, w, &request), MPI_ERR_RMA_SYNC, {"epoch"});
  parts_.fence();
  stale();
  expect_refused(MPIX_Iget(1 << 20, 1, MPI_INT, target, w, &request), MPI_ERR_RMA_RANGE, {"region"});
  expect_refused(MPIX_Iget(-1, 1, MPI_INT, target, w, &request), MPI_ERR_RMA_RANGE, {"-4"});
  expect_refused(MPIX_Iget(0, 1, MPI_INT, world_size(), w, &request), MPI_ERR_RANK, {"target_rank"});
  expect_refused(MPIX_Iget(0, -1, MPI_INT, target, w, &request), MPI_ERR_COUNT, {"-1"});
  expect_refused(MPIX_Iget_c(0, MPI_Count{1} << 61, MPI_INT, target, w, &request), MPI_ERR_COUNT, {"63 bits"});
  expect_refused(MPIX_Iget(0, 1, MPI_DATATYPE_NULL, target, w, &request), MPI_ERR_TYPE, {});
  expect_refused(MPIX_Iget(0, 1, MPI_INT, target, w, nullptr), MPI_ERR_ARG, {"request"});
  parts_.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(Iget, MisuseOfARequestIsToldOnItsWindow) {
  parts_.fence();
  MPIX_Iget_request request = parts_.get(me_, 0, 1, MPI_INT);
  const void* address = &request;
  int code = MPIX_Iget_data(request, &address, nullptr);
  expect_handled_once(code);
  expect_error(code, MPI_ERR_REQUEST, {"MPIX_Iget_wait"});
  EXPECT_EQ(address, &request);
  code = MPIX_Iget_test(request, nullptr);
  expect_handled_once(code);
  expect_error(code, MPI_ERR_ARG, {"flag"});
  free_get(request);  // though never waited for
  parts_.fence(MPI_MODE_NOSUCCEED);
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string{info.param.kind.manifestation} + "_" + info.param.kind.structure +
         (info.param.connected ? "_connected" : "");
}
INSTANTIATE_TEST_SUITE_P(Kinds, Iget, testing::ValuesIn(cases()), case_name);

/// Errors without a window go to MPI_COMM_SELF.
class SelfErrors {
 public:
  SelfErrors() {
    MPI_Comm_create_errhandler(handle_comm, &handler_);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, handler_);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler_);  // to which the MPI library tells errors without an object
    handled().clear();
  }
  ~SelfErrors() {
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Errhandler_free(&handler_);
  }
  SelfErrors(const SelfErrors&) = delete;
  SelfErrors& operator=(const SelfErrors&) = delete;

  static void expect_no_request(MPIX_Iget_request request, const char* word) {
    int flag = 7;
    MPIX_Iget_request copy = request;
    for (const int code : {MPIX_Iget_wait(request), MPIX_Iget_test(request, &flag),
                           MPIX_Iget_data(request, nullptr, nullptr), MPIX_Iget_free(&copy)})
      expect_error(code, MPI_ERR_REQUEST, {word});
    EXPECT_EQ(handled().size(), 4U);
    handled().clear();
    EXPECT_EQ(copy, request);
    EXPECT_EQ(flag, 7);
  }

 private:
  MPI_Errhandler handler_ = MPI_ERRHANDLER_NULL;
};

TEST(IgetRequest, ThatIsNoneIsRecognised) {
  const SelfErrors self;
  int place = 0;
  SelfErrors::expect_no_request(MPIX_IGET_REQUEST_NULL, "MPIX_IGET_REQUEST_NULL");
  for (const std::uintptr_t number :
       {std::uintptr_t{1}, std::uintptr_t{0xdeadbeef}, ~std::uintptr_t{0}, reinterpret_cast<std::uintptr_t>(&place)})
    SelfErrors::expect_no_request(reinterpret_cast<MPIX_Iget_request>(number), "none of MPIX_Iget");
  const int code = MPIX_Iget_free(nullptr);
  expect_handled_once(code);
  expect_error(code, MPI_ERR_REQUEST, {});
}

TEST(IgetRequest, FreedTwiceIsRecognised) {
  Parts parts{kKinds[5], false};
  parts.fence();
  MPIX_Iget_request request = parts.get(world_rank(), 0, 1, MPI_INT);
  const MPIX_Iget_request copy = request;
  free_get(request);
  const SelfErrors self;
  SelfErrors::expect_no_request(copy, "freed");
  MPIX_Iget_request next = parts.get(world_rank(), 0, 1, MPI_INT);
  SelfErrors::expect_no_request(copy, "freed");
  free_get(next);
  parts.fence(MPI_MODE_NOSUCCEED);
}

TEST(IgetRequest, ThousandsMayLiveAtOnce) {
  constexpr std::size_t kMany = 3000;
  Parts parts{kKinds[5], false};
  parts.fence();
  std::vector<MPIX_Iget_request> requests;
  for (std::size_t i = 0; i < kMany; ++i) requests.push_back(parts.get(world_rank(), i % kInts, 1, MPI_INT));
  for (std::size_t step = 0; step < kMany; ++step) {
    const std::size_t i = step * 7 % kMany;  // each once
    EXPECT_EQ(data_of(requests[i]).copy(), packed(world_rank(), i % kInts, 1, MPI_INT));
    free_get(requests[i]);
  }
  parts.fence(MPI_MODE_NOSUCCEED);
}

TEST(IgetWindow, IsNotFreedBeforeItsRequestsOnAnyRank) {
  const Info info{kPershm};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(64, 4, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  handle_errors_of(win);
  MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
  ok(MPI_Win_fence(0, win));
  if (world_rank() == 0) ok(MPIX_Iget(0, 2, MPI_INT, world_size() - 1, win, &request));
  ok(MPI_Win_fence(MPI_MODE_NOSUCCEED, win));
  MPI_Win copy = win;
  const int code = MPI_Win_free(&copy);
  expect_handled_once(code);
  expect_same_error(code, MPI_ERR_REQUEST, {"MPI_Win_free", "rank 0", "MPIX_Iget"}, MPI_COMM_WORLD);
  EXPECT_EQ(copy, win);
  if (world_rank() == 0) {
    EXPECT_EQ(data_of(request).bytes, 8);
    free_get(request);
  }
  ok(MPI_Win_free(&win));
  expect_files(0, MPI_COMM_WORLD);
}

TEST(IgetWindow, WithABasePointerGivesThatPointer) {
  const Info info{kPershm, {"psnam_baseptr", "load_store"}};
  const Window window{64, 4, info};
  window.fence();
  MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
  ok(MPIX_Iget(3, 2, MPI_INT, world_rank(), window, &request));
  EXPECT_EQ(data_of(request).address, static_cast<const int*>(window.base()) + 3);
  free_get(request);
  window.fence(MPI_MODE_NOSUCCEED);
}

TEST(IgetWindow, ConnectedToReadOnlyIsRead) {
  const Parts parts{kKinds[8], true, "read_only"};
  parts.fence();
  for (int owner = 0; owner < world_size(); ++owner) {
    MPIX_Iget_request request = parts.get(owner, 0, 10, MPI_INT);
    const Got got = data_of(request);
    EXPECT_EQ(is_in_region(got.address), is_mapped(kKinds[8], owner));
    EXPECT_EQ(got.copy(), packed(owner, 0, 10, MPI_INT));
    free_get(request);
  }
  parts.fence(MPI_MODE_NOSUCCEED);
}

/// A window of the MPI library of 16 ints: 100 times the rank, and on.
class NativeWindow : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(MPI_Win_allocate(kBytes, sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD, &base_, &win_), MPI_SUCCESS);
    for (int i = 0; i < 16; ++i) base_[i] = 100 * world_rank() + i;
    handle_errors_of(win_);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  void TearDown() override {
    EXPECT_EQ(handled(), std::vector<int>{});
    handled().clear();
    MPI_Barrier(MPI_COMM_WORLD);
    if (win_ != MPI_WIN_NULL) ok(MPI_Win_free(&win_));
  }
  [[nodiscard]] MPIX_Iget_request get(int count, MPI_Datatype type) const {
    MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
    ok(MPIX_Iget(2, count, type, next_, win_, &request));
    return request;
  }
  static void expect_ints(const Got& got, const std::vector<int>& expected) {
    ASSERT_EQ(got.bytes, static_cast<MPI_Count>(expected.size() * sizeof(int)));
    std::vector<int> ints(expected.size());
    std::memcpy(ints.data(), got.address, ints.size() * sizeof(int));
    EXPECT_EQ(ints, expected);
  }

  static constexpr MPI_Aint kBytes = 64;
  int* base_ = nullptr;
  MPI_Win win_ = MPI_WIN_NULL;
  const int next_ = (world_rank() + 1) % world_size();
  const int first_ = 100 * next_ + 2;
};

TEST_F(NativeWindow, IsGottenFromInEachEpoch) {
  MPI_Datatype every_third = MPI_DATATYPE_NULL;
  MPI_Type_vector(3, 1, 3, MPI_INT, &every_third);
  MPI_Type_commit(&every_third);
  const auto expect_gets = [&] {
    MPIX_Iget_request plain = get(4, MPI_INT);
    MPIX_Iget_request spread = get(1, every_third);
    MPIX_Iget_request none = get(0, MPI_INT);
    for (int flag = 0; flag == 0;) ok(MPIX_Iget_test(plain, &flag));
    expect_ints(data_of(plain), {first_, first_ + 1, first_ + 2, first_ + 3});
    expect_ints(data_of(spread), {first_, first_ + 3, first_ + 6});
    EXPECT_EQ(data_of(none).bytes, 0);
    free_get(plain);
    free_get(none);
    free_get(spread);
  };
  ok(MPI_Win_lock_all(0, win_));
  expect_gets();
  ok(MPI_Win_unlock_all(win_));
  ok(MPI_Win_lock(MPI_LOCK_SHARED, next_, 0, win_));
  expect_gets();
  ok(MPI_Win_unlock(next_, win_));
  MPI_Type_free(&every_third);
}

TEST_F(NativeWindow, ErrorsAreThoseOfTheMpiLibraryAndOfTheType) {
  MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
  const auto expect_refused = [&](int code, int error_class) {
    expect_handled_once(code);
    expect_error(code, error_class, {});
    EXPECT_EQ(request, MPIX_IGET_REQUEST_NULL);
  };
  expect_refused(MPIX_Iget(0, 1, MPI_INT, 0, win_, &request), MPI_ERR_RMA_SYNC);
  ok(MPI_Win_lock_all(0, win_));
  expect_refused(MPIX_Iget(0, 1, MPI_INT, world_size(), win_, &request), MPI_ERR_RANK);
  expect_refused(MPIX_Iget(0, 1, MPI_DATATYPE_NULL, 0, win_, &request), MPI_ERR_TYPE);
  expect_refused(MPIX_Iget(0, -1, MPI_INT, 0, win_, &request), MPI_ERR_COUNT);
  ok(MPI_Win_unlock_all(win_));
  const SelfErrors self;
  expect_refused(MPIX_Iget(0, 1, MPI_INT, 0, MPI_WIN_NULL, &request), MPI_ERR_WIN);
}

TEST_F(NativeWindow, MayBeFreedBeforeItsRequests) {
  ok(MPI_Win_lock_all(0, win_));
  MPIX_Iget_request waited = get(2, MPI_INT);
  MPIX_Iget_request started = get(2, MPI_INT);
  ok(MPIX_Iget_wait(waited));
  ok(MPI_Win_unlock_all(win_));
  ok(MPI_Win_free(&win_));
  expect_ints(data_of(waited), {first_, first_ + 1});
  const SelfErrors self;
  const int code = MPIX_Iget_data(started, nullptr, nullptr);
  expect_handled_once(code);
  expect_error(code, MPI_ERR_REQUEST, {"MPIX_Iget_wait"});
  expect_ints(data_of(started), {first_, first_ + 1});
  free_get(started);
  free_get(waited);
}

/// For a job on several nodes: which ranks share this rank's store.
std::vector<bool> ranks_of_my_node() {
  const char* const store = std::getenv("PSNAM_STORE");
  std::array<char, 512> mine{};
  std::strncpy(mine.data(), store != nullptr ? store : "", mine.size() - 1);
  std::vector<char> all(mine.size() * static_cast<std::size_t>(world_size()));
  MPI_Allgather(mine.data(), mine.size(), MPI_CHAR, all.data(), mine.size(), MPI_CHAR, MPI_COMM_WORLD);
  std::vector<bool> near;
  for (std::size_t at = 0; at < all.size(); at += mine.size()) near.push_back(std::strcmp(&all[at], mine.data()) == 0);
  return near;
}

class Nodes : public testing::TestWithParam<Case> {};

TEST_P(Nodes, DataOfTheOwnNodeIsTheRegionAndThatOfOthersIsFetched) {
  const Parts parts{GetParam().kind, GetParam().connected};
  const std::vector<bool> near = ranks_of_my_node();
  const auto expect_gets = [&] {
    for (int owner = 0; owner < world_size(); ++owner)
      for (const Type& each : types()) {
        SCOPED_TRACE(std::string{each.name} + " of rank " + std::to_string(owner));
        MPI_Datatype type = each.make();
        MPI_Type_commit(&type);
        MPIX_Iget_request request = parts.get(owner, 2, 2, type);
        const Got got = data_of(request);
        EXPECT_EQ(got.copy(), packed(owner, 2, 2, type));
        const auto host =
            static_cast<std::size_t>(GetParam().kind.manifestation == std::string{"pershm"} &&
                                             std::string{GetParam().kind.structure} == "managed_distributed"
                                         ? owner
                                         : 0);
        EXPECT_EQ(is_in_region(got.address), near[host] && each.one_piece);
        free_get(request);
        MPI_Type_free(&type);
      }
  };
  ok(MPI_Win_lock_all(0, parts.win()));
  expect_gets();
  ok(MPI_Win_unlock_all(parts.win()));
  parts.fence();
  expect_gets();
  parts.fence(MPI_MODE_NOSUCCEED);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Nodes,
                         testing::Values(Case{kKinds[3], false}, Case{kKinds[4], false}, Case{kKinds[5], false},
                                         Case{kKinds[5], true}),
                         case_name);

}  // namespace
}  // namespace psnam::test
