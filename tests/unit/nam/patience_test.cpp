#include "nam/patience.hpp"

#include <gtest/gtest.h>

namespace psnam::nam {
namespace {

using namespace std::chrono_literals;

TEST(Patience, IsWholeAtFirst) { EXPECT_EQ(Patience{3s}.left(), 3s); }

TEST(Patience, IsShortSoonAfterALongWaitInVain) {
  Patience patience{3s};
  patience.failed_since(Patience::Clock::now() - 3s);
  EXPECT_EQ(patience.left(), 300ms);
}

TEST(Patience, IsNotShortenedByARefusalThatCameAtOnce) {
  Patience patience{3s};
  patience.failed_since(Patience::Clock::now());
  EXPECT_EQ(patience.left(), 3s);
}

TEST(Patience, IsNotShortForEverWhereShortWaitsFailToo) {
  Patience patience{3s};
  patience.failed_since(Patience::Clock::now() - 300ms);
  EXPECT_EQ(patience.left(), 3s);
}

}  // namespace
}  // namespace psnam::nam
