#include "checkpoint/area_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/log.hpp"

namespace psnam::checkpoint {
namespace {

Result<std::array<format::ProcessIdentity, 1>> this_user(nam::Service& nam) {
  PSNAM_TRY(const format::ProcessIdentity me, nam.user(0));
  return std::array{me};
}

/// Memory of this process that takes room only where something was written to it.
Result<Mapping> sparse_memory(std::uint64_t bytes) {
  const Fd file{::memfd_create("psnam-area", MFD_CLOEXEC)};
  if (!file.valid()) return system_error("making memory for what is known of a parity area", errno);
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return system_error("making room for what is known of a parity area", errno);
  return Mapping::map(file.get(), bytes, Protection::read_write, "what is known of a parity area");
}

Result<nam::Memory> open_memory(nam::Service& nam, const format::AllocationRecord& record) {
  PSNAM_TRY(nam::Memory memory,
            nam.open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_write));
  if (memory.remote) {
    PSNAM_TRY(memory.mapping, sparse_memory(record.size_bytes));
  }
  return memory;
}

backends::Piece piece_of(const nam::Memory& memory, std::uint64_t offset, std::uint64_t bytes) {
  return {offset, memory.mapping.data() + offset, static_cast<std::size_t>(bytes)};
}

std::uint64_t slot_offset(const format::ParityShape& shape, std::size_t slot) {
  return shape.slots_offset() + slot * shape.slot_bytes();
}

Status complete(const nam::Memory& memory, Status started) {
  Status flushed = memory.remote->flush();
  return started ? std::move(flushed) : std::move(started);
}

Status read(const nam::Memory& memory, std::span<const backends::Piece> pieces) {
  return complete(memory, memory.remote->read(pieces));
}

Status write(const nam::Memory& memory, std::span<const backends::Piece> pieces) {
  return complete(memory, memory.remote->write(pieces));
}

/// The first bytes of each slot.
std::vector<backends::Piece> slot_pieces(const nam::Memory& memory, const format::ParityShape& shape,
                                         std::uint64_t bytes) {
  std::vector<backends::Piece> pieces;
  for (std::size_t slot = 0; slot < shape.slots; ++slot)
    pieces.push_back(piece_of(memory, slot_offset(shape, slot), bytes));
  return pieces;
}

Status read_tables(const nam::Memory& memory, const format::ParityShape& shape) {
  return read(memory, slot_pieces(memory, shape, shape.parity_offset()));
}

/// Header first: where the tables are it says.
Result<parity::Area> read_area(const nam::Memory& memory) {
  if (memory.remote) {
    const auto head = std::min<std::uint64_t>(memory.mapping.bytes(), sizeof(format::ParityHeader));
    PSNAM_CHECK(read(memory, std::array{piece_of(memory, 0, head)}));
  }
  PSNAM_TRY(parity::Area area, parity::Area::open({memory.mapping.data(), memory.mapping.bytes()}));
  if (memory.remote) PSNAM_CHECK(read_tables(memory, area.shape()));
  return area;
}

/// The header last: without it there is no area.
Result<parity::Area> make_area(const nam::Memory& memory, const parity::AreaSpec& spec) {
  PSNAM_TRY(parity::Area area, parity::Area::create({memory.mapping.data(), memory.mapping.bytes()}, spec));
  if (!memory.remote) return area;
  const format::ParityShape& shape = area.shape();
  PSNAM_CHECK(write(memory, slot_pieces(memory, shape, shape.rows_offset())));
  PSNAM_CHECK(write(memory, std::array{piece_of(memory, 0, sizeof(format::ParityHeader))}));
  return area;
}

}  // namespace

/// `place` makes or finds the area in the memory. The use ends if it cannot.
template <class Place>
Result<std::shared_ptr<AreaMemory>> AreaMemory::over(ServicePointer nam, nam::AllocationUse use, Place place) {
  auto made = [&]() -> Result<std::shared_ptr<AreaMemory>> {
    PSNAM_TRY(nam::Memory memory, open_memory(*nam, use.allocation));
    PSNAM_TRY(parity::Area area, place(memory));
    return std::shared_ptr<AreaMemory>{new AreaMemory{nam, use, std::move(memory), std::move(area)}};
  }();
  if (made) return made;
  if (const Status closed = nam->close(use.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use.allocation.id, closed.error().message);
  return made.take_error();
}

Result<std::shared_ptr<AreaMemory>> AreaMemory::allocate(ServicePointer nam, const parity::AreaSpec& spec,
                                                         std::string allocation_name) {
  nam::AllocationRequest request;
  PSNAM_TRY(request.size_bytes,
            parity::bytes_needed(spec.members, spec.capacity_bytes, spec.parities, spec.block_bytes, spec.slots));
  request.kind = format::AllocationKind::checkpoint;
  request.name = std::move(allocation_name);
  PSNAM_TRY(const auto users, this_user(*nam));
  PSNAM_TRY(nam::AllocationUse use, nam->allocate(request, users));
  return over(std::move(nam), std::move(use), [&](const nam::Memory& memory) { return make_area(memory, spec); });
}

Result<std::shared_ptr<AreaMemory>> AreaMemory::connect(ServicePointer nam, const AreaTicket& ticket) {
  PSNAM_TRY(const auto users, this_user(*nam));
  PSNAM_TRY(nam::AllocationUse use,
            nam->open_allocation(ticket.allocation_id, ticket.challenge, nam::AccessRight::read_write, users));
  return over(std::move(nam), std::move(use), read_area);
}

AreaMemory::~AreaMemory() {
  if (const Status closed = nam_->close(use_.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use_.allocation.id, closed.error().message);
}

Status AreaMemory::refresh() { return mapped() ? Status{} : read_tables(memory_, area_.shape()); }

Status AreaMemory::drop(const parity::Version& version) {
  area_.drop(version);
  if (mapped()) return {};
  const std::uint64_t record = slot_offset(area_.shape(), version.slot) + format::ParityShape::commit_offset();
  return write(memory_, std::array{piece_of(memory_, record, sizeof(format::ParityCommit))});
}

Status AreaMemory::keep() {
  PSNAM_CHECK(nam_->set_allocation_consistency(use_.allocation.id, format::Consistency::persistent));
  use_.allocation.consistency = format::Consistency::persistent;
  return {};
}

Status AreaMemory::release() {
  if (use_.allocation.consistency != format::Consistency::persistent) return {};  // goes with its last use
  auto gone = nam_->free_allocation(use_.allocation.id, false);
  // Somebody else has freed it before.
  if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  return {};
}

}  // namespace psnam::checkpoint
