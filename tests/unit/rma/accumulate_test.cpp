// Accumulates against MPI_Reduce_local: every operation that is allowed on every predefined type, aligned and not,
// arrays and derived layouts. Bytes that are no data must stay.
#include "backends/atomics.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include <fmt/format.h>

#include "rma/element.hpp"
#include "rma/flatten.hpp"
#include "unit/backends/random_values.hpp"
#include "unit/backends/test_locks.hpp"
#include "unit/rma/mpi_fixture.hpp"

namespace psnam::rma {
namespace {

using namespace backends;

using backends::testing::RandomValues;
using backends::testing::TestLocks;

using Bytes = std::vector<std::byte>;

struct Typed {
  MPI_Datatype type;
  Element element;
  Layout layout;
};

std::vector<Typed> all_types() {
  const Real real = testing::linked_real();
  std::vector<Typed> types;
  for (std::size_t row = 0; row < predefined_type_count(); ++row) {
    const MPI_Datatype type = predefined_type(row);
    if (type == MPI_DATATYPE_NULL) continue;
    Result<Layout> layout = flatten(real, type);
    EXPECT_TRUE(layout.ok());
    types.push_back({type, layout->element, *layout});
  }
  return types;
}

template <class Body>
void for_each_allowed(Body&& body) {
  for (const Typed& typed : all_types())
    for (std::size_t number = 0; number < kOps; ++number) {
      const Op op = static_cast<Op>(number);
      if (!typed.element.allows(op)) continue;
      SCOPED_TRACE(fmt::format("{} on {}", name(op), typed.element.name()));
      ASSERT_NO_FATAL_FAILURE(body(op, typed));
    }
}

MPI_Op handle(Op op) {
  constexpr std::array kHandles{MPI_SUM, MPI_PROD, MPI_MAX,  MPI_MIN,    MPI_LAND,   MPI_BAND,    MPI_LOR,
                                MPI_BOR, MPI_LXOR, MPI_BXOR, MPI_MAXLOC, MPI_MINLOC, MPI_REPLACE, MPI_NO_OP};
  return kHandles.at(static_cast<std::size_t>(op));
}

void copy_data(const Typed& typed, std::byte* to, const std::byte* from) {
  for (const backends::Run& run : typed.layout.runs)
    for (std::size_t block = 0; block < run.count; ++block) {
      const std::ptrdiff_t at = run.offset + static_cast<std::ptrdiff_t>(block) * run.stride;
      std::memcpy(to + at, from + at, run.length);
    }
}

template <class V>
void larger_or_smaller(Op op, std::byte* target, const std::byte* origin) {
  const V a = load_value<V>(target), b = load_value<V>(origin);
  store_value<V>(target, (op == Op::max) == (a > b) ? a : b);
}

template <class V>
void sum_or_product(Op op, std::byte* target, const std::byte* origin) {
  const V a = load_value<V>(target), b = load_value<V>(origin);
  store_value<V>(target, op == Op::sum ? Sum::combine(a, b) : Prod::combine(a, b));
}

// What MPI_Reduce_local of MPICH 4.0.2 has wrong: it compares unsigned integers as signed ones, takes REAL*16 for an
// integer, and knows no operation on COMPLEX*32. True when it was such a case.
bool expect_ourselves(Op op, Kind kind, std::byte* target, const std::byte* origin) {
  const bool comparison = op == Op::max || op == Op::min;
  if (kind == Kind::complex128)
    sum_or_product<Complex<Float128>>(op, target, origin);
  else if (kind == Kind::float128 && !comparison)
    sum_or_product<Float128>(op, target, origin);
  else if (kind == Kind::float128)
    larger_or_smaller<Float128>(op, target, origin);
  else if (kind == Kind::uint8 && comparison)
    larger_or_smaller<std::uint8_t>(op, target, origin);
  else if (kind == Kind::uint16 && comparison)
    larger_or_smaller<std::uint16_t>(op, target, origin);
  else if (kind == Kind::uint32 && comparison)
    larger_or_smaller<std::uint32_t>(op, target, origin);
  else if (kind == Kind::uint64 && comparison)
    larger_or_smaller<std::uint64_t>(op, target, origin);
  else
    return false;
  return true;
}

// What one element becomes.
void expect_element(Op op, const Typed& typed, std::byte* target, const std::byte* origin) {
  if (op == Op::no_op) return;
  if (op == Op::replace) return copy_data(typed, target, origin);
  if (expect_ourselves(op, typed.element.kind(), target, origin)) return;
  alignas(64) std::array<std::byte, 64> in{}, inout{};
  copy_data(typed, in.data(), origin);
  copy_data(typed, inout.data(), target);
  ASSERT_EQ(PMPI_Reduce_local(in.data(), inout.data(), 1, typed.type, handle(op)), MPI_SUCCESS);
  copy_data(typed, target, inout.data());
}

/// Three buffers of elements, and what the target and the result are to become.
class Case {
 public:
  Case(const Typed& typed, std::size_t slots, std::size_t shift, RandomValues& random) : typed_{&typed}, shift_{shift} {
    const std::size_t bytes = slots * extent() + 128;
    for (Bytes* const buffer : {&target_, &origin_, &result_}) {
      buffer->resize(bytes);
      for (std::byte& byte : *buffer) byte = static_cast<std::byte>(random.number(0, 255));
    }
    for (std::size_t i = 0; i < slots; ++i) {
      put(target() + i * extent(), random);
      put(origin() + i * extent(), random);
    }
    expected_ = target_;
    old_ = result_;
  }
  [[nodiscard]] std::byte* target() { return at_shift(target_); }
  [[nodiscard]] std::byte* origin() { return at_shift(origin_); }
  [[nodiscard]] std::byte* result() { return at_shift(result_); }
  [[nodiscard]] std::byte* base() { return line_of(target_); }
  [[nodiscard]] std::size_t extent() const { return typed_->element.extent(); }

