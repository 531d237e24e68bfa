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

Bytes golden(const std::string& kind, const Bytes& example) {
  const std::string path =
      std::string{PSNAM_GOLDEN_FOLDER} + "/checkpoint-" + kind + ".v" + std::to_string(kCheckpointVersion) + ".bin";
  if (std::getenv("PSNAM_WRITE_GOLDEN") != nullptr)
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(example.data()),
                                                static_cast<std::streamsize>(example.size()));
  std::ifstream file{path, std::ios::binary};
  EXPECT_TRUE(file) << path;
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

TEST(CheckpointFormat, TheSeriesPageIsThatOfTheGoldenFile) {
  checkpoint::Series series{
      .id = {}, .name = "simulation", .sets = 2, .parities = 3, .block_bytes = 65536, .set_of = {0, 1, 0, 1, 1}};
  for (std::size_t i = 0; i < 16; ++i) series.id.bytes[i] = static_cast<std::uint8_t>(0x10 + i);
  const Bytes page = golden("series", checkpoint::encode(series));
  const auto read = checkpoint::decode_series(page);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, series);
  EXPECT_EQ(checkpoint::encode(series), page);
}

/// Small blocks, so that the file is small.
TEST(CheckpointFormat, TheCopyIsThatOfTheGoldenFile) {
  constexpr std::uint32_t kBlock = 512;
  Bytes small(5, std::byte{0x11}), large(2 * kBlock + 7, std::byte{0x22});
  const checkpoint::Regions regions{{3, small}, {4, large}};
  const checkpoint::Layout layout{regions, kBlock};
  const CheckpointCopyShape shape{layout.payload_bytes(), kBlock};
  // Whole pages, for the alignment of the mapping that it is elsewhere.
  alignas(64) std::array<std::byte, 16384> memory{};
  ASSERT_LE(shape.bytes(), memory.size());
  const checkpoint::CopyOwner owner{.series = {{1, 2, 3}}, .ranks = 4, .rank = 2};
  const checkpoint::CopyView copy{std::span{memory}.first(shape.bytes()), owner};
  const auto payload = copy.room(layout.payload_bytes(), kBlock);
  layout.pack(payload.data());
  for (const auto& piece : layout.pieces(payload.data())) std::ranges::copy(piece.bytes, piece.copy_to);
  std::vector<std::uint32_t> row;
  for (std::size_t at = 0; at < payload.size(); at += kBlock)
    row.push_back(parity::checksum(payload.subspan(at, std::min<std::size_t>(kBlock, payload.size() - at))));
  copy.commit({17, 1700000000000000000}, payload.size(), kBlock, row.data());
  const Bytes written(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(shape.bytes()));
  const Bytes file = golden("copy", written);
  EXPECT_EQ(written, file);
  std::ranges::copy(file, memory.begin());
  EXPECT_EQ(copy.version(), (checkpoint::VersionKey{17, 1700000000000000000}));
  EXPECT_EQ(copy.count_damaged(), 0U);
  const auto saved = checkpoint::read_table(copy.payload());
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_TRUE(checkpoint::check_regions(*saved, regions));
}

}  // namespace
}  // namespace psnam::format
