#include "parity/rebuild.hpp"

#include "unit/parity/parity_fixture.hpp"

namespace psnam::parity {
namespace {

using namespace test;

constexpr std::uint32_t kBlock = 512;
constexpr std::uint64_t kCapacity = 40 * kBlock + 13;

std::vector<std::uint64_t> uneven_sizes(std::uint32_t members) {
  std::vector<std::uint64_t> sizes;
  for (std::uint32_t member = 0; member < members; ++member)
    sizes.push_back(member % 4 == 1 ? 0 : (kCapacity - member * 97) % (kCapacity + 1));
  return sizes;
}

/// The data with the lost members' bytes gone.
std::vector<Bytes> without(const std::vector<Bytes>& data, const std::vector<std::uint32_t>& lost) {
  std::vector<Bytes> left = data;
  for (const std::uint32_t member : lost) std::ranges::fill(left[member], std::byte{0xee});
  return left;
}

/// Reads none of the lost ones.
class Survivors final : public Source {
 public:
  Survivors(std::vector<Bytes>& data, const std::vector<std::uint32_t>& lost) : data_{data}, lost_{lost} {}
  const std::byte* view(const Extent& extent) override {
    EXPECT_EQ(std::ranges::find(lost_, extent.member), lost_.end()) << "a lost member is read";
    return data_[extent.member].data() + extent.offset;
  }
  Status start(const Extent& /*extent*/, std::byte* /*into*/) override { return {}; }
  Status finish(const Extent& /*extent*/) override { return {}; }
  void drain() noexcept override {}

 private:
  std::vector<Bytes>& data_;
  const std::vector<std::uint32_t>& lost_;
};

Status rebuild_alone(Fixture& fixture, std::vector<Bytes>& data, const std::vector<std::uint32_t>& lost,
                     RebuildReport& report) {
  Survivors source{data, lost};
  Buffers sink = Fixture::buffers_of(data);
  return rebuild_all(fixture.area(), *fixture.area().newest(), lost, source, sink, report);
}

class RebuildSets : public ::testing::TestWithParam<std::tuple<std::uint32_t, std::uint32_t>> {};
INSTANTIATE_TEST_SUITE_P(Sets, RebuildSets,
                         ::testing::Combine(::testing::Values(1, 2, 3, 7, 64), ::testing::Values(1, 2, 3)));

TEST_P(RebuildSets, AnyLossesUpToTheParitiesComeBackAndOneMoreIsRefused) {
  const auto [members, parities] = GetParam();
  Fixture fixture{members, parities, kCapacity, kBlock};
  const std::vector<Bytes> data = random_members(uneven_sizes(members), 9);
  ASSERT_TRUE(fixture.encode(1, data));
  ASSERT_TRUE(fixture.encode(2, data));
  std::mt19937 random{members * 10 + parities};
  for (std::uint32_t count = 0; count <= std::min(parities + 1, members); ++count)
    for (int turn = 0; turn < 3; ++turn) {
      std::vector<std::uint32_t> lost(members);
      std::iota(lost.begin(), lost.end(), 0U);
      std::ranges::shuffle(lost, random);
      lost.resize(count);
      std::ranges::sort(lost);
      std::vector<Bytes> left = without(data, lost);
      RebuildReport report;
      const Status alone = rebuild_alone(fixture, left, lost, report);
      std::vector<Bytes> left_together = without(data, lost), left_mapped = left_together;
      CommonRebuild together{fixture.area(), 2, left_together, lost};
      CommonRebuild mapped{fixture.area(), 2, left_mapped, lost, Way::mapped};
      if (count <= parities) {
        ASSERT_TRUE(alone) << alone.error().message;
        EXPECT_EQ(left, data);
        EXPECT_EQ(report.rebuilt, lost);
        EXPECT_TRUE(report.repaired.empty());
        for (const Status& result : together.results) ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(left_together, data);
        EXPECT_EQ(together.reports[0].rebuilt, lost);
        for (const Status& result : mapped.results) ASSERT_TRUE(result) << result.error().message;
        EXPECT_EQ(left_mapped, data);
        EXPECT_EQ(mapped.reports[0].rebuilt, lost);
        EXPECT_TRUE(mapped.repaired().empty());
        continue;
      }
      ASSERT_FALSE(alone);
      EXPECT_EQ(alone.error().code, psnam::Code::peer_lost);
      EXPECT_NE(alone.error().message.find("version 1 is older and can be asked for"), std::string::npos);
      EXPECT_EQ(report.older, 1U);
      EXPECT_EQ(left, without(data, lost)) << "something was written";
      for (const CommonRebuild* const common : {&together, &mapped})
        for (const Status& result : common->results) {
          ASSERT_FALSE(result);
          EXPECT_EQ(result.error().message, alone.error().message);
        }
      EXPECT_EQ(left_mapped, without(data, lost)) << "something was written";
    }
}

struct Damaged {
  std::vector<Bytes> data =
      random_members(std::vector<std::uint64_t>{30 * kBlock, 30 * kBlock - 5, 8 * kBlock, 30 * kBlock}, 4);
  Fixture fixture{4, 2, 30 * kBlock, kBlock};
  std::vector<Bytes> parity;

