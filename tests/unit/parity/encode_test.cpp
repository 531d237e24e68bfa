#include "parity/encode.hpp"

#include "parity/joining.hpp"
#include "unit/parity/parity_fixture.hpp"

namespace psnam::parity {
namespace {

using namespace test;

constexpr std::uint32_t kBlock = 512;

void expect_parity(Fixture& fixture, std::uint64_t number, const std::vector<Bytes>& data) {
  const auto version = fixture.area().version(number);
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_TRUE(fixture.area().verify(*version).empty());
  const auto& shape = fixture.area().shape();
  for (std::uint32_t member = 0; member < data.size(); ++member) {
    EXPECT_EQ(version->sizes[member], data[member].size());
    EXPECT_TRUE(verify_member(fixture.area(), *version, member, data[member]).empty());
  }
  for (std::uint32_t parity = 0; parity < shape.parities; ++parity)
    for (std::uint64_t at = 0; at < shape.blocks_of(version->longest_bytes) * kBlock; ++at)
      ASSERT_EQ(fixture.area().parity_block(version->slot, parity, at / kBlock)[at % kBlock],
                slow_parity(fixture.area().code(), data, parity, at))
          << "parity " << parity << " at " << at;
}

class EncodeSets : public ::testing::TestWithParam<std::tuple<std::uint32_t, std::uint32_t>> {};
INSTANTIATE_TEST_SUITE_P(Sets, EncodeSets,
                         ::testing::Combine(::testing::Values(1, 2, 3, 7, 64), ::testing::Values(1, 2, 3)));

std::vector<std::uint64_t> uneven_sizes(std::uint32_t members, std::uint64_t capacity) {
  std::vector<std::uint64_t> sizes;
  for (std::uint32_t member = 0; member < members; ++member)
    sizes.push_back(member % 4 == 1 ? 0 : (capacity - member * 97) % (capacity + 1));
  return sizes;
}

TEST_P(EncodeSets, TogetherAloneAndMappedMakeTheParityOfTheDefinition) {
  const auto [members, parities] = GetParam();
  constexpr std::uint64_t kCapacity = 40 * kBlock + 13;
  std::vector<Bytes> data = random_members(uneven_sizes(members, kCapacity), 1);
  Fixture together{members, parities, kCapacity, kBlock}, alone{members, parities, kCapacity, kBlock},
      mapped{members, parities, kCapacity, kBlock};
  for (const std::uint64_t version : {1U, 2U, 3U}) {
    const Status done = together.encode(version, data);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_TRUE(alone.encode_alone(version, data));
    ASSERT_TRUE(mapped.encode_mapped(version, data));
  }
  expect_parity(together, 3, data);
  expect_parity(alone, 3, data);
  expect_parity(mapped, 3, data);
  const auto& shape = together.area().shape();
  for (std::size_t slot = 0; slot < 2; ++slot) {
    for (Fixture* const other : {&alone, &mapped}) {
      EXPECT_EQ(std::memcmp(together.area().parity_block(slot, 0, 0), other->area().parity_block(slot, 0, 0),
                            shape.parities * shape.parity_bytes()),
                0);
      EXPECT_EQ(std::memcmp(together.area().checksums(slot, 0), other->area().checksums(slot, 0),
                            shape.pieces() * shape.row_bytes()),
                0);
    }
  }
}

TEST(EncodeMapped, WhoIsLateTakesNoStripeOfTheNextAttempt) {
  Fixture fixture{1, 1, 4 * kBlock, kBlock};
  const auto first = fixture.area().begin(1);
  EXPECT_EQ(take_stripe(fixture.area(), *first, 4), 0U);
  const auto second = fixture.area().begin(1);
  EXPECT_EQ(take_stripe(fixture.area(), *first, 4), std::nullopt);
  for (std::uint64_t stripe = 0; stripe < 4; ++stripe) EXPECT_EQ(take_stripe(fixture.area(), *second, 4), stripe);
  EXPECT_EQ(take_stripe(fixture.area(), *second, 4), std::nullopt);
}

TEST(EncodeMapped, AMemberOfAnotherSizeThanIsMappedStopsAll) {
  Fixture fixture{2, 1, 4 * kBlock, kBlock};
  std::vector<Bytes> data = random_members(std::vector<std::uint64_t>(2, 4 * kBlock), 1);
  const auto attempt = fixture.area().begin(1);
  const MappedMembers right{data.begin(), data.end()}, wrong{data[0], std::span{data[1]}.first(kBlock)};
  EXPECT_EQ(encode_mapped(fixture.area(), *attempt, 2, right, soon()).error().code, psnam::Code::rank);
  Status first, second;
  {
    std::jthread other{[&] { second = encode_mapped(fixture.area(), *attempt, 1, right, soon()); }};
    first = encode_mapped(fixture.area(), *attempt, 0, wrong, soon());
  }
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, psnam::Code::size);
  EXPECT_FALSE(fixture.area().commit(*attempt, std::chrono::steady_clock::now()));
  const auto again = fixture.area().begin(1);
  const Status short_of_one = encode_mapped(fixture.area(), *again, 1, std::span{right}.first(1), soon());
  EXPECT_EQ(short_of_one.error().code, psnam::Code::invalid_argument);
}

TEST(Encode, EmptyMembersMakeAVersionToo) {
  Fixture fixture{3, 2, 0, kBlock};
  ASSERT_TRUE(fixture.encode(1, std::vector<Bytes>(3)));
  ASSERT_TRUE(fixture.area().newest());
  EXPECT_EQ(fixture.area().newest()->longest_bytes, 0U);
}

TEST(Encode, UnalignedDataIsEncodedAndCopiedOnTheWay) {
  constexpr std::uint64_t kCapacity = 300'001;
  Fixture fixture{3, 2, kCapacity, 64U << 10};
  const std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{kCapacity, 1, 70'003}, 5);
  std::vector<Bytes> shifted, copies;
  std::vector<std::byte*> places;
  std::vector<std::span<const std::byte>> views;
  for (std::uint32_t member = 0; member < 3; ++member) {
    shifted.emplace_back(member + 1);
    shifted.back().insert(shifted.back().end(), data[member].begin(), data[member].end());
    copies.emplace_back(data[member].size() + 7);
  }
  for (std::uint32_t member = 0; member < 3; ++member) places.push_back(copies[member].data() + 3);
  const auto attempt = fixture.area().begin(1);
  std::vector<Status> results(3);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t member = 0; member < 3; ++member)
      threads.emplace_back([&, member] {
        results[member] = encode_member(
            fixture.area(), *attempt, {member, std::span{shifted[member]}.subspan(member + 1), places[member]}, soon());
      });
  }
  ASSERT_TRUE(fixture.area().commit(*attempt, soon()));
  for (std::uint32_t member = 0; member < 3; ++member) {
    EXPECT_TRUE(results[member]);
    EXPECT_EQ(std::memcmp(places[member], data[member].data(), data[member].size()), 0);
    EXPECT_EQ(copies[member].front(), std::byte{0});
    EXPECT_EQ(copies[member].back(), std::byte{0});
    EXPECT_TRUE(verify_member(fixture.area(), *fixture.area().newest(), member, data[member]).empty());
  }
  Fixture other{3, 2, kCapacity, 64U << 10};
  std::vector<Bytes> plain = data;
  ASSERT_TRUE(other.encode_alone(1, plain));
  EXPECT_EQ(std::memcmp(fixture.area().parity_block(0, 0, 0), other.area().parity_block(0, 0, 0),
                        2 * fixture.area().shape().parity_bytes()),
            0);
}

