// A whole small area as a file: what this library writes is that, byte for byte but for the time, and what is in the
// file is read.
#include "format/parity_page.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "parity/encode.hpp"
#include "parity/rebuild.hpp"

namespace psnam::parity {
namespace {

constexpr std::uint64_t kTaken = 1'700'000'000'000'000'000;

std::vector<std::byte> member(std::size_t bytes, unsigned step) {
  std::vector<std::byte> data(bytes);
  for (std::size_t at = 0; at < bytes; ++at) data[at] = static_cast<std::byte>(at * step + at / 256);
  return data;
}

struct Memory {
  explicit Memory(std::size_t size) : bytes{new (std::align_val_t{64}) std::byte[size], size} {
    std::memset(bytes.data(), 0, size);
  }
  ~Memory() { ::operator delete[](bytes.data(), std::align_val_t{64}); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  std::span<std::byte> bytes;
};

/// Two versions of three members, in blocks of 512 bytes. What means nothing when nobody works is zero.
std::vector<std::byte> example() {
  Memory memory{*bytes_needed(3, 1200, 2, 512)};
  std::array<std::uint8_t, 16> id{};
  for (std::uint8_t at = 0; at < 16; ++at) id[at] = at;
  auto area = Area::create(memory.bytes, {3, 2, 1200, 512, id, "golden"});
  EXPECT_TRUE(area);
  for (const unsigned version : {1U, 2U}) {
    std::vector<std::vector<std::byte>> data{member(1200, version), member(0, 1), member(700, version + 2)};
    Buffers buffers{std::vector<std::span<std::byte>>(data.begin(), data.end())};
    EncodeOptions options;
    options.note[0] = static_cast<std::uint8_t>(version);
    EXPECT_TRUE(encode_all(*area, version, buffers.sizes(), buffers, options));
    area->slot_header(version - 1).taken_ns = kTaken;
    area->write_commit({0, version, version - 1}, buffers.sizes());
  }
  const auto& shape = area->shape();
  std::memset(memory.bytes.data() + shape.team_offset(), 0, shape.slots_offset() - shape.team_offset());
  return {memory.bytes.begin(), memory.bytes.end()};
}

TEST(ParityFormat, GoldenFileIsWhatIsWrittenAndIsRead) {
  const std::string path = std::string{PSNAM_GOLDEN_FOLDER} + "/parity-area.v1.bin";
  const std::vector<std::byte> now = example();
  if (std::getenv("PSNAM_WRITE_GOLDEN") != nullptr)
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(now.data()),
                                                static_cast<std::streamsize>(now.size()));
  std::ifstream file{path, std::ios::binary};
  ASSERT_TRUE(file) << path;
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto golden = std::as_bytes(std::span{text});
  ASSERT_EQ(golden.size(), now.size());
  EXPECT_TRUE(std::ranges::equal(golden, now)) << "the values in the golden file changed their place or meaning";

  Memory memory{golden.size()};
  std::ranges::copy(golden, memory.bytes.begin());
  auto area = Area::open(memory.bytes);
  ASSERT_TRUE(area) << area.error().message;
  EXPECT_EQ(area->name(), "golden");
  const auto version = area->newest();
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->number, 2U);
  EXPECT_EQ(version->taken_ns, kTaken);
  EXPECT_EQ(version->note[0], 2);
  EXPECT_EQ(version->sizes, (std::vector<std::uint64_t>{1200, 0, 700}));
  std::vector<std::vector<std::byte>> data{std::vector<std::byte>(1200), {}, std::vector<std::byte>(700)};
  Buffers buffers{std::vector<std::span<std::byte>>(data.begin(), data.end())};
  RebuildReport report;
  const std::vector<std::uint32_t> lost{0, 2};
  ASSERT_TRUE(rebuild_all(*area, *version, lost, buffers, buffers, report));
  EXPECT_EQ(data[0], member(1200, 2));
  EXPECT_EQ(data[2], member(700, 4));
}

}  // namespace
}  // namespace psnam::parity
