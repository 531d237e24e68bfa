// Processes that die at any instant of an encoding or a rebuild: a whole version is left, and it is the newest that was
// committed. Members are forked children, their data is private, the area is shared.
#include <fstream>

#include "support/child.hpp"
#include "support/kill.hpp"
#include "unit/parity/parity_fixture.hpp"

namespace psnam::parity {
namespace {

using namespace test;
using psnam::test::Child;

constexpr std::uint32_t kMembers = 3;
constexpr std::uint64_t kBytes = 200'000;

std::vector<Bytes> data_of(std::uint64_t version) {
  return random_members(
      std::vector<std::uint64_t>{kBytes, kBytes - version * 1000, std::uint64_t{version % 3 == 0 ? 0U : 77'777U}},
      version);
}

Deadline in(int milliseconds) { return std::chrono::steady_clock::now() + std::chrono::milliseconds{milliseconds}; }

/// What the processes of an instant look at.
struct Board {
  std::atomic<std::uint64_t> committed;  ///< written right after commit() has returned
};

void expect_whole(Area& area, std::uint64_t at_least, std::uint64_t at_most) {
  const auto version = area.newest();
  ASSERT_TRUE(version) << version.error().message;
  ASSERT_GE(version->number, at_least);
  ASSERT_LE(version->number, at_most);
  EXPECT_TRUE(area.verify(*version).empty());
  const std::vector<Bytes> data = data_of(version->number);
  std::vector<Bytes> left = data;
  std::ranges::fill(left[0], std::byte{1});
  Buffers buffers = Fixture::buffers_of(left);
  RebuildReport report;
  const std::vector<std::uint32_t> lost{0};
  const Status done = rebuild_all(area, *version, lost, buffers, buffers, report);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(left, data);
}

/// A member that encodes one version; the first one begins and commits it.
int encode_as(Area& area, std::uint32_t member, const Attempt& attempt, std::vector<Bytes> data, Way way,
              Board& board) {
  const MappedMembers members{data.begin(), data.end()};
  const Status encoded = way == Way::mapped ? encode_mapped(area, attempt, member, members, in(100))
                                            : encode_member(area, attempt, {member, data[member]}, in(100));
  if (!encoded) return 1;
  if (member != 0) return 0;
  if (!area.commit(attempt, in(100))) return 1;
  board.committed = attempt.version;
  return 0;
}

/// Who dies, and how they work.
class ParityKillTogether : public ::testing::TestWithParam<std::tuple<bool, Way>> {};
INSTANTIATE_TEST_SUITE_P(Who, ParityKillTogether,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(Way::together, Way::mapped)),
                         [](const auto& parameter) {
                           return (std::get<0>(parameter.param) ? "All" : "One") +
                                  name_of(std::get<1>(parameter.param));
                         });

TEST_P(ParityKillTogether, AtAnyInstantOfEncodingAndCommittingTheLastCommittedVersionIsWhole) {
  const auto [all, way] = GetParam();
  Fixture fixture{kMembers, 1, kBytes, 8192};
  SharedMemory shared{sizeof(Board)};
  Board& board = *new (shared.bytes().data()) Board{};
  ASSERT_TRUE(fixture.encode(1, data_of(1)));
  board.committed = 1;
  std::mt19937 random{all ? 1U : 2U};
  std::uint64_t version = 1;
  int unfinished = 0;
  for (int turn = 0; turn < 70; ++turn) {
    version = fixture.area().newest()->number + 1;
    const std::vector<Bytes> data = data_of(version);
    const auto victim = static_cast<std::uint32_t>(random() % kMembers);
    const long instant = 1 + static_cast<long>(random() % 600'000);
    const auto attempt = fixture.area().begin(version);
    ASSERT_TRUE(attempt);
    std::vector<Child> members;
    for (std::uint32_t member = 0; member < kMembers; ++member)
      members.emplace_back([&, member, all = all, way = way] {
        if ((all || member == victim) && !psnam::test::kill_me_after(instant)) return 9;
        return encode_as(fixture.area(), member, *attempt, data, way, board);
      });
    bool killed = false;
    for (Child& member : members) killed = member.wait() == -SIGKILL || killed;
    if (killed) ++unfinished;
    expect_whole(fixture.area(), board.committed, version);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(unfinished, 5) << "too few died in the middle for the test to say anything";
}

TEST(ParityKill, AtAnyInstantOfBeginningAndEncodingAloneTheLastCommittedVersionIsWhole) {
  Fixture fixture{kMembers, 1, kBytes, 8192};
  SharedMemory shared{sizeof(Board)};
  Board& board = *new (shared.bytes().data()) Board{};
  std::vector<Bytes> first = data_of(1);
  ASSERT_TRUE(fixture.encode_alone(1, first));
  board.committed = 1;
  std::mt19937 random{3};
  int killed = 0;
  for (int turn = 0; turn < 300; ++turn) {
    const std::uint64_t version = fixture.area().newest()->number + 1;
    std::vector<Bytes> data = data_of(version);
    const long instant = 1 + static_cast<long>(random() % 150'000);
    Child child{[&] {
      if (!psnam::test::kill_me_after(instant)) return 9;
      if (!fixture.encode_alone(version, data)) return 1;
      board.committed = version;
      return 0;
    }};
    const int ended = child.wait();
    ASSERT_TRUE(ended == 0 || ended == -SIGKILL) << ended;
    if (ended != 0) ++killed;
    expect_whole(fixture.area(), board.committed, version);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(killed, 20);
}

TEST(ParityKill, AtAnyInstantOfARebuildTheVersionsStay) {
  Fixture fixture{kMembers, 1, kBytes, 8192};
  ASSERT_TRUE(fixture.encode(1, data_of(1)));
  ASSERT_TRUE(fixture.encode(2, data_of(2)));
  const std::vector<Bytes> data = data_of(2);
  const Version version = *fixture.area().newest();
  std::mt19937 random{4};
  int killed = 0;
  for (int turn = 0; turn < 50; ++turn) {
    const Attempt attempt = fixture.area().begin_rebuild(version);
    const auto victim = static_cast<std::uint32_t>(random() % kMembers);
    const long instant = 1 + static_cast<long>(random() % 500'000);
    std::vector<Child> members;
    for (std::uint32_t member = 0; member < kMembers; ++member)
      members.emplace_back([&, member] {
        if (member == victim && !psnam::test::kill_me_after(instant)) return 9;
        Bytes mine = data[member];
        if (member == 1) std::ranges::fill(mine, std::byte{0});
        RebuildReport report;
        if (!rebuild_member(fixture.area(), attempt, version, {member, mine, member == 1}, in(100), report)) return 1;
        return mine == data[member] ? 0 : 2;
      });
    for (Child& member : members) {
      const int ended = member.wait();
      EXPECT_NE(ended, 2) << "wrong bytes were called right";
      if (ended == -SIGKILL) ++killed;
    }
    expect_whole(fixture.area(), 2, 2);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(killed, 5);
}

TEST(ParityKill, AtAnyInstantOfARebuildOfMappedMembersTheVersionsStayAndSuccessIsWhole) {
  Fixture fixture{kMembers, 1, kBytes, 8192};
  ASSERT_TRUE(fixture.encode(1, data_of(1)));
  ASSERT_TRUE(fixture.encode(2, data_of(2)));
  const std::vector<Bytes> data = data_of(2);
  const Version version = *fixture.area().newest();
  SharedMemory shared{kMembers * kBytes};
  MappedMembers members;
  for (std::uint32_t member = 0; member < kMembers; ++member)
    members.push_back(shared.bytes().subspan(member * kBytes, data[member].size()));
  std::mt19937 random{5};
  int killed = 0, whole = 0;
  for (int turn = 0; turn < 60; ++turn) {
    for (std::uint32_t member = 0; member < kMembers; ++member)
      std::ranges::copy(data[member], members[member].begin());
    std::ranges::fill(members[1], std::byte{0});
    const Attempt attempt = fixture.area().begin_rebuild(version);
    const auto victim = static_cast<std::uint32_t>(random() % kMembers);
    const long instant = 1 + static_cast<long>(random() % 500'000);
    std::vector<Child> children;
    for (std::uint32_t member = 0; member < kMembers; ++member)
      children.emplace_back([&, member] {
        if (turn % 2 == 0 && member == victim && !psnam::test::kill_me_after(instant)) return 9;
        RebuildReport report;
        return rebuild_mapped(fixture.area(), attempt, version, member, members, member == 1, in(100), report) ? 0 : 1;
      });
    for (Child& child : children) {
      const int ended = child.wait();
      if (ended == -SIGKILL) ++killed;
      if (ended != 0) continue;
      ++whole;
      EXPECT_TRUE(std::ranges::equal(members[1], data[1])) << "wrong bytes were called right";
    }
    expect_whole(fixture.area(), 2, 2);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(killed, 5);
  EXPECT_GT(whole, 10);
}

TEST(ParityProcesses, ForkedMembersEncodeAndRebuildWithPrivateData) {
  constexpr std::uint32_t kMany = 8;
  const std::vector<std::uint64_t> sizes{3'000'000, 2'999'999, 0, 1, 65'536, 65'537, 1'234'567, 3'000'000};
  const std::vector<Bytes> data = random_members(sizes, 1);
  Fixture fixture{kMany, 2, 3'000'000, kDefaultBlockBytes};
  const auto attempt = fixture.area().begin(1);
  {
    std::vector<Child> members;
    for (std::uint32_t member = 0; member < kMany; ++member)
      members.emplace_back([&, member] {
        const Bytes mine = data[member];
        return encode_member(fixture.area(), *attempt, {member, mine}, soon()) ? 0 : 1;
      });
    for (Child& member : members) EXPECT_EQ(member.wait(), 0);
  }
  ASSERT_TRUE(fixture.area().commit(*attempt, soon()));
  const Version version = *fixture.area().newest();
  EXPECT_TRUE(fixture.area().verify(version).empty());
  const Attempt again = fixture.area().begin_rebuild(version);
  std::vector<Child> members;
  for (std::uint32_t member = 0; member < kMany; ++member)
    members.emplace_back([&, member] {
      const bool lost = member == 1 || member == 6;
      Bytes mine = lost ? Bytes(data[member].size()) : data[member];
      RebuildReport report;
      if (!rebuild_member(fixture.area(), again, version, {member, mine, lost}, soon(), report)) return 1;
      return mine == data[member] ? 0 : 2;
    });
  for (Child& member : members) EXPECT_EQ(member.wait(), 0);
}

}  // namespace
}  // namespace psnam::parity
