// Requests of accumulating operations: what check() refuses, and that execute() does what the kernels do for mapped
// memory, at the same time as they.
#include "backends/indivisible.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <latch>
#include <limits>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "backends/atomics.hpp"
#include "unit/backends/random_values.hpp"
#include "unit/backends/test_locks.hpp"

namespace psnam::backends {
namespace {

using testing::RandomValues;
using testing::TestLocks;

using Action = IndivisibleRequest::Action;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kRegion = 4096;
constexpr std::ptrdiff_t kFurthest = std::numeric_limits<std::ptrdiff_t>::max();
constexpr std::ptrdiff_t kNearest = std::numeric_limits<std::ptrdiff_t>::min();
constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();

std::size_t bytes_of_target(const IndivisibleRequest& request) {
  std::size_t bytes = 0;
  for (const backends::Run& run : request.target) bytes += run.length * run.count;
  return bytes;
}

IndivisibleRequest sum_of_doubles(std::vector<backends::Run> target) {
  IndivisibleRequest request{Action::accumulate, Op::sum, Kind::float64, std::move(target), false, {}, {}};
  request.operand.resize(bytes_of_target(request));
  return request;
}

IndivisibleRequest swap_of_int() {
  return {Action::compare_and_swap, Op::no_op, Kind::int32, {{16, 4, 0, 1}}, false, Bytes(4), Bytes(4)};
}

/// The refusal of a request; the code has to be `code`.
std::string refusal(const IndivisibleRequest& request, Code code, std::uint64_t region_bytes = kRegion) {
  const Status status = check(request, region_bytes);
  if (status.ok()) return "accepted";
  EXPECT_EQ(status.error().code, code) << status.error().message;
  return status.error().message;
}

// The operand of these need not fit: the runs are judged before.
std::string refusal_of_run(const backends::Run& run, Code code, std::uint64_t region_bytes = kRegion) {
  IndivisibleRequest request = sum_of_doubles({});
  request.target = {run};
  return refusal(request, code, region_bytes);
}

TEST(IndivisibleCheck, AcceptsWhatFitsToTheLastByte) {
  EXPECT_TRUE(check(sum_of_doubles({{4088, 8, 0, 1}}), kRegion).ok());
  EXPECT_TRUE(check(sum_of_doubles({{0, 16, 4080, 2}}), kRegion).ok());
  EXPECT_TRUE(check(sum_of_doubles({{4080, 16, -4080, 2}}), kRegion).ok()) << "backwards";
  EXPECT_TRUE(check(sum_of_doubles({{8, 8, 0, 5}, {8, 8, 0, 1}}), kRegion).ok()) << "the same element again";
  EXPECT_TRUE(check(sum_of_doubles({{8, 8, kNearest, 1}}), kRegion).ok()) << "the stride of one block is nothing";
  EXPECT_TRUE(check(sum_of_doubles({}), 0).ok());
  EXPECT_TRUE(check(swap_of_int(), 20).ok());
}

TEST(IndivisibleCheck, RefusesNumbersThatAreNoEnumerators) {
  IndivisibleRequest request = sum_of_doubles({{0, 8, 0, 1}});
  request.op = static_cast<Op>(kOps);
  EXPECT_EQ(refusal(request, Code::operation), "14 is not the number of an operation");
  request = sum_of_doubles({{0, 8, 0, 1}});
  request.kind = static_cast<Kind>(255);
  EXPECT_EQ(refusal(request, Code::datatype), "255 is not the number of a kind of element");
  request = sum_of_doubles({{0, 8, 0, 1}});
  request.action = static_cast<Action>(2);
  EXPECT_EQ(refusal(request, Code::invalid_argument), "2 is not the number of an indivisible action");
}

TEST(IndivisibleCheck, RefusesWhatMpiDoesNotAllowOnTheKind) {
  IndivisibleRequest request = sum_of_doubles({{0, 8, 0, 1}});
  request.op = Op::band;
  EXPECT_EQ(refusal(request, Code::operation), "MPI_BAND is not allowed on MPI_DOUBLE");
  request = swap_of_int();
  request.kind = Kind::float32;
  EXPECT_EQ(refusal(request, Code::datatype),
            "MPI_FLOAT cannot be compared and swapped: only integer, logical and byte types can");
  request = sum_of_doubles({{0, 8, 0, 1}});
  request.kind = Kind::mixed;
  EXPECT_EQ(refusal(request, Code::datatype), "nothing can be accumulated to a datatype of several predefined types");
  request.kind = Kind::none;
  EXPECT_EQ(refusal(request, Code::datatype), "nothing can be accumulated to a datatype without data");
  request.kind = Kind::packed;
  EXPECT_EQ(refusal(request, Code::operation), "MPI_SUM is not allowed on MPI_PACKED");
}

TEST(IndivisibleCheck, RefusesRunsThatLeaveTheRegion) {
  EXPECT_EQ(refusal_of_run({4089, 8, 0, 1}, Code::range),
            "1 blocks of 8 bytes, 0 bytes apart from offset 4089 on, leave a region of 4096 bytes");
  for (const backends::Run& run : {backends::Run{-1, 8, 0, 1}, {0, 8, 4089, 2}, {8, 8, -9, 2}, {4096, 8, 0, 1}})
    EXPECT_NE(refusal_of_run(run, Code::range), "accepted") << run.offset << " " << run.stride;
}

TEST(IndivisibleCheck, RefusesRunsWhoseEndsAre64BitsAgain) {
  for (const backends::Run& run : {backends::Run{kFurthest, 8, 0, 1},
                                   {kNearest, 8, 0, 1},
                                   {kFurthest, 8, kFurthest, 3},
                                   {0, 8, kFurthest, 3},
                                   {0, 8, kNearest, 3},
                                   {0, 8, std::ptrdiff_t{1} << 62, 5},
                                   {8, 8, kNearest, 2},
                                   {kNearest, 8, kFurthest, 2}})
    for (const std::uint64_t region : {kRegion, std::uint64_t{1} << 62})
      EXPECT_NE(refusal_of_run(run, Code::range, region), "accepted") << run.offset << " " << run.stride;
}

TEST(IndivisibleCheck, RefusesBlocksThatAreNoWholeElements) {
  EXPECT_EQ(refusal_of_run({0, 12, 0, 1}, Code::invalid_argument),
            "1 blocks of 12 bytes are no elements of 8 bytes each");
  EXPECT_NE(refusal_of_run({0, 0, 8, 3}, Code::invalid_argument), "accepted");
  EXPECT_NE(refusal_of_run({0, 8, 8, 0}, Code::invalid_argument), "accepted");
  IndivisibleRequest pairs = sum_of_doubles({{0, 6, 0, 1}});
  pairs.op = Op::minloc;
  pairs.kind = Kind::short_int;
  EXPECT_NE(refusal(pairs, Code::invalid_argument), "accepted") << "the gap of a short and an int belongs to it";
  pairs.target = {{0, 8, 0, 1}};
  pairs.operand.resize(8);
  EXPECT_TRUE(check(pairs, kRegion).ok());
}

TEST(IndivisibleCheck, RefusesMoreThanTheLimitsOfOneRequest) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 40;
  EXPECT_NE(refusal_of_run({0, kMaxIndivisibleBytes + 8, 0, 1}, Code::count, kHuge), "accepted");
  EXPECT_NE(refusal_of_run({0, kMost - 7, 0, 1}, Code::count, kHuge), "accepted");
  EXPECT_NE(refusal_of_run({0, 8, 0, kMost}, Code::count, kHuge), "accepted");
  EXPECT_NE(refusal_of_run({0, 8, 0, std::size_t{1} << 61}, Code::count, kHuge), "accepted") << "64 bits: no bytes";
  IndivisibleRequest request = sum_of_doubles({{0, kMaxIndivisibleBytes, 0, 1}});
  EXPECT_TRUE(check(request, kHuge).ok());
  request = sum_of_doubles({{0, kMaxIndivisibleBytes, 0, 1}, {0, 8, 0, 1}});
  EXPECT_NE(refusal(request, Code::count, kHuge), "accepted");
  request = sum_of_doubles(std::vector<backends::Run>(kMaxIndivisibleRuns, {0, 8, 0, 1}));
  EXPECT_TRUE(check(request, kRegion).ok());
  request = sum_of_doubles(std::vector<backends::Run>(kMaxIndivisibleRuns + 1, {0, 8, 0, 1}));
  EXPECT_EQ(refusal(request, Code::count), "4097 runs are more than the 4096 of one request");
}

TEST(IndivisibleCheck, RefusesOperandsThatDoNotFitTheTarget) {
  IndivisibleRequest request = sum_of_doubles({{0, 16, 32, 2}});
  request.operand.pop_back();
  EXPECT_EQ(refusal(request, Code::invalid_argument), "31 bytes of operand, 32 are needed");
  request.operand.resize(40);
  EXPECT_NE(refusal(request, Code::invalid_argument), "accepted");
  request = sum_of_doubles({{0, 16, 32, 2}});
  request.compare.resize(8);
  EXPECT_EQ(refusal(request, Code::invalid_argument), "8 bytes of comparand, 0 are needed");
  request = sum_of_doubles({{0, 8, 0, 1}});
  request.op = Op::no_op;
  EXPECT_EQ(refusal(request, Code::invalid_argument), "MPI_NO_OP without the old values asks for nothing");
  request.wants_old = true;
  EXPECT_EQ(refusal(request, Code::invalid_argument), "8 bytes of operand, 0 are needed");
}

TEST(IndivisibleCheck, RefusesACompareAndSwapOfMoreOrLessThanOneElement) {
  for (const std::vector<backends::Run>& target :
       std::vector<std::vector<backends::Run>>{{}, {{0, 8, 0, 1}}, {{0, 4, 4, 2}}, {{0, 4, 0, 1}, {8, 4, 0, 1}}}) {
    IndivisibleRequest request = swap_of_int();
    request.target = target;
    request.operand.resize(bytes_of_target(request));
    request.compare.resize(bytes_of_target(request));
    EXPECT_NE(refusal(request, Code::invalid_argument), "accepted") << target.size();
  }
  IndivisibleRequest request = swap_of_int();
  request.compare.clear();
  EXPECT_NE(refusal(request, Code::invalid_argument), "accepted");
  request = swap_of_int();
  request.operand.resize(8);
  EXPECT_NE(refusal(request, Code::invalid_argument), "accepted");
}

TEST(IndivisibleExecute, RefusesWhatCheckRefusesAndTouchesNothing) {
  TestLocks locks;
  Bytes region(64, std::byte{7});
  const Bytes before = region;
  const Result<Bytes> result = execute(sum_of_doubles({{0, 8, 0, 1}, {60, 8, 0, 1}}), region, locks);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::range);
  EXPECT_EQ(region, before) << "not even the first element";
}

