// Threads that change the same elements at once by calls of every length: nothing is lost, nothing is torn. No MPI
// call: also run by itself under ThreadSanitizer.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <latch>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "backends/atomics.hpp"
#include "rma/element.hpp"
#include "unit/backends/test_locks.hpp"

namespace psnam::rma {
namespace {

using namespace backends;

using backends::testing::TestLocks;

constexpr std::size_t kThreads = 3;
#if defined(__SANITIZE_THREAD__)
constexpr int kRounds = 150;  // it sees a race that does not happen, and is slow
#else
constexpr int kRounds = 3000;
#endif
constexpr std::size_t kElements = 96;

template <class Body>
void in_threads(Body&& body) {
  std::latch all{kThreads};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&body, &all, i] {
      all.arrive_and_wait();
      body(i);
    });
  for (std::thread& thread : threads) thread.join();
}

std::byte* bytes_of(auto& value) { return reinterpret_cast<std::byte*>(&value); }

class Atomicity : public ::testing::TestWithParam<std::size_t> {
 protected:
  [[nodiscard]] std::byte* base() { return memory_; }
  [[nodiscard]] std::byte* target() { return memory_ + GetParam(); }

  // Each thread adds 1 to every element in each round: all at once, in two parts, with old values, or one by one.
  template <class V>
  void sums(MPI_Datatype type) {
    const Element element = predefined_element(type, sizeof(V));
    SCOPED_TRACE(fmt::format("{} at {}", element.name(), GetParam()));
    std::vector<V> ones(kElements);
    for (V& one : ones) one = one_of<V>();
    for (std::size_t i = 0; i < kElements; ++i) store_value(target() + i * sizeof(V), V{});
    in_threads([&](std::size_t thread) {
      std::vector<V> old(kElements);
      const auto add = [&](std::size_t begin, std::size_t n, bool with_result) {
        accumulate_array(Op::sum, element, target() + begin * sizeof(V), bytes_of(ones.front()),
                         with_result ? bytes_of(old.front()) : nullptr, n, locks_, base());
      };
      for (int round = 0; round < kRounds; ++round) {
        const std::size_t way = (static_cast<std::size_t>(round) + thread) % 4;
        const std::size_t cut = static_cast<std::size_t>(round) % kElements;
        if (way == 0) add(0, kElements, false);
        if (way == 1) add(0, cut, false), add(cut, kElements - cut, true);
        if (way == 2) add(0, kElements, true);
        for (std::size_t i = 0; way == 3 && i < kElements; ++i)
          accumulate_one(Op::sum, element, target() + i * sizeof(V), bytes_of(ones.front()), bytes_of(old.front()),
                         locks_, base());
      }
    });
    for (std::size_t i = 0; i < kElements; ++i) {
      const V sum = load_value<V>(target() + i * sizeof(V));
      ASSERT_TRUE(is_total(sum)) << "element " << i;
    }
  }

  template <class V>
  static V one_of() {
    if constexpr (requires(V v) { v.re; })
      return {1, 2};
    else
      return V{1};
  }
  template <class V>
  static bool is_total(V sum) {
    constexpr int kTotal = static_cast<int>(kThreads) * kRounds;
    if constexpr (requires { sum.re; })
      return sum.re == static_cast<decltype(sum.re)>(kTotal) && sum.im == static_cast<decltype(sum.re)>(2 * kTotal);
    else
      return sum == static_cast<V>(kTotal);
  }

  // Every thread takes turns by compare-and-swap.
  template <class V>
  void swaps(MPI_Datatype type) {
    const Element element = predefined_element(type, sizeof(V));
    store_value(target(), V{});
    in_threads([&](std::size_t) {
      for (int round = 0; round < kRounds; ++round) {
        std::array<std::byte, 8> next{}, compare{}, result{};
        for (;;) {
          store_value(next.data(), static_cast<V>(load_value<V>(compare.data()) + 1U));
          compare_and_swap(element, target(), next.data(), compare.data(), result.data(), locks_, base());
          if (result == compare) break;
          compare = result;
        }
      }
    });
    EXPECT_TRUE(is_total(load_value<V>(target()))) << element.name() << " at " << GetParam();
  }

