#include "parity/area.hpp"

#include "unit/parity/parity_fixture.hpp"

namespace psnam::parity {
namespace {

using namespace test;

constexpr std::uint32_t kBlock = 512;

TEST(ParityArea, WhatWasMadeIsOpened) {
  Fixture fixture{3, 2, 5000, kBlock};
  const auto area = Area::open(fixture.memory());
  ASSERT_TRUE(area) << area.error().message;
  EXPECT_EQ(area->shape(), fixture.area().shape());
  EXPECT_EQ(area->name(), "test");
  EXPECT_EQ(area->id()[0], 7);
  EXPECT_TRUE(area->versions().empty());
  const auto none = area->newest();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, psnam::Code::name_not_found);
  EXPECT_EQ(none.error().message, "parity area 'test' has no whole version: empty; empty");
}

TEST(ParityArea, WhatNoAreaCanHaveIsRefused) {
  EXPECT_EQ(bytes_needed(0, 1, 1).error().code, psnam::Code::invalid_argument);
  EXPECT_EQ(bytes_needed(255, 1, 1).error().code, psnam::Code::invalid_argument);
  EXPECT_EQ(bytes_needed(2, 1, 1, 500).error().code, psnam::Code::invalid_argument);
  EXPECT_EQ(bytes_needed(2, 1, 1, 1U << 21).error().code, psnam::Code::invalid_argument);
  EXPECT_EQ(bytes_needed(2, ~std::uint64_t{0}, 1).error().code, psnam::Code::invalid_argument);
  SharedMemory memory{*bytes_needed(2, 5000, 1, kBlock)};
  AreaSpec spec{2, 1, 5000, kBlock, {}, std::string(128, 'x')};
  EXPECT_EQ(Area::create(memory.bytes(), spec).error().code, psnam::Code::invalid_argument);
  spec.name = "";
  EXPECT_EQ(Area::create(memory.bytes().first(memory.bytes().size() - 1), spec).error().code, psnam::Code::size);
  EXPECT_EQ(Area::create(memory.bytes().subspan(8), spec).error().code, psnam::Code::buffer);
  EXPECT_TRUE(Area::create(memory.bytes(), spec));
}

TEST(ParityArea, TheTwoNewestVersionsAreKept) {
  Fixture fixture{2, 1, 2000, kBlock};
  for (std::uint64_t version = 1; version <= 5; ++version)
    ASSERT_TRUE(fixture.encode(version, random_members(std::vector<std::uint64_t>{2000, version}, version)));
  const auto versions = fixture.area().versions();
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[0].number, 5U);
  EXPECT_EQ(versions[1].number, 4U);
  EXPECT_EQ(versions[1].sizes, (std::vector<std::uint64_t>{2000, 4}));
  EXPECT_EQ(fixture.area().version(3).error().code, psnam::Code::name_not_found);
}

TEST(ParityArea, ANoteStaysWithItsVersion) {
  Fixture fixture{1, 1, 100, kBlock};
  std::vector<Bytes> data = random_members(std::vector<std::uint64_t>{100}, 1);
  Buffers buffers = Fixture::buffers_of(data);
  Note note{};
  note[63] = 9;
  ASSERT_TRUE(encode_all(fixture.area(), 3, buffers.sizes(), buffers, {.note = note}));
  EXPECT_EQ(fixture.area().newest()->note, note);
  EXPECT_GT(fixture.area().newest()->taken_ns, 0U);
}

TEST(ParityArea, AVersionThatWasBegunIsToldAndTheOtherStays) {
  Fixture fixture{1, 1, 100, kBlock};
  ASSERT_TRUE(fixture.encode(1, std::vector<Bytes>(1)));
  ASSERT_TRUE(fixture.area().begin(2));
  const auto slots = fixture.area().slots();
  EXPECT_EQ(slots[0].state, SlotState::committed);
  EXPECT_EQ(slots[1].state, SlotState::unfinished);
  EXPECT_EQ(slots[1].reason, "slot 1: version 2 was begun and not committed");
  EXPECT_EQ(fixture.area().newest()->number, 1U);
}

