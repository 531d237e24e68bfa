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

}  // namespace
}  // namespace psnam::checkpoint