TEST(Encode, APieceInManyPlacesIsAsInOne) {
  constexpr std::uint64_t kCapacity = 9 * kBlock;
  const std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{kCapacity - 5}, 3);
  const std::span<const std::byte> all{data[0]};
  Fixture fixture{1, 2, kCapacity, kBlock};
  const auto attempt = fixture.area().begin(1);
  ASSERT_TRUE(attempt);
  Bytes copy(kCapacity - 5);
  // Apart in memory, for they are copies.
  const Bytes first{all.begin(), all.begin() + 2 * kBlock}, second{all.begin() + 2 * kBlock, all.begin() + 3 * kBlock},
      last{all.begin() + 3 * kBlock, all.end()};
  const std::vector<Piece> further{{second, copy.data() + 2 * kBlock}, {}, {last, copy.data() + 3 * kBlock}};
  const Status done = encode_member(fixture.area(), *attempt, {0, first, copy.data(), further}, soon());
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_TRUE(fixture.area().commit(*attempt, soon()));
  expect_parity(fixture, 1, data);
  EXPECT_EQ(copy, data[0]);
}

TEST(Encode, APieceThatBeginsWithinABlockIsRefused) {
  Fixture fixture{1, 1, 4 * kBlock, kBlock};
  const auto attempt = fixture.area().begin(1);
  ASSERT_TRUE(attempt);
  const Bytes one(kBlock + 1), other(10);
  const std::vector<Piece> further{{other, nullptr}};
  const Status done = encode_member(fixture.area(), *attempt, {0, one, nullptr, further}, soon());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, psnam::Code::size);
  EXPECT_NE(done.error().message.find("piece 1 begins 1 bytes into a block"), std::string::npos)
      << done.error().message;
}