std::vector<std::uint64_t> numbers_of(const Area& area) {
  std::vector<std::uint64_t> numbers;
  for (const Version& version : area.versions()) numbers.push_back(version.number);
  return numbers;
}

TEST(ParityArea, KeepsAsManyVersionsAsItHasSlotsAndTheOldestGoesFirst) {
  for (const std::uint32_t slots : {2U, 3U, 8U}) {
    Fixture fixture{2, 1, 3 * kBlock, kBlock, slots};
    std::vector<std::uint64_t> expected;
    for (std::uint64_t number = 1; number <= 2 * slots + 1; ++number) {
      const auto data = random_members(std::vector<std::uint64_t>{3 * kBlock, 600}, number);
      ASSERT_TRUE(fixture.encode(number, data)) << number;
      expected.insert(expected.begin(), number);
      if (expected.size() > slots) expected.pop_back();
      ASSERT_EQ(numbers_of(*Area::open(fixture.memory())), expected);
      for (const std::uint64_t one : expected) EXPECT_TRUE(fixture.area().verify(*fixture.area().version(one)).empty());
    }
    // One that was given up costs no other: neither what was dropped, nor what was begun or damaged.
    fixture.area().drop(*fixture.area().newest());
    ASSERT_TRUE(fixture.area().begin(100));
    expected.erase(expected.begin());
    EXPECT_EQ(numbers_of(fixture.area()), expected);
    ASSERT_TRUE(fixture.area().begin(100));
    EXPECT_EQ(numbers_of(fixture.area()), expected);
    fixture.area().slot_header(fixture.area().versions().back().slot).note[5] ^= 1;
    expected.pop_back();
    ASSERT_TRUE(fixture.area().begin(101));
    EXPECT_EQ(numbers_of(fixture.area()), expected);
  }
}

TEST(ParityArea, OfAnotherNumberOfSlotsThanItCanHaveIsRefused) {
  for (const std::uint32_t slots : {0U, 1U, 9U}) {
    const auto bytes = bytes_needed(2, 100, 1, kBlock, slots);
    ASSERT_FALSE(bytes) << slots;
    EXPECT_EQ(bytes.error().code, psnam::Code::invalid_argument);
    EXPECT_NE(bytes.error().message.find(std::to_string(slots) + " versions of 2 to 8"), std::string::npos)
        << bytes.error().message;
  }
}

TEST(ParityArea, EveryFlippedBitOfTheHeaderIsFound) {
  Fixture fixture{2, 1, 2000, kBlock};
  for (std::size_t bit = 0; bit < 8 * sizeof(format::ParityHeader); ++bit) {
    std::byte& byte = fixture.memory()[bit / 8];
    byte ^= std::byte{1} << bit % 8;
    const auto opened = Area::open(fixture.memory());
    ASSERT_FALSE(opened) << bit;
    const auto code = opened.error().code;
    EXPECT_TRUE(code == psnam::Code::corrupt || code == psnam::Code::incompatible) << bit;
    byte ^= std::byte{1} << bit % 8;
  }
  EXPECT_TRUE(Area::open(fixture.memory()));
}

TEST(ParityArea, AHeaderOfAnotherVersionIsIncompatibleAndBothAreNamed) {
  Fixture fixture{2, 1, 2000, kBlock};
  reinterpret_cast<format::ParityHeader*>(fixture.memory().data())->version = 3;
  const auto opened = Area::open(fixture.memory());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, psnam::Code::incompatible);
  EXPECT_EQ(opened.error().message, "parity area of format version 3, this library speaks version 1 and 2");
}

TEST(ParityArea, LessMemoryThanItsHeaderSaysIsRefused) {
  Fixture fixture{2, 1, 2000, kBlock};
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{100}, fixture.memory().size() - 1}) {
    const auto opened = Area::open(fixture.memory().first(bytes));
    ASSERT_FALSE(opened) << bytes;
    EXPECT_EQ(opened.error().code, psnam::Code::corrupt);
  }
}