  // Threads put elements of one byte each and look whether others' are whole.
  void replacements(MPI_Datatype type, std::size_t bytes) {
    const Element element = predefined_element(type, bytes);
    SCOPED_TRACE(fmt::format("{} at {}", element.name(), GetParam()));
    constexpr std::size_t kFew = 20;
    std::memset(target(), 0, kFew * element.extent());
    std::atomic<int> torn{0};
    in_threads([&](std::size_t thread) {
      std::vector<std::byte> origin(kFew * element.extent()), old(origin.size());
      for (int round = 0; round < kRounds; ++round) {
        std::ranges::fill(origin, static_cast<std::byte>(static_cast<std::size_t>(round) * kThreads + thread));
        const std::size_t n = static_cast<std::size_t>(round) % kFew + 1;
        const Op op = round % 3 == 0 ? Op::no_op : Op::replace;
        accumulate_array(op, element, target(), origin.data(), round % 2 == 0 ? old.data() : nullptr, n, locks_,
                         base());
        for (std::size_t i = 0; i < kFew; ++i) {
          const auto* const value = old.data() + i * element.extent();
          if (!std::all_of(value, value + element.bytes(), [&](std::byte b) { return b == *value; })) torn.fetch_add(1);
        }
      }
    });
    EXPECT_EQ(torn.load(), 0);
  }

  alignas(4096) std::byte memory_[8192] = {};
  TestLocks locks_;
};

TEST_P(Atomicity, SumsOfIntegersAreExact) {
  sums<std::uint8_t>(MPI_UINT8_T);
  sums<std::uint16_t>(MPI_UINT16_T);
  sums<std::uint32_t>(MPI_UINT32_T);
  sums<std::uint64_t>(MPI_UINT64_T);
}

TEST_P(Atomicity, SumsOfRealNumbersAreExact) {
  sums<float>(MPI_FLOAT);
  sums<double>(MPI_DOUBLE);
  sums<long double>(MPI_LONG_DOUBLE);
  sums<Float128>(MPI_REAL16);
}

TEST_P(Atomicity, SumsOfComplexNumbersAreExact) {
  sums<Complex<float>>(MPI_C_FLOAT_COMPLEX);
  sums<Complex<double>>(MPI_C_DOUBLE_COMPLEX);
  sums<Complex<long double>>(MPI_C_LONG_DOUBLE_COMPLEX);
}

TEST_P(Atomicity, CompareAndSwapsLoseNoTurn) {
  swaps<std::uint8_t>(MPI_UINT8_T);
  swaps<std::uint16_t>(MPI_UINT16_T);
  swaps<std::uint32_t>(MPI_UINT32_T);
  swaps<std::uint64_t>(MPI_UINT64_T);
}

TEST_P(Atomicity, NoReplacementIsSeenInPart) {
  replacements(MPI_SHORT, 2);
  replacements(MPI_FLOAT, 4);
  replacements(MPI_DOUBLE, 8);
  replacements(MPI_2INT, 8);
  replacements(MPI_REAL16, 16);
  replacements(MPI_COMPLEX32, 32);
  replacements(MPI_LONG_INT, 12);
}

// Sums and compare-and-swaps of one counter at once.
TEST_P(Atomicity, DifferentCallsOnOneElementExcludeEachOther) {
  const Element element = predefined_element(MPI_UINT64_T, 8);
  store_value(target(), std::uint64_t{0});
  in_threads([&](std::size_t thread) {
    std::uint64_t one = 1, compare = 0, result = 0;
    for (int round = 0; round < kRounds; ++round) {
      if (thread != 0) {
        accumulate_one(Op::sum, element, target(), bytes_of(one), nullptr, locks_, base());
        continue;
      }
      for (bool done = false; !done; compare = result) {
        std::uint64_t next = compare + 1;
        compare_and_swap(element, target(), bytes_of(next), bytes_of(compare), bytes_of(result), locks_, base());
        done = result == compare;
      }
    }
  });
  EXPECT_TRUE(is_total(load_value<std::uint64_t>(target())));
}

TEST_P(Atomicity, TheLargestValueAndItsLowestIndexStay) {
  const Element element = predefined_element(MPI_DOUBLE_INT, 12);
  using P = Pair<double, int>;
  store_value(target(), P{-1, 1 << 30});
  in_threads([&](std::size_t thread) {
    for (int round = 0; round < kRounds; ++round) {
      P mine{static_cast<double>(round), round * 10 + static_cast<int>(thread)};
      accumulate_one(Op::maxloc, element, target(), bytes_of(mine), nullptr, locks_, base());
    }
  });
  const P most = load_value<P>(target());
  EXPECT_EQ(most.value, kRounds - 1);
  EXPECT_EQ(most.index, (kRounds - 1) * 10);
}

INSTANTIATE_TEST_SUITE_P(At, Atomicity, ::testing::Values(0, 8, 3),
                         [](const auto& shift) { return fmt::format("offset{}", shift.param); });

}  // namespace
}  // namespace psnam::rma