TEST(Encode, AVersionThatIsDroppedIsNoneAndItsSlotIsNext) {
  Fixture fixture{2, 1, 4 * kBlock, kBlock};
  const std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{kBlock, 3 * kBlock}, 3);
  for (const std::uint64_t version : {1U, 2U}) ASSERT_TRUE(fixture.encode(version, data));
  fixture.area().drop(*fixture.area().version(2));
  EXPECT_EQ(fixture.area().newest()->number, 1U);
  ASSERT_TRUE(fixture.encode(2, data));
  EXPECT_EQ(fixture.area().versions().size(), 2U);
}

TEST(Encode, AMemberThatDoesNotComeIsNamed) {
  Fixture fixture{3, 1, 4 * kBlock, kBlock};
  const std::vector<Bytes> data = random_members(std::vector<std::uint64_t>(3, 4 * kBlock), 1);
  const auto attempt = fixture.area().begin(1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{200};
  Status first, third;
  {
    std::jthread other{[&] { third = encode_member(fixture.area(), *attempt, {2, data[2]}, deadline); }};
    first = encode_member(fixture.area(), *attempt, {0, data[0]}, deadline);
  }
  ASSERT_FALSE(first);
  ASSERT_FALSE(third);
  EXPECT_EQ(first.error().code, psnam::Code::peer_lost);
  EXPECT_TRUE(first.error().message.ends_with("waiting for member 1") ||
              third.error().message.ends_with("waiting for member 1"))
      << first.error().message << "\n"
      << third.error().message;
  EXPECT_EQ(fixture.area().commit(*attempt, deadline).error().code, psnam::Code::peer_lost);
}

TEST(Encode, AMemberWithTooMuchStopsTheOthersAtOnce) {
  Fixture fixture{2, 1, kBlock, kBlock};
  const Bytes much(kBlock + 1), little(5);
  const auto attempt = fixture.area().begin(1);
  Status first, second;
  {
    std::jthread other{[&] { second = encode_member(fixture.area(), *attempt, {1, much}, soon()); }};
    first = encode_member(fixture.area(), *attempt, {0, little}, soon());
  }
  EXPECT_EQ(second.error().code, psnam::Code::size);
  ASSERT_FALSE(first);
  EXPECT_NE(first.error().message.find("member 1 gave up"), std::string::npos) << first.error().message;
  EXPECT_EQ(encode_member(fixture.area(), *attempt, {2, little}, soon()).error().code, psnam::Code::rank);
}

TEST(Encode, AnAttemptThatIsOverIsRefused) {
  Fixture fixture{1, 1, kBlock, kBlock};
  const Bytes data(9);
  const auto first = fixture.area().begin(1);
  ASSERT_TRUE(fixture.area().begin(1));
  EXPECT_EQ(encode_member(fixture.area(), *first, {0, data}, soon()).error().code, psnam::Code::sync);
  EXPECT_EQ(fixture.area().commit(*first, soon()).error().code, psnam::Code::sync);
}

TEST(Encode, AVersionThatIsNotNewerIsRefused) {
  Fixture fixture{2, 1, kBlock, kBlock};
  ASSERT_TRUE(fixture.encode(5, std::vector<Bytes>(2)));
  for (const std::uint64_t number : {0U, 4U, 5U}) {
    const auto refused = fixture.area().begin(number);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, psnam::Code::invalid_argument);
  }
  EXPECT_TRUE(fixture.area().begin(6));
  EXPECT_EQ(fixture.area().newest()->number, 5U);
}

/// Members whose blocks come late, out of a buffer that is written at finish().
class LateSource final : public Source {
 public:
  explicit LateSource(std::vector<Bytes>& data) : data_{data} {}
  const std::byte* view(const Extent& /*extent*/) override { return nullptr; }
  Status start(const Extent& extent, std::byte* into) override {
    if (extent.member == fails_) return Error{psnam::Code::unreachable, "member is away"};
    under_way_.emplace_back(extent, into);
    most_ = std::max(most_, under_way_.size());
    return {};
  }
  Status finish(const Extent& extent) override {
    EXPECT_EQ(under_way_.front().first.member, extent.member);
    EXPECT_EQ(under_way_.front().first.offset, extent.offset);
    std::memcpy(under_way_.front().second, data_[extent.member].data() + extent.offset, extent.bytes);
    under_way_.pop_front();
    return {};
  }
  void drain() noexcept override { under_way_.clear(); }

  std::uint32_t fails_ = ~0U;
  std::size_t most_ = 0;
  std::deque<std::pair<Extent, std::byte*>> under_way_;

 private:
  std::vector<Bytes>& data_;
};

