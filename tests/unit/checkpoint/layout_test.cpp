#include "checkpoint/layout.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {
namespace {

constexpr std::uint32_t kBlock = 4096;

class LayoutOfRegions : public ::testing::Test {
 protected:
  std::vector<std::byte>& region(std::uint64_t id, std::size_t bytes) {
    std::vector<std::byte>& memory = memory_[id];
    memory.resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i) memory[i] = static_cast<std::byte>(i * 3 + id);
    regions_[id] = memory;
    return memory;
  }
  /// As a copy gets it.
  [[nodiscard]] std::vector<std::byte> payload() const {
    const Layout layout{regions_, kBlock};
    std::vector<std::byte> bytes(layout.payload_bytes(), std::byte{0xee});
    layout.pack(bytes.data());
    for (const parity::Piece& piece : layout.pieces(bytes.data()))
      std::memcpy(piece.copy_to, piece.bytes.data(), piece.bytes.size());
    return bytes;
  }

  std::map<std::uint64_t, std::vector<std::byte>> memory_;
  Regions regions_;
};

TEST_F(LayoutOfRegions, ComesBackAsItWas) {
  for (const std::size_t bytes : {0U, 1U, 4095U, 4096U, 4097U, 20'000U}) region(bytes, bytes);
  const auto before = memory_;
  const auto saved_bytes = payload();
  for (auto& [id, memory] : memory_) std::ranges::fill(memory, std::byte{0});
  const auto saved = read_table(saved_bytes);
  ASSERT_TRUE(saved) << saved.error().message;
  ASSERT_TRUE(check_regions(*saved, regions_));
  unpack(*saved, regions_);
  EXPECT_EQ(memory_, before);
}

TEST_F(LayoutOfRegions, WholeBlocksStayWhereTheyAreAndBeginAtABlock) {
  region(1, 10);
  const auto& large = region(2, 3 * kBlock + 5);
  const Layout layout{regions_, kBlock};
  EXPECT_EQ(layout.packed_bytes(), kBlock);
  EXPECT_EQ(layout.payload_bytes(), 4 * kBlock);
  std::vector<std::byte> place(layout.payload_bytes());
  const auto pieces = layout.pieces(place.data());
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].bytes.data(), large.data());
  EXPECT_EQ(pieces[0].bytes.size(), 3 * kBlock);
  EXPECT_EQ(pieces[0].copy_to, place.data() + kBlock);
}

TEST_F(LayoutOfRegions, ThatAreSmallArePackedWithoutFilling) {
  region(1, 10);
  const Layout layout{regions_, kBlock};
  EXPECT_EQ(layout.payload_bytes(), sizeof(format::CheckpointTable) + sizeof(format::CheckpointRegion) + 10);
}

TEST_F(LayoutOfRegions, OtherThanThoseSavedAreNamed) {
  region(1, 10);
  region(2, 20);
  const auto bytes = payload();
  const auto saved = read_table(bytes);
  ASSERT_TRUE(saved);
  Regions others = regions_;
  others.erase(2);
  EXPECT_EQ(check_regions(*saved, others).error().message, "region 2 of 20 bytes was saved and is not registered");
  others = regions_;
  others[2] = others[2].first(7);
  EXPECT_EQ(check_regions(*saved, others).error().message,
            "region 2 had 20 bytes when it was saved and is registered with 7");
  others = regions_;
  others[3] = {};
  EXPECT_EQ(check_regions(*saved, others).error().message, "region 3 of 0 bytes is registered and was not saved");
}

TEST_F(LayoutOfRegions, ATableThatLeadsOutIsRefusedWhateverByteIsChanged) {
  region(1, 10);
  region(2, 2 * kBlock + 1);
  const auto good = payload();
  const std::size_t table = sizeof(format::CheckpointTable) + 2 * sizeof(format::CheckpointRegion);
  for (std::size_t at = 0; at < table; ++at) {
    auto bytes = good;
    bytes[at] ^= std::byte{0x80};
    const auto saved = read_table(bytes);
    if (!saved) continue;
    // What is believed lies inside.
    for (const auto& [id, one] : *saved)
      for (const auto part : {one.whole, one.rest}) {
        if (part.empty()) continue;
        EXPECT_GE(part.data(), bytes.data());
        EXPECT_LE(part.data() + part.size(), bytes.data() + bytes.size());
      }
  }
  for (std::size_t length = 0; length < table; ++length) EXPECT_FALSE(read_table(std::span{good}.first(length)));
}

}  // namespace
}  // namespace psnam::checkpoint
