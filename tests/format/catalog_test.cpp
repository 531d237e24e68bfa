#include "format/catalog.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "format/catalog_wire.hpp"

namespace psnam::format {
namespace {

using Bytes = std::vector<std::byte>;

Uuid uuid_from(std::uint8_t first) {
  Uuid uuid;
  for (auto& byte : uuid.bytes) byte = first++;
  return uuid;
}

WindowRecord a_window() {
  WindowRecord record;
  record.id = 0x1122334455667788;
  record.uuid = uuid_from(0x10);
  record.structure = Structure::managed_distributed;
  record.consistency = Consistency::persistent;
  record.in_doubt = true;
  record.reserve = Reserve::lazy;
  record.mode = 0640;
  record.uid = 1000;
  record.gid = 100;
  record.created_unix_seconds = 1700000000;
  record.name = "psnam-heat";
  record.nodes = {{uuid_from(0x20), "node-a", "/dev/shm/psnam-1000"}, {uuid_from(0x40), "node-b", ""}};
  record.regions = {{.size_bytes = 4096,
                     .allocation_id = 7,
                     .offset_bytes = 0,
                     .displacement_unit = 8,
                     .node = 0,
                     .manifestation = Manifestation::libnam,
                     .source = RegionSource::own,
                     .segment_id = 0},
                    {.size_bytes = 0,
                     .allocation_id = 0,
                     .offset_bytes = 0,
                     .displacement_unit = 1,
                     .node = 1,
                     .manifestation = Manifestation::persistent_shm,
                     .source = RegionSource::existing,
                     .segment_id = 11},
                    {.size_bytes = 1,
                     .allocation_id = 8,
                     .offset_bytes = 64,
                     .displacement_unit = 1ULL << 40,
                     .node = 1,
                     .manifestation = Manifestation::segment,
                     .source = RegionSource::segment,
                     .segment_id = 12}};
  return record;
}

AllocationRecord an_allocation() {
  return {.id = 7,
          .window_id = 3,
          .parent_id = 5,
          .offset_bytes = 64,
          .root_id = 4,
          .root_offset_bytes = 4160,
          .size_bytes = 1ULL << 33,
          .reserve = Reserve::full,
          .consistency = Consistency::persistent,
          .kind = AllocationKind::checkpoint,
          .uid = 1000,
          .gid = 1001,
          .mode = 0640,
          .challenge = 0x1122334455667788,
          .created_unix_seconds = 1700000001,
          .expires_unix_seconds = 1800000001,
          .nam_index = 3,
          .name = "grant"};
}

UseRecord a_use() {
  return {.id = 9,
          .object_id = 3,
          .boot = uuid_from(0x60),
          .processes = {{.pid = 100, .rank = 0, .start_time_ticks = 12345, .pid_namespace = 4026531836},
                        {.pid = 101, .rank = 1, .start_time_ticks = 12346, .pid_namespace = 4026531836}}};
}

ServiceRecord a_service() { return {.window_id = 3, .port_name = "psnam-heat"}; }

StoreRecord a_store() {
  return {.store = uuid_from(0x80),
          .capacity_bytes = 1ULL << 40,
          .reserved_bytes = 1ULL << 33,
          .next_id = 10,
          .created_unix_seconds = 1699999999,
          .next_nam_index = 4,
          .host = "node-a"};
}

UserRecord a_user() { return {.uid = 1000, .reserved_bytes = 1ULL << 33, .lazy_bytes = 1ULL << 44, .objects = 12}; }

NamRecord a_nam() { return {.index = 3, .store = uuid_from(0xa0), .address = "node-b:7340"}; }

/// A kind of record: the bytes of an example, and "decode, and encode again".
struct Kind {
  std::string name;
  Bytes example;
  std::function<Result<Bytes>(std::span<const std::byte>)> again;
};

template <class Record, class Decode>
Kind kind(std::string name, const Record& record, Decode decode) {
  return {std::move(name), encode(record), [decode](std::span<const std::byte> bytes) -> Result<Bytes> {
            PSNAM_TRY(const Record decoded, decode(bytes));
            return encode(decoded);
          }};
}

std::vector<Kind> kinds() {
  return {kind("window", a_window(), decode_window), kind("allocation", an_allocation(), decode_allocation),
          kind("use", a_use(), decode_use),          kind("service", a_service(), decode_service),
          kind("store", a_store(), decode_store),    kind("user", a_user(), decode_user),
          kind("nam", a_nam(), decode_nam)};
}

std::string golden_path(const std::string& kind, int version = kCatalogVersion) {
  return std::string{PSNAM_GOLDEN_FOLDER} + "/catalog-" + kind + ".v" + std::to_string(version) + ".bin";
}

class CatalogFormat : public ::testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, CatalogFormat, ::testing::ValuesIn(kinds()),
                         [](const auto& parameter) { return parameter.param.name; });

TEST_P(CatalogFormat, GoldenFileIsDecodedAndEncodedToTheSameBytes) {
  const std::string path = golden_path(GetParam().name);
  if (std::getenv("PSNAM_WRITE_GOLDEN") != nullptr)
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(GetParam().example.data()),
                                                static_cast<std::streamsize>(GetParam().example.size()));
  std::ifstream file{path, std::ios::binary};
  ASSERT_TRUE(file) << path;
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto golden = std::as_bytes(std::span{text});
  const auto again = GetParam().again(golden);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, Bytes(golden.begin(), golden.end()));
  EXPECT_EQ(*again, GetParam().example) << "the values in the golden file changed their place or meaning";
}