  /// The element in slot `target` is combined with that in `origin`, its old value goes to that in `result`.
  void expect(Op op, std::size_t to, std::size_t from, std::size_t back) {
    std::byte* const element = expected_.data() + (target() - target_.data()) + to * extent();
    copy_data(*typed_, old_.data() + (result() - result_.data()) + back * extent(), element);
    expect_element(op, *typed_, element, origin() + from * extent());
  }
  void check(bool with_result) {
    ASSERT_EQ(target_, expected_) << "the target";
    if (with_result) {
      ASSERT_EQ(result_, old_) << "the result";
    }
  }

 private:
  static std::byte* line_of(Bytes& bytes) {
    return bytes.data() + (64 - reinterpret_cast<std::uintptr_t>(bytes.data()) % 64) % 64;
  }
  std::byte* at_shift(Bytes& bytes) { return line_of(bytes) + shift_; }
  void put(std::byte* to, RandomValues& random) {
    alignas(64) std::array<std::byte, 64> value{};
    random.put(typed_->element.kind(), value.data());
    copy_data(*typed_, to, value.data());
  }

  const Typed* typed_;
  std::size_t shift_;
  Bytes target_, origin_, result_, expected_, old_;
};

class Accumulate : public ::testing::Test {
 protected:
  void array(Op op, const Typed& typed, std::size_t n, std::size_t shift, bool with_result) {
    SCOPED_TRACE(fmt::format("{} elements, shifted by {}, result {}", n, shift, with_result));
    Case data{typed, n, shift, random_};
    for (std::size_t i = 0; i < n; ++i) ASSERT_NO_FATAL_FAILURE(data.expect(op, i, i, i));
    std::byte* const result = with_result ? data.result() : nullptr;
    const std::byte* const origin = op == Op::no_op ? nullptr : data.origin();
    if (n == 1)
      accumulate_one(op, typed.element, data.target(), origin, result, locks_, data.base());
    else
      accumulate_array(op, typed.element, data.target(), origin, result, n, locks_, data.base());
    data.check(with_result);
  }

