#include "nam/access.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace psnam::nam {
namespace {

constexpr std::uint32_t kOwner = 1000;
constexpr std::uint32_t kGroup = 100;

format::WindowRecord window_of_mode(std::uint32_t mode) {
  format::WindowRecord window;
  window.mode = mode;
  window.uid = kOwner;
  window.gid = kGroup;
  return window;
}

struct Row {
  std::uint32_t mode;
  Caller caller;
  bool read;
  bool write;
};

TEST(Access, IsDecidedByTheFirstClassThatFits) {
  const Caller owner{.uid = kOwner, .gids = {kGroup}};
  const Caller member{.uid = 2000, .gids = {5, kGroup}};
  const Caller other{.uid = 3000, .gids = {5}};
  const Row rows[] = {
      {0600, owner, true, true},    {0600, member, false, false}, {0600, other, false, false},
      {0400, owner, true, false},   {0640, member, true, false},  {0660, member, true, true},
      {0644, other, true, false},   {0666, other, true, true},    {0066, owner, false, false},
      {0606, member, false, false}, {0200, owner, false, false},  {0000, owner, false, false},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(may_access(window_of_mode(row.mode), AccessRight::read_only, row.caller), row.read)
        << std::oct << row.mode << " uid " << std::dec << row.caller.uid;
    EXPECT_EQ(may_access(window_of_mode(row.mode), AccessRight::read_write, row.caller), row.write)
        << std::oct << row.mode << " uid " << std::dec << row.caller.uid;
  }
}

TEST(Access, UserZeroAlwaysMay) {
  EXPECT_TRUE(may_access(window_of_mode(0), AccessRight::read_write, {.uid = 0, .gids = {}}));
}

TEST(Access, TheCallerIsThisProcess) {
  const auto caller = this_caller();
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->uid, ::geteuid());
  EXPECT_NE(std::find(caller->gids.begin(), caller->gids.end(), ::getegid()), caller->gids.end());
}

}  // namespace
}  // namespace psnam::nam
