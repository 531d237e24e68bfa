#include "checkpoint/names.hpp"

#include <gtest/gtest.h>

namespace psnam::checkpoint {
namespace {

TEST(NamesOfCheckpoints, AFamilyIsKnownByWhatTheyBeginWith) {
  const format::Uuid one = format::random_uuid();
  const format::Uuid other = related_id(one), stranger = format::random_uuid();
  EXPECT_NE(one, other);
  for (const CopyKind kind : {CopyKind::own, CopyKind::partner}) {
    const std::string family = family_of(copy_prefix(kind, one));
    EXPECT_EQ(family, family_of(copy_prefix(kind, other)));
    EXPECT_TRUE(copy_name(kind, other, 7, 1).starts_with(family));
    EXPECT_FALSE(copy_name(kind, stranger, 7, 1).starts_with(family));
    EXPECT_FALSE(copy_name(kind, other, 7, 1).starts_with(copy_prefix(kind, one)));
  }
  EXPECT_TRUE(new_area_name(other, 3).starts_with(family_of(area_prefix(one))));
  EXPECT_FALSE(new_area_name(stranger, 3).starts_with(family_of(area_prefix(one))));
  EXPECT_EQ(family_of("psnam-checkpoint-copy:0123456789abcdef0123456789abcdef:"),
            "psnam-checkpoint-copy:0123456789abcdef");
}

TEST(NamesOfCheckpoints, SayWhatTheyAreOf) {
  const format::Uuid id = format::random_uuid();
  // While a series goes over to another number of ranks there are two pages.
  for (const int index : {0, 1}) {
    const auto series = parse_name(series_name(1000, "a:b", index));
    ASSERT_TRUE(series) << index;
    EXPECT_EQ(series->kind, NameParts::Kind::series);
    EXPECT_EQ(series->name, "a:b");
    EXPECT_EQ(series->number, 1000U);
  }
  for (const CopyKind kind : {CopyKind::own, CopyKind::partner}) {
    const auto copy = parse_name(copy_name(kind, id, 17, 1));
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->kind, NameParts::Kind::copy);
    EXPECT_EQ(copy->series, format::to_string(id));
    EXPECT_EQ(copy->number, 17U);
  }
  const auto area = parse_name(new_area_name(id, 3));
  ASSERT_TRUE(area);
  EXPECT_EQ(area->kind, NameParts::Kind::area);
  EXPECT_EQ(area->number, 3U);
  for (const char* const other : {"", "heat", "psnam-checkpoint:", "psnam-checkpoint:x:a",
                                  "psnam-checkpoint:1:", "psnam-checkpoint-copy:12:0:1", "libnam-set.x.1.1."})
    EXPECT_FALSE(parse_name(other)) << other;
}

}  // namespace
}  // namespace psnam::checkpoint
