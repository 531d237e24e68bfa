// Golden files of managed checkpoints: a series page and a copy.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "checkpoint/layout.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/series.hpp"
#include "format/checkpoint_page.hpp"
#include "parity/code.hpp"

namespace psnam::format {
namespace {

using Bytes = std::vector<std::byte>;

std::string path_of(const std::string& kind, std::uint32_t version) {
  return std::string{PSNAM_GOLDEN_FOLDER} + "/checkpoint-" + kind + ".v" + std::to_string(version) + ".bin";
}

Bytes golden(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  EXPECT_TRUE(file) << path;
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

Bytes golden(const std::string& kind, const Bytes& example) {
  const std::string path = path_of(kind, kCheckpointVersion);
  if (std::getenv("PSNAM_WRITE_GOLDEN") != nullptr)
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(example.data()),
                                                static_cast<std::streamsize>(example.size()));
  return golden(path);
}

checkpoint::Series example_series() {
  checkpoint::Series series;
  series.name = "simulation";
  series.sets = 2;
  series.parities = 3;
  series.block_bytes = 65536;
  series.set_of = {0, 1, 0, 1, 1};
  for (std::size_t i = 0; i < 16; ++i) series.id.bytes[i] = static_cast<std::uint8_t>(0x10 + i);
  return series;
}

/// Small blocks, so that the file is small.
constexpr std::uint32_t kBlock = 512;
const checkpoint::CopyOwner kOwner{.series = {{1, 2, 3}}, .ranks = 4, .rank = 2};
constexpr checkpoint::VersionKey kKey{17, 1700000000000000000};

TEST(CheckpointFormat, TheSeriesPageIsThatOfTheGoldenFile) {
  checkpoint::Series series = example_series();
  series.partner_of = {1, 2, 3, 4, 0};
  series.former.bytes = {9, 8, 7};
  series.newest = 33;
  const Bytes page = golden("series", checkpoint::encode(series));
  const auto read = checkpoint::decode_series(page);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, series);
  EXPECT_EQ(checkpoint::encode(series), page);
}

TEST(CheckpointFormat, TheCopyIsThatOfTheGoldenFile) {
  Bytes small(5, std::byte{0x11}), large(2 * kBlock + 7, std::byte{0x22});
  const checkpoint::Regions regions{{3, small}, {4, large}};
  // A column of three, beside others, and a number that all have.
  const checkpoint::Parts parts{
      {3, {.share = checkpoint::Share::shared, .element_bytes = 0, .extents = {}}},
      {4, {.share = checkpoint::Share::part, .element_bytes = 1, .extents = {{2000, 1031, 0}, {3, 1, 2}}}}};
  const checkpoint::Layout layout{regions, kBlock, parts};
  const CheckpointCopyShape shape{layout.payload_bytes(), kBlock};
  // Whole pages, for the alignment of the mapping that it is elsewhere.
  alignas(64) std::array<std::byte, 16384> memory{};
  ASSERT_LE(shape.bytes(), memory.size());
  const checkpoint::CopyView copy{std::span{memory}.first(shape.bytes()), kOwner};
  const auto payload = copy.room(layout.payload_bytes(), kBlock);
  layout.pack(payload.data());
  for (const auto& piece : layout.pieces(payload.data())) std::ranges::copy(piece.bytes, piece.copy_to);
  std::vector<std::uint32_t> row;
  for (std::size_t at = 0; at < payload.size(); at += kBlock)
    row.push_back(parity::checksum(payload.subspan(at, std::min<std::size_t>(kBlock, payload.size() - at))));
  copy.commit(kKey, payload.size(), kBlock, row.data());
  copy.confirm();
  const Bytes written(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(shape.bytes()));
  const Bytes file = golden("copy", written);
  EXPECT_EQ(written, file);
  std::ranges::copy(file, memory.begin());
  EXPECT_EQ(copy.version(), kKey);
  EXPECT_TRUE(copy.confirmed());
  EXPECT_EQ(copy.count_damaged(), 0U);
  const auto saved = checkpoint::read_table(copy.payload());
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_TRUE(checkpoint::check_regions(*saved, regions));
  for (const auto& [id, part] : parts) EXPECT_EQ(saved->at(id).part, part);
}

TEST(CheckpointFormat, WhatVersion1HasWrittenIsRead) {
  const auto series = checkpoint::decode_series(golden(path_of("series", 1)));
  ASSERT_TRUE(series) << series.error().message;
  EXPECT_EQ(*series, example_series());
  alignas(64) std::array<std::byte, 16384> memory{};
  const Bytes file = golden(path_of("copy", 1));
  ASSERT_LE(file.size(), memory.size());
  std::ranges::copy(file, memory.begin());
  const checkpoint::CopyView copy{std::span{memory}.first(file.size()), kOwner};
  EXPECT_EQ(copy.version(), kKey);
  EXPECT_FALSE(copy.confirmed());
  EXPECT_EQ(copy.count_damaged(), 0U);
  const auto saved = checkpoint::read_table(copy.payload());
  ASSERT_TRUE(saved) << saved.error().message;
  Bytes small(5), large(2 * kBlock + 7);
  EXPECT_TRUE(checkpoint::check_regions(*saved, {{3, small}, {4, large}}));
  for (const auto& [id, one] : *saved) EXPECT_EQ(one.part, checkpoint::Part{});
}

}  // namespace
}  // namespace psnam::format