Bytes golden(const std::string& kind, int version) {
  std::ifstream file{golden_path(kind, version), std::ios::binary};
  EXPECT_TRUE(file) << kind;
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

/// The kinds of records that a former version had too.
std::vector<Kind> former_kinds() {
  auto former = kinds();
  former.resize(5);
  return former;
}

class FormerCatalogFormat : public CatalogFormat {};
INSTANTIATE_TEST_SUITE_P(Kinds, FormerCatalogFormat, ::testing::ValuesIn(former_kinds()),
                         [](const auto& parameter) { return parameter.param.name; });

TEST_P(FormerCatalogFormat, ARecordOfAFormerVersionIsIncompatibleAndBothVersionsAreNamed) {
  for (const int version : {1, 2}) {
    const auto again = GetParam().again(golden(GetParam().name, version));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::incompatible);
    EXPECT_NE(again.error().message.find("version " + std::to_string(version) + ", this library speaks version 3"),
              std::string::npos);
  }
}

TEST_P(FormerCatalogFormat, ARecordOfVersionTwoIsUpgraded) {
  const Bytes former = golden(GetParam().name, 2);
  EXPECT_TRUE(is_of_former_version(former));
  EXPECT_FALSE(is_of_former_version(golden(GetParam().name, 1)));
  EXPECT_FALSE(is_of_former_version(GetParam().example));
  const Bytes now = upgraded(former);
  const auto again = GetParam().again(now);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, now);
}

TEST(CatalogFormatUpgrade, WhatIsNewHasItsFirstValue) {
  const auto allocation = decode_allocation(upgraded(golden("allocation", 2)));
  ASSERT_TRUE(allocation) << allocation.error().message;
  AllocationRecord expected = an_allocation();
  expected.nam_index = 0;
  EXPECT_EQ(*allocation, expected);
  const auto store = decode_store(upgraded(golden("store", 2)));
  ASSERT_TRUE(store) << store.error().message;
  StoreRecord whole = a_store();
  whole.next_nam_index = 1;
  EXPECT_EQ(*store, whole);
}