  Damaged() {
    EXPECT_TRUE(fixture.encode(1, data));
    EXPECT_TRUE(fixture.encode(2, data));
    const Area& area = fixture.area();
    for (std::uint32_t p = 0; p < 2; ++p)
      parity.emplace_back(area.parity_block(1, p, 0), area.parity_block(1, p, 0) + area.shape().parity_bytes());
  }
  void damage_parity(std::uint32_t index, std::uint64_t block) {
    fixture.area().parity_block(1, index, block)[kBlock - 1] ^= std::byte{0x40};
  }
  [[nodiscard]] bool parity_is_whole() {
    for (std::uint32_t p = 0; p < 2; ++p)
      if (std::memcmp(fixture.area().parity_block(1, p, 0), parity[p].data(), parity[p].size()) != 0) return false;
    return true;
  }
};

void expect_repaired(Damaged& set, std::vector<Bytes> left, const std::vector<std::uint32_t>& lost,
                     std::vector<BadBlock> bad, Way way) {
  std::ranges::sort(bad);
  if (way == Way::alone) {
    RebuildReport report;
    const Status done = rebuild_alone(set.fixture, left, lost, report);
    ASSERT_TRUE(done) << done.error().message;
    std::ranges::sort(report.repaired);
    EXPECT_EQ(report.repaired, bad);
  } else {
    CommonRebuild together{set.fixture.area(), 2, left, lost, way};
    for (const Status& result : together.results) ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(together.repaired(), bad);
  }
  EXPECT_EQ(left, set.data);
  EXPECT_TRUE(set.parity_is_whole());
}

class RebuildDamaged : public ::testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Ways, RebuildDamaged, ::testing::Values(Way::alone, Way::together, Way::mapped),
                         [](const auto& parameter) { return name_of(parameter.param); });

TEST_P(RebuildDamaged, DamageWithoutALossIsRepaired) {
  Damaged set;
  std::vector<Bytes> left = set.data;
  left[0][5] ^= std::byte{1};
  left[3][20 * kBlock] ^= std::byte{0x80};
  set.damage_parity(1, 20);
  set.damage_parity(0, 7);
  set.damage_parity(1, 7);
  expect_repaired(set, left, {}, {{0, 0}, {3, 20}, {5, 20}, {4, 7}, {5, 7}}, GetParam());
}

TEST_P(RebuildDamaged, DamageBesideALossIsRepairedWhereParitiesAreEnough) {
  Damaged set;
  std::vector<Bytes> left = without(set.data, {1});
  left[0][3 * kBlock] ^= std::byte{1};
  left[2][7 * kBlock + 1] ^= std::byte{1};
  set.damage_parity(0, 12);
  set.damage_parity(1, 29);
  expect_repaired(set, left, {1}, {{0, 3}, {2, 7}, {4, 12}, {5, 29}}, GetParam());
}

TEST_P(RebuildDamaged, DamageBehindTheEndOfTheLostMemberIsFoundToo) {
  Damaged set;
  std::vector<Bytes> left = without(set.data, {2});
  left[3][25 * kBlock] ^= std::byte{1};
  set.damage_parity(0, 26);
  expect_repaired(set, left, {2}, {{3, 25}, {4, 26}}, GetParam());
}

TEST_P(RebuildDamaged, TooMuchInOneStripeIsRefusedByName) {
  Damaged set;
  std::vector<Bytes> left = without(set.data, {1, 3});
  left[0][3 * kBlock + 2] ^= std::byte{1};
  Status refused;
  RebuildReport report;
  if (GetParam() == Way::alone) {
    refused = rebuild_alone(set.fixture, left, {1, 3}, report);
  } else {
    CommonRebuild together{set.fixture.area(), 2, left, {1, 3}, GetParam()};
    for (const Status& result : together.results) ASSERT_FALSE(result);
    refused = std::move(together.results[2]);
    report = together.reports[2];
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, psnam::Code::corrupt);
  EXPECT_NE(refused.error().message.find("damaged: member 0 block 3"), std::string::npos) << refused.error().message;
  EXPECT_EQ(report.older, 1U);
  // What was not computed was not touched. Mapped, it is written while it is read, and counts for nothing.
  if (GetParam() == Way::mapped) return;
  for (const std::uint32_t member : {1U, 3U})
    for (std::size_t at = 3 * kBlock; at < 4 * kBlock; ++at) EXPECT_EQ(left[member][at], std::byte{0xee});
}

TEST(Rebuild, MoreDamageThanTheListHoldsIsRefusedTogetherAndRepairedAlone) {
  const std::uint64_t bytes = (format::kParityBadBlocks + 1) * std::uint64_t{kBlock};
  Fixture fixture{2, 1, bytes, kBlock};
  const std::vector<Bytes> data = random_members(std::vector<std::uint64_t>(2, bytes), 4);
  ASSERT_TRUE(fixture.encode(1, data));
  std::vector<Bytes> left = data;
  for (std::size_t at = 0; at < bytes; at += kBlock) left[1][at] ^= std::byte{1};
  CommonRebuild together{fixture.area(), 1, left, {}};
  ASSERT_FALSE(together.results[0]);
  EXPECT_NE(together.results[0].error().message.find("501 blocks are damaged"), std::string::npos);
  RebuildReport report;
  ASSERT_TRUE(rebuild_alone(fixture, left, {}, report));
  EXPECT_EQ(report.repaired.size(), format::kParityBadBlocks + 1);
  EXPECT_EQ(left, data);
}

TEST(Rebuild, ABufferOfAnotherSizeIsRefusedAndStopsTheOthers) {
  Fixture fixture{2, 1, kCapacity, kBlock};
  std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{700, 900}, 4);
  ASSERT_TRUE(fixture.encode(1, data));
  data[1].pop_back();
  CommonRebuild mapped{fixture.area(), 1, data, {0}, Way::mapped};
  // Both see it; one may hear first that the other has.
  EXPECT_TRUE(std::ranges::any_of(mapped.results,
                                  [](const Status& result) { return result.error().code == psnam::Code::size; }));
  EXPECT_FALSE(mapped.results[0]);
  EXPECT_FALSE(mapped.results[1]);
  CommonRebuild together{fixture.area(), 1, data, {0}};
  EXPECT_EQ(together.results[1].error().code, psnam::Code::size);
  EXPECT_EQ(together.results[0].error().code, psnam::Code::peer_lost);
}

