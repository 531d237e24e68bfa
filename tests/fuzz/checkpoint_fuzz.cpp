// libFuzzer: what checkpoints leave in memory, and somebody has changed. The first byte says what the others are:
//
//   0 to 2: any bytes, as a series page, a copy, a payload: refused, or read within their bounds
//   3:      any bytes over the header of a parity area, with a checksum that holds
//   4:      any bytes over a slot of a parity area, somewhere, with a commit record whose checksum holds
//   5 to 7: one to three bits, which CRC32C finds wherever they are, of a good page, copy, area: never believed
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <span>
#include <vector>

#include "checkpoint/layout.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/series.hpp"
#include "format/checkpoint_page.hpp"
#include "format/parity_page.hpp"
#include "parity/area.hpp"
#include "parity/encode.hpp"

using namespace psnam;
using namespace psnam::checkpoint;

namespace {

constexpr std::uint32_t kBlock = 512;
constexpr std::uint64_t kBytes = 3 * kBlock + 17;
const CopyOwner kOwner{.series = {{1, 2, 3}}, .ranks = 4, .rank = 2};

void require(bool condition) {
  if (!condition) std::abort();
}

/// Memory as a mapping has it: at the beginning of a page, and nothing after its end.
class Image {
 public:
  explicit Image(std::size_t bytes)
      : bytes_{bytes}, memory_{static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096))} {
    std::memset(memory_.get(), 0, bytes);
  }
  Image(const Image& other) : Image{other.bytes_} { std::memcpy(memory_.get(), other.memory_.get(), bytes_); }
  Image& operator=(const Image&) = delete;
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {memory_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte[], Free> memory_;
};

std::vector<std::byte> data_of(std::uint64_t bytes, unsigned salt) {
  std::vector<std::byte> data(bytes);
  for (std::size_t at = 0; at < bytes; ++at) data[at] = static_cast<std::byte>(at * 7 + salt);
  return data;
}

const Series& good_series() {
  static const Series series{
      .id = {{9, 8}}, .name = "mine", .sets = 2, .parities = 1, .block_bytes = kBlock, .set_of = {0, 1, 0, 1, 0}};
  return series;
}

Image good_page() {
  const auto page = encode(good_series());
  Image image{page.size()};
  std::ranges::copy(page, image.bytes().begin());
  return image;
}

Image good_copy() {
  Image image{format::CheckpointCopyShape{kBytes, kBlock}.bytes()};
  const CopyView view{image.bytes(), kOwner};
  const auto room = view.room(kBytes, kBlock);
  std::ranges::copy(data_of(kBytes, 3), room.begin());
  std::vector<std::uint32_t> row;
  for (std::size_t at = 0; at < room.size(); at += kBlock)
    row.push_back(parity::checksum(room.subspan(at, std::min<std::size_t>(kBlock, room.size() - at))));
  view.commit({7, 99}, kBytes, kBlock, row.data());
  return image;
}

/// Two versions, of which the older is in slot 0.
Image good_area() {
  Image image{*parity::bytes_needed(2, kBytes, 1, kBlock)};
  parity::Area area = *parity::Area::create(image.bytes(), {2, 1, kBytes, kBlock, {7}, "fuzz"});
  for (unsigned version = 1; version <= 2; ++version) {
    auto first = data_of(kBytes, version), second = data_of(kBlock + 5, version + 9);
    parity::Buffers buffers{{first, second}};
    require(parity::encode_all(area, version, buffers.sizes(), buffers).ok());
  }
  return image;
}

void read_copy(std::span<std::byte> memory) {
  const CopyView view{memory, kOwner};
  require(view.payload().empty() || view.version());
  require(view.whole().size() <= memory.size());
  require(view.damaged_blocks().size() <= memory.size());
}

void read_payload(std::span<const std::byte> bytes) {
  const auto saved = read_table(bytes);
  if (!saved) return;
  for (const auto& [id, one] : *saved)
    for (const auto part : {one.whole, one.rest})
      require(part.empty() ||
              (part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size()));
}

void read_area(std::span<std::byte> memory) {
  const auto area = parity::Area::open(memory);
  if (!area) return;
  require(area->shape().bytes() <= memory.size());
  for (const parity::Version& version : area->versions()) {
    require(version.longest_bytes <= area->shape().capacity_bytes);
    require(area->verify(version).size() <= area->shape().blocks() * area->shape().parities);
  }
}

void over_the_header(std::span<const std::byte> bytes) {
  const Image image{good_area()};
  format::ParityHeader header{};
  std::memcpy(&header, image.bytes().data(), sizeof header);
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
  header.magic = format::kParityMagic;
  header.version = header.slots == 0 ? format::kParityTwoSlotsVersion : format::kParityVersion;
  header.checksum =
      parity::checksum(std::as_bytes(std::span{&header, 1}).first(offsetof(format::ParityHeader, checksum)));
  std::memcpy(image.bytes().data(), &header, sizeof header);
  read_area(image.bytes());
}