TEST(EncodePulled, BlocksAreBroughtAheadAndTheParityIsTheSame) {
  Fixture fixture{4, 2, 50 * kBlock, kBlock};
  std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{50 * kBlock, 0, 777, 30 * kBlock + 1}, 3);
  LateSource source{data};
  const std::vector<std::uint64_t> sizes{50 * kBlock, 0, 777, 30 * kBlock + 1};
  const auto report = encode_all(fixture.area(), 1, sizes, source, {.read_ahead = 7});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(source.most_, 7U);
  EXPECT_EQ(report->stripes, 50U);
  EXPECT_EQ(report->bytes_read, 80 * kBlock + 778U);
  expect_parity(fixture, 1, data);
}

TEST(EncodePulled, AMemberThatCannotBeReadLeavesTheVersionBefore) {
  Fixture fixture{3, 1, 50 * kBlock, kBlock};
  std::vector<Bytes> data = random_members(std::vector<std::uint64_t>(3, 50 * kBlock), 3);
  ASSERT_TRUE(fixture.encode_alone(1, data));
  LateSource source{data};
  source.fails_ = 2;
  const std::vector<std::uint64_t> sizes(3, 50 * kBlock);
  const auto report = encode_all(fixture.area(), 2, sizes, source);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, psnam::Code::unreachable);
  EXPECT_TRUE(source.under_way_.empty());
  EXPECT_EQ(fixture.area().newest()->number, 1U);
}

/// What a member says of its blocks, and the bytes of the version before where they are kept.
class TestChanges final : public Changes {
 public:
  TestChanges(const std::vector<Bytes>& now, const std::vector<Bytes>* before) : now_{now}, before_{before} {}
  std::optional<std::uint32_t> checksum_now(std::uint32_t member, std::uint64_t block) override {
    const auto bytes = std::span<const std::byte>{now_[member]}.subspan(block * kBlock);
    return checksum(bytes.first(std::min<std::size_t>(bytes.size(), kBlock)));
  }
  const std::byte* before(const Extent& extent, std::uint64_t /*version*/) override {
    return before_ == nullptr ? nullptr : (*before_)[extent.member].data() + extent.offset;
  }

 private:
  const std::vector<Bytes>& now_;
  const std::vector<Bytes>* before_;
};

struct Increment {
  std::vector<Bytes> before = random_members(std::vector<std::uint64_t>{20 * kBlock, 9 * kBlock + 5, 20 * kBlock}, 3);
  std::vector<Bytes> now = before;
  Fixture fixture{3, 2, 24 * kBlock, kBlock};

  Increment() {
    EXPECT_TRUE(fixture.encode_alone(1, before));
    now[0][3 * kBlock + 7] ^= std::byte{1};  // stripe 3
    now[1].resize(8 * kBlock + 1);           // stripes 8, 9
    now[2].resize(21 * kBlock);              // stripe 20
  }
  EncodeReport encode(const std::vector<Bytes>* at_hand) {
    TestChanges changes{now, at_hand};
    Buffers buffers = Fixture::buffers_of(now);
    const auto report = encode_all(fixture.area(), 2, buffers.sizes(), buffers, {.changes = &changes});
    EXPECT_TRUE(report) << report.error().message;
    return *report;
  }
};

TEST(EncodeIncrement, WhatNobodyChangedIsNotReadAgain) {
  Increment increment;
  const EncodeReport report = increment.encode(nullptr);
  EXPECT_EQ(report.stripes, 21U);
  EXPECT_EQ(report.stripes_kept, 17U);
  EXPECT_EQ(report.stripes_updated, 0U);
  EXPECT_EQ(report.bytes_read, 3 * kBlock + (2 * kBlock + 1) + 2 * kBlock + kBlock);
  expect_parity(increment.fixture, 2, increment.now);
}

TEST(EncodeIncrement, WithTheBytesOfBeforeOnlyChangedMembersAreRead) {
  Increment increment;
  const EncodeReport report = increment.encode(&increment.before);
  EXPECT_EQ(report.stripes_kept, 17U);
  EXPECT_EQ(report.stripes_updated, 3U);
  EXPECT_EQ(report.bytes_read, kBlock + 1 + 0 + kBlock);
  expect_parity(increment.fixture, 2, increment.now);
}

TEST(EncodeIncrement, BytesOfBeforeThatAreNotThoseAreNotUsed) {
  Increment increment;
  std::vector<Bytes> wrong = increment.before;
  wrong[0][3 * kBlock] ^= std::byte{4};
  EXPECT_EQ(increment.encode(&wrong).stripes_updated, 2U);
  expect_parity(increment.fixture, 2, increment.now);
}

TEST(EncodeIncrement, DamagedParityOfBeforeIsNotTakenOver) {
  Increment increment;
  increment.fixture.area().parity_block(0, 1, 5)[17] ^= std::byte{1};
  EXPECT_EQ(increment.encode(nullptr).stripes_kept, 16U);
  expect_parity(increment.fixture, 2, increment.now);
}

}  // namespace
}  // namespace psnam::parity
