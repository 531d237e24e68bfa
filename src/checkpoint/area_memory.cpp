#include "checkpoint/area_memory.hpp"

#include <fmt/format.h>

#include <array>

#include "base/log.hpp"

namespace psnam::checkpoint {
namespace {

Result<std::array<format::ProcessIdentity, 1>> this_user(nam::Service& nam) {
  PSNAM_TRY(const format::ProcessIdentity me, nam.user(0));
  return std::array{me};
}

Result<nam::Memory> map(nam::Service& nam, const format::AllocationRecord& record) {
  PSNAM_TRY(nam::Memory memory,
            nam.open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_write));
  if (memory.remote)
    return Error{
        Code::unsupported,
        fmt::format("NAM {} is reached over the fabric: parity is made where its memory is mapped", record.nam_index)};
  return memory;
}

}  // namespace

/// `place` makes the area in the mapped memory. The use ends if it cannot.
template <class Place>
Result<std::shared_ptr<AreaMemory>> AreaMemory::over(ServicePointer nam, nam::AllocationUse use, Place place) {
  auto made = [&]() -> Result<std::shared_ptr<AreaMemory>> {
    PSNAM_TRY(nam::Memory memory, map(*nam, use.allocation));
    PSNAM_TRY(parity::Area area, place(std::span{memory.mapping.data(), memory.mapping.bytes()}));
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
            parity::bytes_needed(spec.members, spec.capacity_bytes, spec.parities, spec.block_bytes));
  request.kind = format::AllocationKind::checkpoint;
  request.name = std::move(allocation_name);
  PSNAM_TRY(const auto users, this_user(*nam));
  PSNAM_TRY(nam::AllocationUse use, nam->allocate(request, users));
  return over(std::move(nam), std::move(use),
              [&](std::span<std::byte> memory) { return parity::Area::create(memory, spec); });
}

Result<std::shared_ptr<AreaMemory>> AreaMemory::connect(ServicePointer nam, const AreaTicket& ticket) {
  PSNAM_TRY(const auto users, this_user(*nam));
  PSNAM_TRY(nam::AllocationUse use,
            nam->open_allocation(ticket.allocation_id, ticket.challenge, nam::AccessRight::read_write, users));
  return over(std::move(nam), std::move(use), [](std::span<std::byte> memory) { return parity::Area::open(memory); });
}

AreaMemory::~AreaMemory() {
  if (const Status closed = nam_->close(use_.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use_.allocation.id, closed.error().message);
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
