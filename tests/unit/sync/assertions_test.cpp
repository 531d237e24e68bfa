#include "sync/assertions.hpp"

#include <gtest/gtest.h>

#include <array>
#include <climits>
#include <string>

namespace psnam::sync {
namespace {

constexpr std::array<int, 5> kBits{MPI_MODE_NOCHECK, MPI_MODE_NOSTORE, MPI_MODE_NOPUT, MPI_MODE_NOPRECEDE,
                                   MPI_MODE_NOSUCCEED};

struct Call {
  const char* name;
  Result<Assertions> (*parse)(int);
  int known;
};

constexpr std::array<Call, 4> kCalls{{
    {"MPI_Win_fence", Assertions::of_fence,
     MPI_MODE_NOSTORE | MPI_MODE_NOPUT | MPI_MODE_NOPRECEDE | MPI_MODE_NOSUCCEED},
    {"MPI_Win_lock", Assertions::of_lock, MPI_MODE_NOCHECK},
    {"MPI_Win_post", Assertions::of_post, MPI_MODE_NOCHECK | MPI_MODE_NOSTORE | MPI_MODE_NOPUT},
    {"MPI_Win_start", Assertions::of_start, MPI_MODE_NOCHECK},
}};

TEST(Assertions, NoneIsNone) {
  for (const Call& call : kCalls) {
    const auto none = call.parse(0);
    ASSERT_TRUE(none) << call.name;
    EXPECT_FALSE(none->opens_no_epoch() || none->needs_no_check()) << call.name;
    EXPECT_EQ(none->bits(), 0);
  }
}

TEST(Assertions, EachCombinationIsTakenByTheCallsThatKnowAllOfIt) {
  for (unsigned subset = 0; subset < 1U << kBits.size(); ++subset) {
    int bits = 0;
    for (std::size_t i = 0; i < kBits.size(); ++i)
      if ((subset >> i & 1U) != 0) bits |= kBits[i];
    for (const Call& call : kCalls) {
      const auto parsed = call.parse(bits);
      ASSERT_EQ(parsed.ok(), (bits & ~call.known) == 0) << call.name << " " << bits;
      if (!parsed) continue;
      EXPECT_EQ(parsed->bits(), bits);
      EXPECT_EQ(parsed->opens_no_epoch(), (bits & MPI_MODE_NOSUCCEED) != 0) << call.name << " " << bits;
      EXPECT_EQ(parsed->needs_no_check(), (bits & MPI_MODE_NOCHECK) != 0) << call.name << " " << bits;
    }
  }
}

TEST(Assertions, ABitThatTheCallDoesNotKnowIsAnErrorWithItsValueAndTheKnownOnes) {
  for (const Call& call : kCalls) {
    for (const int bits : {1, 1 << 30, -1, INT_MIN, (1 << 30) | call.known}) {
      const auto parsed = call.parse(bits);
      ASSERT_FALSE(parsed) << call.name << " " << bits;
      const std::string& text = parsed.error().message;
      EXPECT_EQ(parsed.error().code, Code::assertion);
      EXPECT_NE(text.find("assert = " + std::to_string(bits)), std::string::npos) << text;
      EXPECT_NE(text.find(call.name), std::string::npos) << text;
      EXPECT_EQ(text.find("MPI_MODE_NOCHECK") != std::string::npos, (call.known & MPI_MODE_NOCHECK) != 0) << text;
      EXPECT_EQ(text.find("MPI_MODE_NOPUT") != std::string::npos, (call.known & MPI_MODE_NOPUT) != 0) << text;
    }
  }
}

}  // namespace
}  // namespace psnam::sync
