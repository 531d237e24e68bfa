// The part of Store::check() that is about memory: every byte of an allocation that is divided belongs to one segment
// or is free, every segment has its record, and windows know what they lie in.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "nam/accounts.hpp"
#include "nam/contents.hpp"

namespace psnam::nam {
namespace {

std::string shown(const format::AllocationRecord& allocation) {
  return fmt::format("{} {}", allocation.parent_id == 0 ? "allocation" : "segment", allocation.id);
}

/// Whether the extents of a parent, which are in the order of their offsets, have this one.
bool has_extent(const Contents& all, std::uint64_t parent_id, const segments::Extent& extent) {
  const auto extents = all.extents.find(parent_id);
  if (extents == all.extents.end()) return false;
  const auto found = std::lower_bound(
      extents->second.begin(), extents->second.end(), extent,
      [](const segments::Extent& one, const segments::Extent& other) { return one.offset_bytes < other.offset_bytes; });
  return found != extents->second.end() && *found == extent;
}

/// A segment's place as its parent has it.
void check_place(const Contents& all, const format::AllocationRecord& segment, Findings& findings) {
  const auto parent = all.allocations.find(segment.parent_id);
  if (parent == all.allocations.end()) {
    findings.push_back(fmt::format("the segment {} was cut from {}, which is missing", segment.id, segment.parent_id));
    return;
  }
  if (segment.root_id != parent->second.root_id ||
      segment.root_offset_bytes != parent->second.root_offset_bytes + segment.offset_bytes)
    findings.push_back(fmt::format("the segment {} is at byte {} of the file {:016x}, its parent {} says otherwise",
                                   segment.id, segment.root_offset_bytes, segment.root_id, segment.parent_id));
  const segments::Extent extent{
      .offset_bytes = segment.offset_bytes, .size_bytes = segment.size_bytes, .segment_id = segment.id};
  if (!has_extent(all, segment.parent_id, extent))
    findings.push_back(fmt::format("the segment {} has no extent at {} of {} bytes in its parent {}", segment.id,
                                   segment.offset_bytes, segment.size_bytes, segment.parent_id));
}

void check_allocations(const Contents& all, Findings& findings) {
  std::set<std::uint64_t> held;
  for (const auto& [id, window] : all.windows)
    for (const std::uint64_t allocation : allocations_of(window)) held.insert(allocation);
  std::uint64_t reserved = 0;
  for (const auto& [id, allocation] : all.allocations) {
    const bool own_file = allocation.parent_id == 0;
    if (own_file && allocation.reserve == format::Reserve::full) reserved += allocation.size_bytes;
    if (allocation.window_id != 0 && (!held.contains(id) || !all.windows.contains(allocation.window_id)))
      findings.push_back(fmt::format("the {} belongs to no window", shown(allocation)));
    if (own_file && (allocation.root_id != id || allocation.root_offset_bytes != 0))
      findings.push_back(fmt::format("the allocation {} is said to lie in the file {:016x}", id, allocation.root_id));
    if (!own_file) check_place(all, allocation, findings);
    const auto named = all.allocation_names.find(allocation.name);
    const bool found = named != all.allocation_names.end() && named->second == id;
    const bool to_be_found = allocation.window_id == 0 && !allocation.name.empty() && all.is_lasting(allocation);
    if (found != to_be_found)
      findings.push_back(fmt::format("the allocation {} \"{}\" is {} and {} by its name", id, allocation.name,
                                     all.is_lasting(allocation) ? "persistent" : "volatile",
                                     found ? "found" : "not found"));
  }
  for (const auto& [name, id] : all.allocation_names)
    if (!all.allocations.contains(id))
      findings.push_back(fmt::format("the name \"{}\" leads to allocation {}, which is missing", name, id));
  if (reserved != all.store.reserved_bytes)
    findings.push_back(
        fmt::format("{} bytes count as reserved, the allocations have {}", all.store.reserved_bytes, reserved));
}

void check_users(const Contents& all, Findings& findings) {
  Tally tally;
  for (const auto& [id, window] : all.windows) tally.add(window);
  for (const auto& [id, allocation] : all.allocations) tally.add(allocation);
  auto wanted = tally.users();
  for (const auto& user : all.users) {
    const auto found = wanted.find(user.uid);
    const format::UserRecord has = found == wanted.end() ? format::UserRecord{.uid = user.uid} : found->second;
    if (has != user)
      findings.push_back(fmt::format("user {} counts {} objects, {} reserved and {} lazy bytes, he has {}, {} and {}",
                                     user.uid, user.objects, user.reserved_bytes, user.lazy_bytes, has.objects,
                                     has.reserved_bytes, has.lazy_bytes));
    wanted.erase(user.uid);
  }
  for (const auto& [uid, user] : wanted)
    findings.push_back(fmt::format("user {} has {} objects, and none is counted", uid, user.objects));
}

void check_extents(const Contents& all, Findings& findings) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> listed;
  for (const auto& row : all.free_extents) {
    listed.emplace(row.parent_id, row.extent.offset_bytes);
    if (!has_extent(all, row.parent_id, row.extent))
      findings.push_back(fmt::format("{} bytes at {} of the allocation {} are listed as free and no free extent",
                                     row.extent.size_bytes, row.extent.offset_bytes, row.parent_id));
  }
  for (const auto& [parent_id, extents] : all.extents) {
    for (const auto& extent : extents) {
      if (extent.free() && !listed.contains({parent_id, extent.offset_bytes}))
        findings.push_back(fmt::format("the free extent at {} of the allocation {} is not listed as free",
                                       extent.offset_bytes, parent_id));
      if (!extent.free() && !all.allocations.contains(extent.segment_id))
        findings.push_back(fmt::format("the extent at {} of the allocation {} is of the segment {}, which is missing",
                                       extent.offset_bytes, parent_id, extent.segment_id));
    }
    const auto parent = all.allocations.find(parent_id);
    if (parent == all.allocations.end()) {
      findings.push_back(fmt::format("there are extents of the allocation {}, which is missing", parent_id));
      continue;
    }
    for (auto& finding : segments::check({.id = parent_id, .size_bytes = parent->second.size_bytes}, extents))
      findings.push_back(std::move(finding));
  }
}

/// What a region says of where it lies.
void check_region(const Contents& all, const format::WindowRecord& window, std::size_t rank, Findings& findings) {
  const auto& region = window.regions[rank];
  if (region.allocation_id == 0) return;
  const bool own = region.source == format::RegionSource::own;
  const auto found = all.allocations.find(own ? region.allocation_id : region.segment_id);
  if (found == all.allocations.end()) {
    findings.push_back(fmt::format("window {} \"{}\": the allocation {} of rank {} has no record", window.id,
                                   window.name, own ? region.allocation_id : region.segment_id, rank));
    return;
  }
  const format::AllocationRecord& memory = found->second;
  if (memory.root_id != region.allocation_id || region.offset_bytes < memory.root_offset_bytes)
    findings.push_back(fmt::format("window {} \"{}\": the region of rank {} is not in the {}", window.id, window.name,
                                   rank, shown(memory)));
  else if (region.offset_bytes + region.size_bytes > memory.root_offset_bytes + memory.size_bytes)
    findings.push_back(fmt::format(
        "window {} \"{}\": the region of rank {} ends at byte {} of an allocation of {}", window.id, window.name, rank,
        region.offset_bytes + region.size_bytes - memory.root_offset_bytes, memory.size_bytes));
  if (own || !is_findable(window)) return;
  const std::uint64_t below = region.source == format::RegionSource::segment ? memory.parent_id : memory.id;
  const auto holder = all.allocations.find(below);
  if (holder != all.allocations.end() && !all.is_lasting(holder->second))
    findings.push_back(fmt::format("window {} \"{}\" is persistent, and rank {} lies in the volatile allocation {}",
                                   window.id, window.name, rank, below));
}

void check_references(const Contents& all, Findings& findings) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> wanted;
  for (const auto& [id, window] : all.windows)
    for (const std::uint64_t allocation : references_of(window)) wanted.emplace(allocation, id);
  const std::set<std::pair<std::uint64_t, std::uint64_t>> known{all.references.begin(), all.references.end()};
  for (const auto& [allocation, window] : wanted)
    if (!known.contains({allocation, window}))
      findings.push_back(fmt::format("the allocation {} does not know the window {} over it", allocation, window));
  for (const auto& [allocation, window] : known)
    if (!wanted.contains({allocation, window}))
      findings.push_back(
          fmt::format("the allocation {} knows the window {}, which does not lie in it", allocation, window));
}

}  // namespace

void check_memory(const Contents& all, Findings& findings) {
  for (const auto& [id, window] : all.windows)
    for (std::size_t rank = 0; rank < window.regions.size(); ++rank) check_region(all, window, rank, findings);
  check_allocations(all, findings);
  check_users(all, findings);
  check_extents(all, findings);
  check_references(all, findings);
}

}  // namespace psnam::nam
