#include "format/wire.hpp"

#include <gtest/gtest.h>

namespace psnam::format {
namespace {

TEST(Wire, WhatIsWrittenIsReadInTheSameOrder) {
  Writer writer;
  writer.put(std::uint32_t{7});
  writer.put_text("abc");
  writer.put(std::uint8_t{9});
  const auto bytes = writer.take();
  ASSERT_EQ(bytes.size(), 8U);
  Reader reader{bytes};
  std::uint32_t number = 0;
  std::string text;
  std::uint8_t last = 0;
  EXPECT_TRUE(reader.get(number));
  EXPECT_TRUE(reader.get_text(text, 3));
  EXPECT_TRUE(reader.get(last));
  EXPECT_EQ(number, 7U);
  EXPECT_EQ(text, "abc");
  EXPECT_EQ(last, 9U);
  EXPECT_TRUE(reader.empty());
}

TEST(Wire, NothingIsReadBeyondTheEnd) {
  const std::array<std::byte, 3> bytes{};
  Reader reader{bytes};
  std::uint32_t number = 5;
  std::string text;
  EXPECT_FALSE(reader.get(number));
  EXPECT_EQ(number, 5U);
  EXPECT_FALSE(reader.get_text(text, 4));
  EXPECT_FALSE(reader.get_text(text, ~std::uint64_t{0}));
  EXPECT_FALSE(reader.holds(~std::uint64_t{0}, 40));
  EXPECT_TRUE(reader.holds(3, 1));
  EXPECT_FALSE(reader.holds(2, 2));
}

}  // namespace
}  // namespace psnam::format
