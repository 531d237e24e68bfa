#include "trace/histogram.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace psnam::trace {
namespace {

using Numbers = std::vector<std::uint64_t>;

TEST(Histogram, TheDefaultBinsReachFrom64BytesTo64MiB) {
  const Histogram histogram{64, std::uint64_t{64} << 20, 1};
  EXPECT_EQ(histogram.limits().front(), 64U);
  EXPECT_EQ(histogram.limits().back(), 64U << 20);
  EXPECT_EQ(histogram.limits().size(), 21U);
  EXPECT_EQ(histogram.counts().size(), 22U);
}

TEST(Histogram, AMessageIsInTheFirstBinThatHoldsIt) {
  Histogram histogram{64, 256, 1};
  for (const std::uint64_t bytes : Numbers{0, 1, 64, 65, 128, 129, 256, 257, UINT64_MAX}) histogram.record(bytes);
  EXPECT_EQ(histogram.counts(), (Numbers{3, 2, 2, 2}));
}

TEST(Histogram, BinsAreShiftBitsApart) { EXPECT_EQ((Histogram{10, 10 << 9, 4}.limits()), (Numbers{10, 160, 2560})); }

TEST(Histogram, TheLastLimitIsNotBeyondTheMaximum) { EXPECT_EQ((Histogram{64, 200, 1}.limits()), (Numbers{64, 128})); }

TEST(Histogram, MayHaveOneLimitOnly) {
  Histogram histogram{8, 8, 1};
  histogram.record(8);
  histogram.record(9);
  EXPECT_EQ(histogram.counts(), (Numbers{1, 1}));
}

TEST(Histogram, LimitsUpToTheLargestNumberEnd) {
  const Histogram histogram{1, UINT64_MAX, 16};
  EXPECT_EQ(histogram.limits(), (Numbers{1, 1U << 16, std::uint64_t{1} << 32, std::uint64_t{1} << 48}));
}

TEST(Histogram, TheTextHasALineForEachBin) {
  Histogram histogram{64, 128, 1};
  histogram.record(100);
  EXPECT_EQ(histogram.text("sizes"),
            "sizes\n  <=           64            0\n  <=          128            1\n   >          128            0\n");
}

TEST(Histogram, LosesNothingThatThreadsRecordAtOnce) {
  Histogram histogram{64, 1024, 1};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&histogram, t] {
      for (int i = 0; i < 10000; ++i) histogram.record(64 << t);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.counts(), (Numbers{10000, 10000, 10000, 10000, 0, 0}));
}

}  // namespace
}  // namespace psnam::trace
