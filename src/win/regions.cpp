#include "win/regions.hpp"

#include "structures/structure.hpp"

namespace psnam::win {

Regions::Regions(const format::WindowRecord& record, std::span<const Seat> seats, Protection protection)
    : record_{record},
      protection_{protection},
      count_{record.regions.size()},
      targets_{std::make_unique<Target[]>(record.regions.size())} {
  for (std::size_t rank = 0; rank < count_; ++rank) {
    targets_[rank].size_bytes = record.regions[rank].size_bytes;
    targets_[rank].displacement_unit = record.regions[rank].displacement_unit;
    targets_[rank].seat = seat_at(seats, record.regions[rank].node);
  }
  const auto right = protection == Protection::read_only ? nam::AccessRight::read_only : nam::AccessRight::read_write;
  for (const Seat& seat : seats)
    if (!seat.speaks) shares_.push_back(seat.service->share(seat.window_id, right));
}

Regions::Part Regions::part_of(std::size_t rank) const noexcept {
  const format::RegionRecord& region = record_.regions[rank];
  return {{region.node, region.allocation_id, region.segment_id}, structures::file_part(record_.regions, rank)};
}

Result<std::unique_ptr<manifestations::Manifestation>> Regions::manifestation(std::size_t rank) const {
  return manifestations::make_manifestation(record_.regions[rank].manifestation, *targets_[rank].seat->service);
}

Reach Regions::publish(std::size_t rank, const Part& part, const nam::Memory& memory) noexcept {
  const std::uint64_t offset_bytes = record_.regions[rank].offset_bytes - part.where.offset_bytes;
  if (memory.remote != nullptr) {
    targets_[rank].remote_offset_bytes = offset_bytes;
    targets_[rank].remote.store(memory.remote.get(), std::memory_order_release);
    any_remote_.store(true, std::memory_order_release);
    return {.remote = memory.remote.get(), .offset_bytes = offset_bytes};
  }
  std::byte* const base = memory.mapping.data() + offset_bytes;
  targets_[rank].base.store(base, std::memory_order_release);
  return {.base = base};
}

Status Regions::create(std::size_t rank) {
  const format::RegionRecord& region = record_.regions[rank];
  const Part part = part_of(rank);
  PSNAM_TRY(const auto how, manifestation(rank));
  PSNAM_TRY(nam::Memory memory, how->create(region.allocation_id, part.where, region.source, record_.reserve));
  const std::lock_guard lock{mutex_};
  const auto made = memories_.insert_or_assign(part.key, std::move(memory)).first;
  static_cast<void>(publish(rank, part, made->second));
  return {};
}

Reach Regions::published(const Target& target) noexcept {
  if (std::byte* const base = target.base.load(std::memory_order_acquire)) return {.base = base};
  if (backends::RemoteMemory* const remote = target.remote.load(std::memory_order_acquire))
    return {.remote = remote, .offset_bytes = target.remote_offset_bytes};
  return {};
}

Result<Reach> Regions::reach(std::size_t rank) {
  const Target& target = targets_[rank];
  if (const Reach known = published(target); known.base != nullptr || known.remote != nullptr) return known;
  const std::uint64_t id = record_.regions[rank].allocation_id;
  if (id == 0 || !target.local()) return Reach{};
  const Part part = part_of(rank);
  const std::lock_guard lock{mutex_};
  // Another thread may have been faster.
  if (const Reach known = published(target); known.base != nullptr || known.remote != nullptr) return known;
  auto found = memories_.find(part.key);
  if (found == memories_.end()) {
    PSNAM_TRY(const auto how, manifestation(rank));
    PSNAM_TRY(nam::Memory memory, how->open(id, part.where, protection_));
    found = memories_.emplace(part.key, std::move(memory)).first;
  }
  return publish(rank, part, found->second);
}

Result<std::byte*> Regions::map(std::size_t rank) {
  PSNAM_TRY(const Reach reach, this->reach(rank));
  return reach.base;
}

void Regions::place(std::size_t rank, int host, MPI_Aint address) noexcept {
  targets_[rank].host = host;
  targets_[rank].host_address = address;
}

std::span<std::byte> Regions::allocation(std::size_t rank) noexcept {
  const std::shared_lock lock{mutex_};
  const auto found = memories_.find(part_of(rank).key);
  if (found == memories_.end()) return {};
  return {found->second.mapping.data(), found->second.mapping.bytes()};
}

Status Regions::flush() {
  if (!any_remote_.load(std::memory_order_acquire)) return {};
  Status first;
  const std::shared_lock lock{mutex_};
  for (const auto& [key, memory] : memories_) {
    if (memory.remote == nullptr) continue;
    Status flushed = memory.remote->flush();
    if (!flushed && first) first = std::move(flushed);
  }
  return first;
}

}  // namespace psnam::win
