#include "checkpoint/set_areas.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "checkpoint/names.hpp"

namespace psnam::checkpoint {
namespace {

AreaTicket ticket_of(const AreaPointer& memory) { return memory ? memory->ticket() : AreaTicket{}; }

std::optional<parity::Version> version_in(const AreaPointer& memory, const VersionKey& key) {
  if (!memory) return {};
  for (parity::Version& version : memory->area().versions())
    if (key_of(version) == key) return std::move(version);
  return {};
}

VersionKey newest_in(const AreaPointer& memory) {
  const auto versions = memory->area().versions();
  return versions.empty() ? VersionKey{} : key_of(versions.front());
}

/// The area of a ticket, of those that are at hand or else connected.
Result<AreaPointer> take(SetAreas& areas, const AreaTicket& ticket, const std::array<AreaPointer, 2>& at_hand) {
  if (ticket.allocation_id == 0) return AreaPointer{};
  for (const AreaPointer& memory : at_hand)
    if (memory && memory->ticket().allocation_id == ticket.allocation_id) return memory;
  return areas.connect(ticket);
}

}  // namespace

parity::Note note_of(const VersionKey& key) {
  parity::Note note{};
  std::memcpy(note.data(), &key.stamp, sizeof key.stamp);
  return note;
}

VersionKey key_of(const parity::Version& version) {
  VersionKey key{.number = version.number, .stamp = 0};
  std::memcpy(&key.stamp, version.note.data(), sizeof key.stamp);
  return key;
}

Result<std::vector<AreaPointer>> SetAreas::connect_all() {
  const std::string prefix = area_prefix(series_.id, set_);
  PSNAM_TRY(const auto reports, nam_->allocations());
  std::vector<AreaPointer> found;
  for (const auto& report : reports) {
    const format::AllocationRecord& record = report.allocation;
    if (!record.name.starts_with(prefix) || record.consistency != format::Consistency::persistent) continue;
    auto memory = connect({record.id, record.challenge});
    if (memory)
      found.push_back(std::move(*memory));
    else
      log::warn("parity in allocation {} cannot be used: {}", record.id, memory.error().message);
  }
  return found;
}

Status SetAreas::find() {
  PSNAM_TRY(auto found, connect_all());
  std::ranges::sort(found, std::greater{}, newest_in);
  if (!found.empty()) current_ = found[0];
  if (found.size() > 1) previous_ = found[1];
  for (std::size_t index = 2; index < found.size(); ++index) let_go(found[index]);
  return {};
}

Status SetAreas::refresh() {
  for (const AreaPointer& memory : {current_, previous_})
    if (memory) PSNAM_CHECK(memory->refresh());
  return {};
}

AreaTickets SetAreas::tickets() const { return {ticket_of(current_), ticket_of(previous_)}; }

Status SetAreas::follow(const AreaTickets& leader) {
  const std::array at_hand{current_, previous_};
  PSNAM_TRY(current_, take(*this, leader.current, at_hand));
  PSNAM_TRY(previous_, take(*this, leader.previous, at_hand));
  return refresh();
}

std::array<VersionKey, 4> SetAreas::versions() const {
  std::array<VersionKey, 4> keys{};
  std::size_t place = 0;
  for (const AreaPointer& memory : {current_, previous_})
    if (memory)
      for (const parity::Version& version : memory->area().versions()) keys[place++] = key_of(version);
  return keys;
}

std::optional<ParityPlace> SetAreas::find(const VersionKey& key) const {
  for (const AreaPointer& memory : {current_, previous_})
    if (auto version = version_in(memory, key)) return ParityPlace{memory, std::move(*version)};
  return {};
}

void SetAreas::settle(const VersionKey& newest) {
  if (leads_)
    for (const AreaPointer& memory : {current_, previous_})
      if (memory)
        for (const parity::Version& version : memory->area().versions())
          if (key_of(version) > newest) drop(*memory, version);
  if (version_in(previous_, newest) && !version_in(current_, newest)) std::swap(current_, previous_);
  if (previous_ && leads_) let_go(previous_);
  previous_.reset();
}

AreaPointer SetAreas::fitting(std::uint64_t longest_bytes) const {
  return current_ && current_->area().shape().capacity_bytes >= longest_bytes ? current_ : nullptr;
}

Result<AreaPointer> SetAreas::allocate(std::uint64_t longest_bytes) {
  const parity::AreaSpec spec{.members = static_cast<std::uint32_t>(series_.ranks_of(set_).size()),
                              .parities = series_.parities,
                              .capacity_bytes = format::ParityShape::to(series_.block_bytes, longest_bytes),
                              .block_bytes = series_.block_bytes,
                              .id = series_.id.bytes,
                              .name = series_.name};
  return AreaMemory::allocate(nam_, spec, new_area_name(series_.id, set_));
}

Result<AreaPointer> SetAreas::connect(const AreaTicket& ticket) {
  PSNAM_TRY(AreaPointer memory, AreaMemory::connect(nam_, ticket));
  const format::ParityShape& shape = memory->area().shape();
  const std::size_t members = series_.ranks_of(set_).size();
  if (shape.members != members || shape.parities != series_.parities || shape.block_bytes != series_.block_bytes)
    return Error{Code::corrupt,
                 fmt::format("parity area '{}' is of {} members and {} parities, the set of {} and {}",
                             memory->area().name(), shape.members, shape.parities, members, series_.parities)};
  return memory;
}

void SetAreas::adopt(const AreaPointer& memory) {
  if (memory == current_) return;
  previous_ = std::move(current_);
  current_ = memory;
}

Status SetAreas::remove() {
  // By name: what is damaged and cannot be used goes too.
  PSNAM_TRY(const auto reports, nam_->allocations());
  for (const auto& report : reports) {
    const format::AllocationRecord& record = report.allocation;
    if (!record.name.starts_with(area_prefix(series_.id, set_)) ||
        record.consistency != format::Consistency::persistent)
      continue;
    auto gone = nam_->free_allocation(record.id, false);
    if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  }
  current_.reset();
  previous_.reset();
  return {};
}

/// One that stays is in the way of the next version of its number, which says so.
void SetAreas::drop(AreaMemory& memory, const parity::Version& version) {
  if (const Status dropped = memory.drop(version); !dropped)
    log::warn("version {} stays in allocation {}: {}", version.number, memory.record().id, dropped.error().message);
}

void SetAreas::let_go(const AreaPointer& memory) const {
  if (const Status gone = memory->release(); !gone)
    log::warn("the area of allocation {} stays: {}", memory->record().id, gone.error().message);
}

}  // namespace psnam::checkpoint