/// Elements of one kind in memory, twice: for execute() and for the kernels of mapped memory.
class IndivisibleExecution : public ::testing::TestWithParam<std::size_t> {
 protected:
  static constexpr std::size_t kElements = 60;

  void fill(Kind kind) {
    const std::size_t each = packed_bytes(kind);
    for (std::byte& byte : executed_) byte = static_cast<std::byte>(random_.number(0, 255));
    operand_.assign(kElements * each, std::byte{0});
    for (std::size_t i = 0; i < kElements; ++i) {
      random_.put(kind, region() + i * each);
      random_.put(kind, operand_.data() + i * each);
    }
    std::ranges::copy(executed_, mapped_);
  }
  // Blocks of several elements, single ones with and without gaps, backwards: each element once.
  static std::vector<backends::Run> runs(Kind kind, std::ptrdiff_t shift) {
    const std::size_t each = packed_bytes(kind);
    const auto at = [&](std::ptrdiff_t element) { return shift + element * static_cast<std::ptrdiff_t>(each); };
    const std::ptrdiff_t step = at(1) - shift;
    return {
        {at(40), 5 * each, 6 * step, 3}, {at(0), each, 2 * step, 10}, {at(39), each, -step, 15}, {at(59), each, 0, 1}};
  }
  void expect_same(Op op, Kind kind, bool wants_old) {
    IndivisibleRequest request{Action::accumulate, op, kind, runs(kind, shift()), wants_old, {}, {}};
    const std::size_t each = packed_bytes(kind), bytes = bytes_of_target(request);
    if (op != Op::no_op)
      request.operand.assign(operand_.begin(), operand_.begin() + static_cast<std::ptrdiff_t>(bytes));
    Bytes old(wants_old ? bytes : 0);
    std::size_t next = 0;
    for (const backends::Run& run : request.target)
      for (std::size_t at = 0; at < run.count * run.length / each; ++at, next += each) {
        const auto block = static_cast<std::ptrdiff_t>(at * each / run.length);
        const std::size_t within = at * each % run.length;
        accumulate_array(op, Element{kind, 0}, mapped_ + run.offset + block * run.stride + within,
                         operand_.data() + next, wants_old ? old.data() + next : nullptr, 1, locks_, mapped_);
      }
    const Result<Bytes> result = execute(request, executed_, locks_);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(*result, old);
    EXPECT_TRUE(std::ranges::equal(executed_, mapped_));
  }
  [[nodiscard]] std::ptrdiff_t shift() const { return static_cast<std::ptrdiff_t>(GetParam()); }
  [[nodiscard]] std::byte* region() { return executed_ + shift(); }

