#include "sync/assertions.hpp"

#include <gtest/gtest.h>

#include <climits>

namespace psnam::sync {
namespace {

TEST(FenceAssertions, NoneIsNone) {
  const auto none = FenceAssertions::parse(0);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->opens_no_epoch() || none->closes_no_epoch() || none->no_local_stores() ||
               none->no_incoming_puts());
  EXPECT_EQ(none->bits(), 0);
}

TEST(FenceAssertions, EachIsSeenAloneAndWithTheOthers) {
  for (int i = 0; i < 16; ++i) {
    const bool store = (i & 1) != 0;
    const bool put = (i & 2) != 0;
    const bool precede = (i & 4) != 0;
    const bool succeed = (i & 8) != 0;
    const int bits = (store ? MPI_MODE_NOSTORE : 0) | (put ? MPI_MODE_NOPUT : 0) | (precede ? MPI_MODE_NOPRECEDE : 0) |
                     (succeed ? MPI_MODE_NOSUCCEED : 0);
    const auto parsed = FenceAssertions::parse(bits);
    ASSERT_TRUE(parsed) << bits;
    EXPECT_EQ(parsed->no_local_stores(), store);
    EXPECT_EQ(parsed->no_incoming_puts(), put);
    EXPECT_EQ(parsed->closes_no_epoch(), precede);
    EXPECT_EQ(parsed->opens_no_epoch(), succeed);
    EXPECT_EQ(parsed->bits(), bits);
  }
}

TEST(FenceAssertions, ABitThatIsNotAFencesIsAnErrorWithItsValue) {
  for (const int bits : {int{MPI_MODE_NOCHECK}, 1, 1 << 30, -1, INT_MIN, MPI_MODE_NOPUT | MPI_MODE_NOCHECK}) {
    const auto parsed = FenceAssertions::parse(bits);
    ASSERT_FALSE(parsed) << bits;
    EXPECT_EQ(parsed.error().code, Code::assertion);
    EXPECT_NE(parsed.error().message.find("assert = " + std::to_string(bits)), std::string::npos)
        << parsed.error().message;
  }
}

}  // namespace
}  // namespace psnam::sync