TEST(Rebuild, MembersThatAreNoneOrNamedTwiceAreRefused) {
  Fixture fixture{2, 2, kCapacity, kBlock};
  std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{700, 900}, 4);
  ASSERT_TRUE(fixture.encode(1, data));
  RebuildReport report;
  EXPECT_EQ(rebuild_alone(fixture, data, {2}, report).error().code, psnam::Code::rank);
  EXPECT_EQ(rebuild_alone(fixture, data, {1, 1}, report).error().code, psnam::Code::invalid_argument);
}

TEST(Rebuild, TheOlderVersionCanBeRebuiltWhenTheNewerIsDamaged) {
  Fixture fixture{3, 1, kCapacity, kBlock};
  const std::vector<Bytes> old = random_members(std::vector<std::uint64_t>{700, 900, 5000}, 4);
  ASSERT_TRUE(fixture.encode(1, old));
  ASSERT_TRUE(fixture.encode(2, random_members(std::vector<std::uint64_t>{100, 9000, 0}, 5)));
  fixture.area().checksums(1, 1)[2] ^= 1;
  const auto version = fixture.area().newest();
  ASSERT_TRUE(version);
  EXPECT_EQ(version->number, 1U);
  EXPECT_EQ(fixture.area().version(2).error().code, psnam::Code::corrupt);
  std::vector<Bytes> left = without(old, {2});
  RebuildReport report;
  ASSERT_TRUE(rebuild_alone(fixture, left, {2}, report));
  EXPECT_EQ(left, old);
}

}  // namespace
}  // namespace psnam::parity