TEST_P(CatalogFormat, EveryTruncationIsCorrupt) {
  const Bytes& example = GetParam().example;
  for (std::size_t bytes = 0; bytes < example.size(); ++bytes) {
    // A copy of exactly that size, so that a sanitizer sees a read beyond it.
    const Bytes cut(example.begin(), example.begin() + static_cast<std::ptrdiff_t>(bytes));
    const auto again = GetParam().again(cut);
    ASSERT_FALSE(again) << bytes;
    EXPECT_EQ(again.error().code, Code::corrupt) << bytes;
  }
}

TEST_P(CatalogFormat, BytesAfterTheEndAreCorrupt) {
  Bytes longer = GetParam().example;
  longer.push_back(std::byte{0});
  const auto again = GetParam().again(longer);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::corrupt);
}

TEST_P(CatalogFormat, EveryFlippedBitIsRefusedOrAnotherValidRecord) {
  for (std::size_t bit = 0; bit < 8 * GetParam().example.size(); ++bit) {
    Bytes flipped = GetParam().example;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto again = GetParam().again(flipped);
    EXPECT_TRUE(!again || *again == flipped) << "bit " << bit << " was lost";
    // Nothing in the header may be something else.
    EXPECT_TRUE(bit / 8 >= sizeof(wire::Header) || !again) << "bit " << bit;
  }
}

TEST_P(CatalogFormat, AnotherVersionIsIncompatibleAndNamed) {
  Bytes newer = GetParam().example;
  newer[offsetof(wire::Header, version)] = std::byte{99};
  const auto again = GetParam().again(newer);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::incompatible);
  EXPECT_NE(again.error().message.find("version 99"), std::string::npos);
  EXPECT_NE(again.error().message.find("version 3"), std::string::npos);
}

TEST_P(CatalogFormat, ARecordOfAnotherKindIsCorrupt) {
  for (const auto& other : kinds())
    EXPECT_EQ(GetParam().again(other.example).ok(), other.name == GetParam().name) << other.name;
}

TEST(CatalogFormatWindow, ACountThatTheInputDoesNotJustifyIsRefused) {
  Bytes huge = encode(a_window());
  for (std::size_t byte = 0; byte < 8; ++byte) huge[offsetof(wire::Window, region_count) + byte] = std::byte{0xff};
  EXPECT_FALSE(decode_window(huge));
  Bytes nodes = encode(a_window());
  for (std::size_t byte = 0; byte < 4; ++byte) nodes[offsetof(wire::Window, node_count) + byte] = std::byte{0xff};
  EXPECT_FALSE(decode_window(nodes));
}

TEST(CatalogFormatWindow, ARegionThatEndsBeyondTheNumbersIsRefused) {
  WindowRecord record = a_window();
  record.regions[0].offset_bytes = ~std::uint64_t{0};
  EXPECT_FALSE(decode_window(encode(record)));
}

TEST(CatalogFormatAllocation, OneThatEndsBeyondTheNumbersIsRefused) {
  AllocationRecord record = an_allocation();
  record.offset_bytes = ~std::uint64_t{0};
  EXPECT_FALSE(decode_allocation(encode(record)));
  record = an_allocation();
  record.root_offset_bytes = ~std::uint64_t{0};
  EXPECT_FALSE(decode_allocation(encode(record)));
}

TEST(CatalogFormatWindow, ARegionOnANodeThatIsNotListedIsRefused) {
  WindowRecord record = a_window();
  record.regions[0].node = 2;
  EXPECT_FALSE(decode_window(encode(record)));
}

TEST(CatalogFormatWindow, AWindowWithoutAnythingIsValid) {
  const WindowRecord empty;
  const auto again = decode_window(encode(empty));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, empty);
}

TEST(Uuid, RandomOnesDiffer) {
  std::set<Uuid> seen;
  for (int count = 0; count < 100; ++count) seen.insert(random_uuid());
  EXPECT_EQ(seen.size(), 100U);
}

TEST(Uuid, IsPrintedAsThirtyTwoDigits) { EXPECT_EQ(to_string(uuid_from(0x08)), "08090a0b0c0d0e0f1011121314151617"); }

}  // namespace
}  // namespace psnam::format
