#include "base/choice.hpp"

#include <gtest/gtest.h>

namespace psnam {
namespace {

enum class Colour { red, green };
constexpr std::array<Choice<Colour>, 2> kColours{
    {{"red", "like a brick", Colour::red}, {"green", "like grass", Colour::green}}};

TEST(Choice, AKnownNameIsItsValue) {
  const auto found = choose("colour", "green", kColours);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, Colour::green);
}

TEST(Choice, AnUnknownNameIsAnErrorWithSubjectNameAndKnownNames) {
  const auto found = choose("colour", "blue", kColours);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::info_value);
  EXPECT_EQ(found.error().message, "colour = \"blue\" is unknown; known values: red, green");
}

TEST(Choice, NamesMatchExactly) {
  for (const char* name : {"", "gree", "greens", "Green", " green", "green ", "red, green"})
    EXPECT_FALSE(choose("colour", name, kColours)) << name;
}

TEST(Choice, TheCodeOfTheErrorIsTheCallers) {
  EXPECT_EQ(choose("COLOUR", "blue", kColours, Code::invalid_argument).error().code, Code::invalid_argument);
}

TEST(Choice, AValueHasItsName) {
  EXPECT_EQ(name_of(Colour::red, kColours), "red");
  EXPECT_EQ(name_of(Colour::green, kColours), "green");
}

TEST(Choice, AnEmptyTableKnowsNothing) {
  const std::span<const Choice<Colour>> none;
  EXPECT_EQ(known_names(none), "");
  EXPECT_FALSE(choose("colour", "red", none));
}

}  // namespace
}  // namespace psnam