void over_a_slot(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return;
  const Image image{good_area()};
  const parity::Area area = *parity::Area::open(image.bytes());
  const format::ParityShape& shape = area.shape();
  std::uint16_t at = 0;
  std::memcpy(&at, bytes.data(), sizeof at);
  const std::size_t slot = static_cast<std::size_t>(bytes[2]) % format::kParityMinSlots;
  const auto place = image.bytes().subspan(shape.slots_offset() + slot * shape.slot_bytes(), shape.slot_bytes());
  const auto rest = bytes.subspan(3);
  const std::size_t offset = at % place.size();
  std::memcpy(place.data() + offset, rest.data(), std::min(rest.size(), place.size() - offset));
  format::ParityCommit record{};
  std::memcpy(&record, place.data() + format::ParityShape::commit_offset(), sizeof record);
  record.magic = format::kParityCommitMagic;
  record.checksum =
      parity::checksum(std::as_bytes(std::span{&record, 1}).first(offsetof(format::ParityCommit, checksum)));
  std::memcpy(place.data() + format::ParityShape::commit_offset(), &record, sizeof record);
  read_area(image.bytes());
}

/// Flips up to three bits; where.
std::set<std::size_t> flip(std::span<std::byte> memory, std::span<const std::byte> bytes) {
  std::set<std::size_t> bits;
  for (std::size_t which = 0; which < 3 && bytes.size() >= (which + 1) * sizeof(std::uint32_t); ++which) {
    std::uint32_t bit = 0;
    std::memcpy(&bit, bytes.data() + which * sizeof bit, sizeof bit);
    bits.insert(bit % (memory.size() * 8));
  }
  for (const std::size_t bit : bits) memory[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
  return bits;
}

void flipped_page(std::span<const std::byte> bytes) {
  const Image image{good_page()};
  const auto bits = flip(image.bytes(), bytes);
  auto read = decode_series(image.bytes());
  // Behind the table is the number of the newest version, which changes and is in no checksum.
  const std::size_t protected_bits =
      8 * (sizeof(format::CheckpointSeriesHeader) + good_series().set_of.size() * sizeof(std::uint32_t));
  const bool intact = std::ranges::all_of(bits, [&](std::size_t bit) { return bit >= protected_bits; });
  require(read.ok() == intact);
  if (!read) return;
  read->newest = good_series().newest;
  require(*read == good_series());
}

void flipped_copy(std::span<const std::byte> bytes) {
  const Image image{good_copy()};
  const format::CheckpointCopyShape shape{kBytes, kBlock};
  bool believed = true;
  std::set<std::uint64_t> blocks;
  for (const std::size_t bit : flip(image.bytes(), bytes)) {
    const std::size_t at = bit / 8;
    if (at < sizeof(format::CheckpointCopyHeader) ||
        (at >= format::CheckpointCopyShape::row_at() &&
         at < format::CheckpointCopyShape::row_at() + shape.blocks() * sizeof(std::uint32_t)))
      believed = false;
    if (at >= shape.payload_at()) blocks.insert((at - shape.payload_at()) / kBlock);
  }
  const CopyView view{image.bytes(), kOwner};
  require(view.version() == (believed ? VersionKey{7, 99} : VersionKey{}));
  if (believed) require(std::ranges::equal(view.damaged_blocks(), blocks));
}

void flipped_area(std::span<const std::byte> bytes) {
  const Image image{good_area()};
  const auto bits = flip(image.bytes(), bytes);
  const auto area = parity::Area::open(image.bytes());
  const bool in_header =
      std::ranges::any_of(bits, [](std::size_t bit) { return bit / 8 < sizeof(format::ParityHeader); });
  require(area.ok() == !in_header);
  if (!area) return;
  const format::ParityShape& shape = area->shape();
  for (const parity::Version& version : area->versions()) {
    // What is believed is what was written.
    require(version.slot < format::kParityMinSlots && version.number == version.slot + 1);
    require(version.sizes == std::vector<std::uint64_t>{kBytes, kBlock + 5});
    std::set<std::uint64_t> blocks;
    const std::size_t parity = shape.slots_offset() + version.slot * shape.slot_bytes() + shape.parity_offset();
    for (const std::size_t bit : bits)
      if (bit / 8 >= parity && bit / 8 < parity + shape.parity_bytes()) blocks.insert((bit / 8 - parity) / kBlock);
    const auto bad = area->verify(version);
    require(std::ranges::equal(bad, blocks, {}, &parity::BadBlock::block));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span{data, size}).subspan(1);
  const Image any{std::max<std::size_t>(bytes.size(), 1)};
  std::ranges::copy(bytes, any.bytes().begin());
  switch (data[0] % 8) {
    case 0:
      static_cast<void>(decode_series(any.bytes().first(bytes.size())));
      break;
    case 1:
      read_copy(any.bytes().first(bytes.size()));
      break;
    case 2:
      read_payload(any.bytes().first(bytes.size()));
      break;
    case 3:
      over_the_header(bytes);
      break;
    case 4:
      over_a_slot(bytes);
      break;
    case 5:
      flipped_page(bytes);
      break;
    case 6:
      flipped_copy(bytes);
      break;
    default:
      flipped_area(bytes);
  }
  return 0;
}