  void sides(Op op, const Typed& typed, const Layout& to, const Layout& from, const Layout& back, std::size_t shift) {
    Case data{typed, 64, shift, random_};
    // vector(2, 3, 4), vector(3, 2, 5), contiguous(6): the slot of each element.
    for (std::size_t i = 0; i < 12; ++i) {
      const std::size_t element = i / 6, k = i % 6;
      ASSERT_NO_FATAL_FAILURE(data.expect(op, element * 7 + k / 3 * 4 + k % 3, element * 12 + k / 2 * 5 + k % 2, i));
    }
    const Side target{data.target(), 2, &to}, origin{data.origin(), 2, &from}, result{data.result(), 2, &back};
    accumulate(op, typed.element, target, origin, &result, locks_, data.base());
    data.check(true);
  }

  RandomValues random_{20260301};
  TestLocks locks_;
};

TEST_F(Accumulate, OfArraysGivesWhatReduceLocalGives) {
  for_each_allowed([&](Op op, const Typed& typed) {
    for (std::size_t n = 1; n <= 17; ++n)
      for (const bool with_result : {false, true}) {
        ASSERT_NO_FATAL_FAILURE(array(op, typed, n, 0, with_result));
        ASSERT_NO_FATAL_FAILURE(array(op, typed, n, 4 * (n % 12), with_result));
        ASSERT_NO_FATAL_FAILURE(array(op, typed, n, 2 * n + 1, with_result));
      }
  });
}

TEST_F(Accumulate, OfLongArraysGivesWhatReduceLocalGives) {
  for_each_allowed([&](Op op, const Typed& typed) {
    ASSERT_NO_FATAL_FAILURE(array(op, typed, 1500, 0, false));
    ASSERT_NO_FATAL_FAILURE(array(op, typed, 700, 8, true));
    ASSERT_NO_FATAL_FAILURE(array(op, typed, 700, 3, true));
  });
}

TEST_F(Accumulate, OfDerivedTypesGoesElementByElementInTypeMapOrder) {
  const Real real = testing::linked_real();
  for_each_allowed([&](Op op, const Typed& typed) {
    const auto to = testing::made(MPI_Type_vector, 2, 3, 4, typed.type),
               from = testing::made(MPI_Type_vector, 3, 2, 5, typed.type),
               back = testing::made(MPI_Type_contiguous, 6, typed.type);
    const Result<Layout> to_layout = flatten(real, to.get()), from_layout = flatten(real, from.get()),
                         back_layout = flatten(real, back.get());
    ASSERT_TRUE(to_layout.ok() && from_layout.ok() && back_layout.ok());
    ASSERT_EQ(to_layout->element, typed.element);
    ASSERT_NO_FATAL_FAILURE(sides(op, typed, *to_layout, *from_layout, *back_layout, 0));
    ASSERT_NO_FATAL_FAILURE(sides(op, typed, *to_layout, *from_layout, *back_layout, 5));
  });
}

TEST_F(Accumulate, OfElementsFromLastToFirst) {
  const Real real = testing::linked_real();
  const auto backwards = testing::made(MPI_Type_create_hvector, 100, 1, MPI_Aint{-8}, MPI_DOUBLE);
  const Result<Layout> layout = flatten(real, backwards.get()), forwards = flatten(real, MPI_DOUBLE);
  ASSERT_TRUE(layout.ok() && forwards.ok());
  std::vector<double> target(100, 1000.0), origin(100);
  for (std::size_t i = 0; i < 100; ++i) origin[i] = static_cast<double>(i);
  const Side to{reinterpret_cast<std::byte*>(&target[99]), 1, &*layout},
      from{reinterpret_cast<std::byte*>(origin.data()), 100, &*forwards};
  auto* const base = reinterpret_cast<std::byte*>(target.data());
  accumulate(Op::sum, layout->element, to, from, nullptr, locks_, base);
  for (std::size_t i = 0; i < 100; ++i) ASSERT_EQ(target[i], 1000.0 + static_cast<double>(99 - i)) << i;
}

TEST_F(Accumulate, ComparesNansAsReduceLocalDoes) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Op op : {Op::max, Op::min})
    for (const auto& [target, origin] : {std::pair{nan, 1.0}, std::pair{1.0, nan}, std::pair{0.0, -0.0}}) {
      std::vector<double> ours(20, target), theirs(20, target), from(20, origin);
      PMPI_Reduce_local(from.data(), theirs.data(), 20, MPI_DOUBLE, handle(op));
      auto* const to = reinterpret_cast<std::byte*>(ours.data());
      auto* const in = reinterpret_cast<const std::byte*>(from.data());
      const Element element = predefined_element(MPI_DOUBLE, 8);
      accumulate_array(op, element, to, in, nullptr, 20, locks_, to);
      EXPECT_EQ(std::memcmp(ours.data(), theirs.data(), 160), 0) << name(op) << " " << target << " " << origin;
    }
}

