// Making and opening an area, and where its parts are. Its versions: area_slots.cpp.
#include "parity/area.hpp"

#include <fmt/format.h>

#include <cstring>

#include "format/wire.hpp"

namespace psnam::parity {
namespace {

using format::ParityHeader;
using format::ParityShape;

std::uint32_t header_checksum(const ParityHeader& header) noexcept {
  return checksum(std::as_bytes(std::span{&header, 1}).first(offsetof(ParityHeader, checksum)));
}

Status check_shape(const ParityShape& shape) {
  if (const auto code = Code::make(shape.members, shape.parities); !code) return Error{code.error()};
  if (shape.valid()) return {};
  return Error{
      psnam::Code::invalid_argument,
      fmt::format("a parity area for {} bytes a member in blocks of {}: a block is a power of two from {} to {}, "
                  "and a member has at most {} bytes and 2^32 - 129 blocks; it keeps {} versions of {} to {}",
                  shape.capacity_bytes, shape.block_bytes, format::kParityMinBlock, format::kParityMaxBlock,
                  format::kParityMaxCapacity, shape.slots, format::kParityMinSlots, format::kParityMaxSlots)};
}

Error corrupt(std::string what) { return Error{psnam::Code::corrupt, "parity area: " + std::move(what)}; }

ParityShape shape_of(const ParityHeader& header) {
  const bool says_slots = header.version != format::kParityTwoSlotsVersion;
  return {header.members, header.parities, header.block_bytes, header.capacity_bytes,
          says_slots ? header.slots : format::kParityMinSlots};
}

Status check_header(const ParityHeader& header, std::size_t bytes) {
  if (header.magic != format::kParityMagic)
    return corrupt(fmt::format("it begins with {:#010x} instead of {:#010x}", header.magic, format::kParityMagic));
  if (header.version != format::kParityTwoSlotsVersion && header.version != format::kParityVersion)
    return Error{psnam::Code::incompatible,
                 fmt::format("parity area of format version {}, this library speaks version {} and {}", header.version,
                             format::kParityTwoSlotsVersion, format::kParityVersion)};
  if (const std::uint32_t is = header_checksum(header); is != header.checksum)
    return corrupt(fmt::format("checksum of the header is {:#010x}, it says {:#010x}", is, header.checksum));
  if (header.matrix != static_cast<std::uint32_t>(format::ParityMatrix::cauchy))
    return Error{psnam::Code::incompatible, fmt::format("parity area: unknown generator matrix {}", header.matrix)};
  const ParityShape shape = shape_of(header);
  if (const Status fits = check_shape(shape); !fits) return corrupt(fits.error().message);
  if (header.version != shape.format_version())
    return corrupt(fmt::format("it is of format version {} and keeps {} versions", header.version, shape.slots));
  if (header.bytes != shape.bytes())
    return corrupt(fmt::format("its header says {} bytes, its shape makes {}", header.bytes, shape.bytes()));
  if (header.bytes > bytes) return corrupt(fmt::format("it takes {} bytes, the memory has {}", header.bytes, bytes));
  if (std::memchr(header.name, 0, sizeof header.name) == nullptr) return corrupt("its name has no end");
  return {};
}

Status check_memory(std::span<std::byte> memory, std::uint64_t needed) {
  if (memory.data() == nullptr || reinterpret_cast<std::uintptr_t>(memory.data()) % format::kParityLine != 0)
    return Error{psnam::Code::buffer, fmt::format("a parity area at {} is not aligned to {}",
                                                  static_cast<const void*>(memory.data()), format::kParityLine)};
  if (memory.size() < needed)
    return Error{psnam::Code::size, fmt::format("a parity area of {} bytes in memory of {}", needed, memory.size())};
  return {};
}

}  // namespace

std::string describe(const BadBlock& bad, std::uint32_t members) {
  const bool data = bad.piece < members;
  return fmt::format("{} {} block {}", data ? "member" : "parity", data ? bad.piece : bad.piece - members, bad.block);
}

Result<std::uint64_t> bytes_needed(std::uint32_t members, std::uint64_t capacity_bytes, std::uint32_t parities,
                                   std::uint32_t block_bytes, std::uint32_t slots) {
  const ParityShape shape{members, parities, block_bytes, capacity_bytes, slots};
  PSNAM_CHECK(check_shape(shape));
  return shape.bytes();
}

Area::Area(std::byte* base, const ParityHeader& header, Code code)
    : base_{base}, shape_{shape_of(header)}, code_{std::move(code)}, name_{header.name} {
  std::ranges::copy(header.id, id_.begin());
}

Result<Area> Area::create(std::span<std::byte> memory, const AreaSpec& spec) {
  const ParityShape shape{spec.members, spec.parities, spec.block_bytes, spec.capacity_bytes, spec.slots};
  PSNAM_CHECK(check_shape(shape));
  PSNAM_CHECK(check_memory(memory, shape.bytes()));
  if (spec.name.size() >= format::kParityNameBytes || spec.name.find('\0') != std::string::npos)
    return Error{psnam::Code::invalid_argument,
                 fmt::format("name of a parity area: {} bytes; at most {}, none of them zero", spec.name.size(),
                             format::kParityNameBytes - 1)};
  PSNAM_TRY(Code code, Code::make(spec.members, spec.parities));
  // Without a header there is no area: whoever dies here leaves none.
  std::memset(memory.data(), 0, shape.tiles_offset());
  ParityHeader header{.magic = format::kParityMagic,
                      .version = shape.format_version(),
                      .bytes = shape.bytes(),
                      .members = spec.members,
                      .parities = spec.parities,
                      .block_bytes = spec.block_bytes,
                      .matrix = static_cast<std::uint32_t>(format::ParityMatrix::cauchy),
                      .capacity_bytes = spec.capacity_bytes,
                      .id = {},
                      .name = {},
                      .slots = shape.format_version() == format::kParityTwoSlotsVersion ? 0 : shape.slots,
                      .checksum = 0};
  std::ranges::copy(spec.id, header.id);
  std::ranges::copy(spec.name, header.name);
  header.checksum = header_checksum(header);
  Area area{memory.data(), header, std::move(code)};
  for (std::size_t slot = 0; slot < shape.slots; ++slot)
    std::memset(area.slot_base(slot), 0, sizeof(format::ParitySlotHeader) + sizeof(format::ParityCommit));
  std::atomic_thread_fence(std::memory_order_release);
  std::memcpy(memory.data(), &header, sizeof header);
  return area;
}

Result<Area> Area::open(std::span<std::byte> memory) {
  PSNAM_CHECK(check_memory(memory, 0));
  if (memory.size() < sizeof(ParityHeader))
    return corrupt(fmt::format("the memory has {} bytes, a header {}", memory.size(), sizeof(ParityHeader)));
  ParityHeader header{};
  std::memcpy(&header, memory.data(), sizeof header);
  PSNAM_CHECK(check_header(header, memory.size()));
  PSNAM_TRY(Code code, Code::make(header.members, header.parities));
  return Area{memory.data(), header, std::move(code)};
}

std::byte* Area::slot_base(std::size_t slot) const noexcept {
  return base_ + shape_.slots_offset() + slot * shape_.slot_bytes();
}

std::byte* Area::parity_block(std::size_t slot, std::uint32_t parity, std::uint64_t block) const noexcept {
  return slot_base(slot) + shape_.parity_offset() + parity * shape_.parity_bytes() + block * shape_.block_bytes;
}

std::uint32_t* Area::checksums(std::size_t slot, std::uint32_t piece) const noexcept {
  return reinterpret_cast<std::uint32_t*>(slot_base(slot) + shape_.rows_offset() + piece * shape_.row_bytes());
}

std::uint64_t* Area::sizes(std::size_t slot) const noexcept {
  return reinterpret_cast<std::uint64_t*>(slot_base(slot) + format::ParityShape::sizes_offset());
}

format::ParitySlotHeader& Area::slot_header(std::size_t slot) const noexcept {
  return *reinterpret_cast<format::ParitySlotHeader*>(slot_base(slot));
}

format::ParityCommit& Area::commit_record(std::size_t slot) const noexcept {
  return *reinterpret_cast<format::ParityCommit*>(slot_base(slot) + format::ParityShape::commit_offset());
}

format::ParityTeam& Area::team() const noexcept {
  return *reinterpret_cast<format::ParityTeam*>(base_ + format::ParityShape::team_offset());
}

format::ParitySeat& Area::seat(std::uint32_t member) const noexcept {
  return reinterpret_cast<format::ParitySeat*>(base_ + shape_.seats_offset())[member];
}

format::ParityTile& Area::tile(std::uint32_t index) const noexcept {
  return reinterpret_cast<format::ParityTile*>(base_ + shape_.states_offset())[index];
}

std::byte* Area::tile_block(std::uint32_t index, std::uint32_t output) const noexcept {
  return base_ + shape_.tiles_offset() + (std::size_t{index} * shape_.parities + output) * shape_.block_bytes;
}

}  // namespace psnam::parity