  alignas(64) std::byte executed_[4096] = {};
  alignas(64) std::byte mapped_[4096] = {};
  Bytes operand_;
  RandomValues random_{20260401};
  TestLocks locks_;
};

TEST_P(IndivisibleExecution, DoesWhatAccumulateDoesOnMappedMemory) {
  for (std::size_t k = 0; k < kKinds; ++k)
    for (std::size_t number = 0; number < kOps; ++number) {
      const Kind kind = static_cast<Kind>(k);
      const Op op = static_cast<Op>(number);
      if (!Element{kind, 0}.allows(op)) continue;
      SCOPED_TRACE(fmt::format("{} on {}", name(op), Element{kind, Element::kNoRow}.name()));
      for (const bool wants_old : {false, true}) {
        if (op == Op::no_op && !wants_old) continue;
        fill(kind);
        ASSERT_NO_FATAL_FAILURE(expect_same(op, kind, wants_old));
      }
    }
}

TEST_P(IndivisibleExecution, SwapsWhenTheOldValueIsTheComparand) {
  IndivisibleRequest request = swap_of_int();
  request.target = {{shift(), 4, 0, 1}};
  const auto swap = [&](std::int32_t to, std::int32_t from) {
    store_value(request.operand.data(), to);
    store_value(request.compare.data(), from);
    const Result<Bytes> old = execute(request, executed_, locks_);
    EXPECT_TRUE(old.ok() && old->size() == 4);
    return old.ok() ? load_value<std::int32_t>(old->data()) : -1;
  };
  EXPECT_EQ(swap(5, 0), 0);
  EXPECT_EQ(swap(9, 4), 5) << "not equal: left";
  EXPECT_EQ(swap(7, 5), 5);
  EXPECT_EQ(load_value<std::int32_t>(region()), 7);
}