TEST(Accumulates, OfNoElementsTouchNothing) {
  TestLocks locks;
  const Element element = predefined_element(MPI_DOUBLE, 8);
  const Layout empty{};
  const Side nothing{nullptr, 3, &empty};
  accumulate(Op::sum, element, nothing, nothing, &nothing, locks, nullptr);
  accumulate_array(Op::sum, element, nullptr, nullptr, nullptr, 0, locks, nullptr);
  EXPECT_EQ(locks.taken(), 0);
}

TEST(Accumulates, TakeALockOnlyForWhatNoInstructionChanges) {
  TestLocks locks;
  alignas(64) std::array<std::byte, 4096> target{}, origin{};
  const auto taken_by = [&](MPI_Datatype type, std::size_t bytes, std::size_t shift, std::size_t n) {
    const int before = locks.taken();
    accumulate_array(Op::replace, predefined_element(type, bytes), target.data() + shift, origin.data(), nullptr, n,
                     locks, target.data());
    return locks.taken() - before;
  };
  EXPECT_EQ(taken_by(MPI_DOUBLE, 8, 8, 100), 0);
  EXPECT_EQ(taken_by(MPI_2INT, 8, 8, 100), 0);
  EXPECT_EQ(taken_by(MPI_CHAR, 1, 3, 100), 0);
  EXPECT_EQ(taken_by(MPI_DOUBLE, 8, 4, 1), 1);
  EXPECT_EQ(taken_by(MPI_DOUBLE_INT, 12, 0, 16), 1);
  EXPECT_EQ(taken_by(MPI_DOUBLE_INT, 12, 0, 17), 2) << "one lock for each 256 bytes";
  EXPECT_EQ(taken_by(MPI_LONG_DOUBLE, 16, 16, 4), kProcessor.exchanges_16_bytes ? 0 : 1);
}

template <class Word>
void compare_and_swap_at(MPI_Datatype type, std::size_t shift) {
  TestLocks locks;
  alignas(64) std::array<std::byte, 64> target{};
  const Element element = predefined_element(type, sizeof(Word));
  ASSERT_TRUE(check_compare_and_swap(element).ok());
  const auto swap = [&](int origin_value, int compare_value) {
    std::array<std::byte, 8> origin{}, compare{}, result{};
    store_value(origin.data(), static_cast<Word>(origin_value));
    store_value(compare.data(), static_cast<Word>(compare_value));
    compare_and_swap(element, target.data() + shift, origin.data(), compare.data(), result.data(), locks,
                     target.data());
    return static_cast<int>(load_value<Word>(result.data()));
  };
  EXPECT_EQ(swap(5, 0), 0) << "equal: swapped";
  EXPECT_EQ(swap(9, 4), 5) << "not equal: left";
  EXPECT_EQ(swap(7, 5), 5);
  EXPECT_EQ(load_value<Word>(target.data() + shift), Word{7});
  EXPECT_EQ(target[shift + sizeof(Word)], std::byte{0});
  EXPECT_EQ(locks.taken(), shift % sizeof(Word) == 0 ? 0 : 3);
}

TEST(CompareAndSwap, SwapsEqualValuesOfEveryWidthAlignedOrNot) {
  for (const std::size_t shift : {8, 17}) {
    compare_and_swap_at<std::uint8_t>(MPI_BYTE, shift);
    compare_and_swap_at<std::int16_t>(MPI_SHORT, shift);
    compare_and_swap_at<std::int32_t>(MPI_LOGICAL, shift);
    compare_and_swap_at<std::int64_t>(MPI_AINT, shift);
  }
}

}  // namespace
}  // namespace psnam::rma
