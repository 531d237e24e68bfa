#include "win/regions.hpp"

#include "structures/structure.hpp"

namespace psnam::win {

Regions::Regions(const format::WindowRecord& record, std::uint32_t node, nam::MemoryStore* memory,
                 Protection protection)
    : record_{record},
      memory_{memory},
      protection_{protection},
      count_{record.regions.size()},
      targets_{std::make_unique<Target[]>(record.regions.size())} {
  for (std::size_t rank = 0; rank < count_; ++rank) {
    targets_[rank].size_bytes = record.regions[rank].size_bytes;
    targets_[rank].displacement_unit = record.regions[rank].displacement_unit;
    targets_[rank].local = record.regions[rank].node == node;
  }
}

Regions::Part Regions::part_of(std::size_t rank) const noexcept {
  const format::RegionRecord& region = record_.regions[rank];
  return {{region.allocation_id, region.segment_id}, structures::file_part(record_.regions, rank)};
}

Result<std::unique_ptr<manifestations::Manifestation>> Regions::manifestation(std::size_t rank) const {
  return manifestations::make_manifestation(record_.regions[rank].manifestation, *memory_);
}

void Regions::publish(std::size_t rank, const Part& part, std::byte* part_base) noexcept {
  targets_[rank].base.store(part_base + (record_.regions[rank].offset_bytes - part.where.offset_bytes),
                            std::memory_order_release);
}

Status Regions::create(std::size_t rank) {
  const format::RegionRecord& region = record_.regions[rank];
  const Part part = part_of(rank);
  PSNAM_TRY(const auto how, manifestation(rank));
  PSNAM_TRY(nam::Memory memory, how->create(region.allocation_id, part.where, region.source, record_.reserve));
  Mapping& mapping = memory.mapping;
  const std::lock_guard lock{mutex_};
  std::byte* const base = mapping.data();
  mappings_.insert_or_assign(part.key, std::move(mapping));
  publish(rank, part, base);
  return {};
}

Result<std::byte*> Regions::map(std::size_t rank) {
  const std::uint64_t id = record_.regions[rank].allocation_id;
  if (id == 0 || !targets_[rank].local) return static_cast<std::byte*>(nullptr);
  const std::lock_guard lock{mutex_};
  if (std::byte* const base = targets_[rank].base.load(std::memory_order_acquire)) return base;
  const Part part = part_of(rank);
  auto found = mappings_.find(part.key);
  if (found == mappings_.end()) {
    PSNAM_TRY(const auto how, manifestation(rank));
    PSNAM_TRY(nam::Memory memory, how->open(id, part.where, protection_));
    found = mappings_.emplace(part.key, std::move(memory.mapping)).first;
  }
  publish(rank, part, found->second.data());
  return targets_[rank].base.load(std::memory_order_relaxed);
}

void Regions::place(std::size_t rank, int host, MPI_Aint address) noexcept {
  targets_[rank].host = host;
  targets_[rank].host_address = address;
}

std::span<std::byte> Regions::allocation(std::size_t rank) noexcept {
  const std::lock_guard lock{mutex_};
  const auto found = mappings_.find(part_of(rank).key);
  if (found == mappings_.end()) return {};
  return {found->second.data(), found->second.bytes()};
}

}  // namespace psnam::win