// One thread by requests, one by what programs call that map the memory: elements of one instruction, and of a lock.
TEST_P(IndivisibleExecution, AddsExactlyBesideAnAtomicityOfMappedMemory) {
  constexpr int kRounds = 4000;
  constexpr std::size_t kFew = 24;
  for (const Kind kind : {Kind::uint64, Kind::float64, Kind::float80, Kind::uint16}) {
    const std::size_t each = packed_bytes(kind);
    std::memset(executed_, 0, sizeof executed_);
    Bytes ones(kFew * each);
    for (std::size_t i = 0; i < kFew; ++i) {
      std::byte* const one = ones.data() + i * each;
      if (kind == Kind::float64) store_value(one, 1.0);
      if (kind == Kind::float80) store_value(one, 1.0L);
      if (kind == Kind::uint64) store_value(one, std::uint64_t{1});
      if (kind == Kind::uint16) store_value(one, std::uint16_t{1});
    }
    const IndivisibleRequest request{Action::accumulate, Op::sum, kind, {{shift(), kFew * each, 0, 1}}, true, ones, {}};
    std::latch both{2};
    std::thread server{[&] {
      both.arrive_and_wait();
      for (int round = 0; round < kRounds; ++round) ASSERT_TRUE(execute(request, executed_, locks_).ok());
    }};
    both.arrive_and_wait();
    for (int round = 0; round < kRounds; ++round)
      accumulate_array(Op::sum, Element{kind, 0}, region(), ones.data(), nullptr, kFew, locks_, executed_);
    server.join();
    Bytes expected = ones;
    for (std::size_t i = 0; i < kFew; ++i) {
      std::byte* const sum = expected.data() + i * each;
      if (kind == Kind::float64) store_value(sum, 2.0 * kRounds);
      if (kind == Kind::float80) store_value(sum, 2.0L * kRounds);
      if (kind == Kind::uint64) store_value(sum, std::uint64_t{2 * kRounds});
      if (kind == Kind::uint16) store_value(sum, static_cast<std::uint16_t>(2 * kRounds));
    }
    for (std::size_t i = 0; i < kFew; ++i)
      EXPECT_EQ(std::memcmp(region() + i * each, expected.data() + i * each, std::min<std::size_t>(each, 10)), 0)
          << Element{kind, Element::kNoRow}.name() << " " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(At, IndivisibleExecution, ::testing::Values(0, 8, 3),
                         [](const auto& shift) { return fmt::format("offset{}", shift.param); });

}  // namespace
}  // namespace psnam::backends