/// Every bit of header, commit record, sizes and checksums in use of one slot.
TEST(ParityArea, EveryFlippedBitOfACommittedSlotIsFoundAndTheOlderIsThere) {
  Fixture fixture{2, 1, 3 * kBlock, kBlock};
  ASSERT_TRUE(fixture.encode(1, random_members(std::vector<std::uint64_t>{3 * kBlock, 600}, 1)));
  ASSERT_TRUE(fixture.encode(2, random_members(std::vector<std::uint64_t>{3 * kBlock, 3 * kBlock}, 2)));
  const auto& shape = fixture.area().shape();
  const std::span<std::byte> slot = fixture.memory().subspan(shape.slots_offset() + shape.slot_bytes());
  std::vector<std::size_t> places(shape.sizes_offset() + 16);
  std::iota(places.begin(), places.end(), std::size_t{0});
  for (std::uint32_t piece = 0; piece < 3; ++piece)
    for (std::size_t at = 0; at < 12; ++at) places.push_back(shape.rows_offset() + piece * shape.row_bytes() + at);
  for (const std::size_t place : places)
    for (int bit = 0; bit < 8; ++bit) {
      slot[place] ^= std::byte{1} << bit;
      const auto area = Area::open(fixture.memory());
      ASSERT_TRUE(area);
      EXPECT_EQ(area->slots()[1].state, SlotState::damaged) << place;
      EXPECT_TRUE(area->slots()[1].reason.starts_with("slot 1: ")) << area->slots()[1].reason;
      ASSERT_TRUE(area->newest());
      EXPECT_EQ(area->newest()->number, 1U) << place;
      slot[place] ^= std::byte{1} << bit;
    }
  EXPECT_EQ(fixture.area().newest()->number, 2U);
}

TEST(ParityArea, WithBothVersionsDamagedEachReasonIsTold) {
  Fixture fixture{2, 1, 3 * kBlock, kBlock};
  ASSERT_TRUE(fixture.encode(1, std::vector<Bytes>(2)));
  ASSERT_TRUE(fixture.encode(2, std::vector<Bytes>(2)));
  fixture.area().sizes(0)[1] = ~std::uint64_t{0};
  fixture.area().slot_header(1).note[5] ^= 1;
  const auto none = fixture.area().newest();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, psnam::Code::corrupt);
  EXPECT_NE(
      none.error().message.find("slot 0: member 1 has 18446744073709551615 bytes in version 1, the capacity is 1536"),
      std::string::npos)
      << none.error().message;
  EXPECT_NE(none.error().message.find("slot 1: header, sizes or checksums of version 2"), std::string::npos);
}

TEST(ParityArea, EveryDamagedBlockOfParityIsNamed) {
  Fixture fixture{2, 2, 3 * kBlock, kBlock};
  ASSERT_TRUE(fixture.encode(1, random_members(std::vector<std::uint64_t>{3 * kBlock, 600}, 1)));
  fixture.area().parity_block(0, 0, 2)[0] ^= std::byte{1};
  fixture.area().parity_block(0, 1, 1)[511] ^= std::byte{128};
  const auto bad = fixture.area().verify(*fixture.area().newest());
  EXPECT_EQ(bad, (std::vector<BadBlock>{{2, 2}, {3, 1}}));
  EXPECT_EQ(describe(bad[1], 2), "parity 1 block 1");
  EXPECT_EQ(describe({1, 5}, 2), "member 1 block 5");
}

TEST(ParityArea, AnyContentIsOpenedOrRefusedAndNeverReadBeyond) {
  Fixture fixture{2, 1, 3 * kBlock, kBlock};
  ASSERT_TRUE(fixture.encode(1, random_members(std::vector<std::uint64_t>{3 * kBlock, 600}, 1)));
  const Bytes whole(fixture.memory().begin(), fixture.memory().end());
  std::mt19937 random{3};
  const std::size_t used = fixture.area().shape().slots_offset();
  for (int turn = 0; turn < 2000; ++turn) {
    std::ranges::copy(whole, fixture.memory().begin());
    for (int count = 0; count < 8; ++count)
      fixture.memory()[turn % 2 == 0 ? random() % 256 : used + random() % 1024] = static_cast<std::byte>(random());
    const auto area = Area::open(fixture.memory());
    if (!area) continue;
    for (const Version& version : area->versions()) EXPECT_EQ(version.number, 1U);
  }
}

}  // namespace
}  // namespace psnam::parity
