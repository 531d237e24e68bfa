#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace psnam::cli {
namespace {

TEST(Text, TablesAlignTheirColumns) {
  Table table{{"NAME", "SIZE"}, {1}};
  table.add({"a", "5"});
  table.add({"longer", "12345"});
  EXPECT_EQ(table.text(), "NAME     SIZE\na           5\nlonger  12345\n");
}

TEST(Text, SizesHaveTheUnitThatFits) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1.0 KiB");
  EXPECT_EQ(size_text(3 << 19), "1.5 MiB");
  EXPECT_EQ(size_text(std::uint64_t{1} << 40), "1.0 TiB");
  EXPECT_EQ(size_text(~std::uint64_t{0}), "16384.0 PiB");
}

TEST(Text, CountsHaveTheirPlural) {
  EXPECT_EQ(count_text(0, "window"), "0 windows");
  EXPECT_EQ(count_text(1, "window"), "1 window");
  EXPECT_EQ(count_text(2, "window"), "2 windows");
}

TEST(Text, SimilarNamesAreThoseAPersonMayHaveMeant) {
  const std::vector<std::string> known{"heat-field", "heat-fields", "pressure", "x"};
  EXPECT_EQ(similar("heat-feild", known), (std::vector<std::string>{"heat-field", "heat-fields"}));
  EXPECT_EQ(similar("pres", known), std::vector<std::string>{"pressure"});
  EXPECT_EQ(similar("quite-another-name", known), std::vector<std::string>{});
  EXPECT_EQ(similar("", known), std::vector<std::string>{"x"});
}

}  // namespace
}  // namespace psnam::cli
