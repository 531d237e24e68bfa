#include "checkpoint/set_areas.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "checkpoint/names.hpp"

namespace psnam::checkpoint {
namespace {

std::optional<parity::Version> version_in(const AreaPointer& memory, const VersionKey& key) {
  for (parity::Version& version : memory->area().versions())
    if (key_of(version) == key) return std::move(version);
  return {};
}

VersionKey newest_in(const AreaPointer& memory) {
  const auto versions = memory->area().versions();
  return versions.empty() ? VersionKey{} : key_of(versions.front());
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
  PSNAM_TRY(areas_, connect_all());
  std::ranges::sort(areas_, std::greater{}, newest_in);
  for (; areas_.size() > series_.kept; areas_.pop_back()) let_go(areas_.back());
  return {};
}

Status SetAreas::refresh() {
  for (const AreaPointer& memory : areas_) PSNAM_CHECK(memory->refresh());
  return {};
}

AreaTickets SetAreas::tickets() const {
  AreaTickets tickets{};
  std::ranges::transform(areas_, tickets.begin(), [](const AreaPointer& memory) { return memory->ticket(); });
  return tickets;
}

Status SetAreas::follow(const AreaTickets& leader) {
  std::vector<AreaPointer> followed;
  for (const AreaTicket& ticket : leader) {
    if (ticket.allocation_id == 0) break;
    const auto at_hand = std::ranges::find(areas_, ticket.allocation_id,
                                           [](const AreaPointer& memory) { return memory->ticket().allocation_id; });
    if (at_hand != areas_.end()) {
      followed.push_back(*at_hand);
    } else {
      PSNAM_TRY(AreaPointer connected, connect(ticket));
      followed.push_back(std::move(connected));
    }
  }
  areas_ = std::move(followed);
  return refresh();
}

std::vector<VersionKey> SetAreas::all_versions() const {
  std::vector<VersionKey> keys;
  for (const AreaPointer& memory : areas_)
    for (const parity::Version& version : memory->area().versions()) keys.push_back(key_of(version));
  std::ranges::sort(keys, std::greater{});
  return keys;
}

std::array<VersionKey, kMostVersions> SetAreas::versions() const {
  const auto all = all_versions();
  std::array<VersionKey, kMostVersions> newest{};
  std::copy_n(all.begin(), std::min(all.size(), newest.size()), newest.begin());
  return newest;
}

std::optional<ParityPlace> SetAreas::find(const VersionKey& key) const {
  for (const AreaPointer& memory : areas_)
    if (auto version = version_in(memory, key)) return ParityPlace{memory, std::move(*version)};
  return {};
}

void SetAreas::settle(const VersionKey& newest) {
  if (areas_.empty()) return;
  if (leads_)
    for (const AreaPointer& memory : areas_)
      for (const parity::Version& version : memory->area().versions())
        if (key_of(version) > newest) drop(*memory, version);
  // One of those that are kept is going to be the next.
  std::vector<VersionKey> kept = all_versions();
  std::erase_if(kept, [&](const VersionKey& key) { return key > newest; });
  kept.resize(std::min<std::size_t>(kept.size(), series_.kept - 1));
  const auto is_needed = [&](const AreaPointer& memory) {
    return memory == areas_.front() ||
           std::ranges::any_of(kept, [&](const VersionKey& key) { return version_in(memory, key).has_value(); });
  };
  const auto rest = std::ranges::stable_partition(areas_, is_needed);
  if (leads_)
    for (const AreaPointer& memory : rest) let_go(memory);
  areas_.erase(rest.begin(), rest.end());
}

AreaPointer SetAreas::fitting(std::uint64_t longest_bytes) const {
  const bool fits = !areas_.empty() && areas_.front()->area().shape().capacity_bytes >= longest_bytes;
  return fits ? areas_.front() : nullptr;
}

Result<AreaPointer> SetAreas::allocate(std::uint64_t longest_bytes) {
  const parity::AreaSpec spec{.members = static_cast<std::uint32_t>(series_.ranks_of(set_).size()),
                              .parities = series_.parities,
                              .capacity_bytes = format::ParityShape::to(series_.block_bytes, longest_bytes),
                              .block_bytes = series_.block_bytes,
                              .id = series_.id.bytes,
                              .name = series_.name,
                              .slots = series_.kept};
  return AreaMemory::allocate(nam_, spec, new_area_name(series_.id, set_));
}

Result<AreaPointer> SetAreas::connect(const AreaTicket& ticket) {
  PSNAM_TRY(AreaPointer memory, AreaMemory::connect(nam_, ticket));
  const format::ParityShape& shape = memory->area().shape();
  const std::size_t members = series_.ranks_of(set_).size();
  if (shape.members != members || shape.parities != series_.parities || shape.block_bytes != series_.block_bytes ||
      shape.slots != series_.kept)
    return Error{Code::corrupt,
                 fmt::format("parity area '{}' is of {} members, {} parities and {} versions, the set of {}, {} and {}",
                             memory->area().name(), shape.members, shape.parities, shape.slots, members,
                             series_.parities, series_.kept)};
  return memory;
}

void SetAreas::adopt(const AreaPointer& memory) {
  if (areas_.empty() || memory != areas_.front()) areas_.insert(areas_.begin(), memory);
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
  areas_.clear();
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
