#include "nam/draft_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {

/// What take() works on.
struct DraftMemory::Target {
  CatalogTransaction& transaction;
  Accounts& accounts;
  const format::WindowRecord& draft;
  const Caller& caller;
  const Folder& folder;

  [[nodiscard]] format::AllocationRecord record(std::uint64_t size_bytes) {
    format::AllocationRecord record;
    record.id = record.root_id = accounts.store().next_id++;
    record.window_id = draft.id;
    record.size_bytes = size_bytes;
    record.reserve = draft.reserve;
    record.uid = draft.uid;
    record.gid = draft.gid;
    record.mode = draft.mode;
    record.challenge = format::random_challenge();
    record.created_unix_seconds = draft.created_unix_seconds;
    return record;
  }

  /// The allocation `id`, alive, if the caller may write to it.
  [[nodiscard]] Result<format::AllocationRecord> writable(std::uint64_t id) {
    PSNAM_TRY(format::AllocationRecord allocation, living_allocation(transaction, id, folder));
    PSNAM_CHECK(require_access(allocation, AccessRight::read_write, caller));
    return allocation;
  }
};

Result<DraftMemory> DraftMemory::of(const format::WindowRecord& draft, std::span<const AllocationSource> sources) {
  DraftMemory memory;
  for (const auto& region : draft.regions) {
    if (region.offset_bytes > std::numeric_limits<std::uint64_t>::max() - region.size_bytes)
      return Error{Code::size, fmt::format("a region of {} bytes at offset {} ends beyond 2^64", region.size_bytes,
                                           region.offset_bytes)};
    if (region.allocation_id == 0) continue;
    Piece& piece = memory.pieces_[region.allocation_id];
    piece.size_bytes = std::max(piece.size_bytes, region.offset_bytes + region.size_bytes);
    if (region.allocation_id <= sources.size()) piece.source = sources[region.allocation_id - 1];
  }
  return memory;
}

Status DraftMemory::take(CatalogTransaction& transaction, Accounts& accounts, format::WindowRecord& draft,
                         const Caller& caller, const Folder& folder) {
  using Kind = AllocationSource::Kind;
  Target target{.transaction = transaction, .accounts = accounts, .draft = draft, .caller = caller, .folder = folder};
  for (auto& [draft_id, piece] : pieces_) {
    if (piece.source.kind == Kind::fresh) PSNAM_CHECK(take_fresh(piece, target));
    if (piece.source.kind == Kind::existing) PSNAM_CHECK(take_existing(piece, target));
  }
  // What must be at a certain place goes first, so that what may be anywhere does not take that place.
  for (const bool anywhere : {false, true})
    for (auto& [draft_id, piece] : pieces_)
      if (piece.source.kind == Kind::segment && piece.source.offset_bytes.has_value() != anywhere)
        PSNAM_CHECK(take_segment(piece, target));
  give(draft);
  return {};
}

Status DraftMemory::take_fresh(Piece& piece, Target& target) const {
  const format::AllocationRecord record = target.record(piece.size_bytes);
  PSNAM_CHECK(target.accounts.charge(record));
  piece.id = piece.root_id = record.id;
  return target.transaction.put(record);
}

Status DraftMemory::take_existing(Piece& piece, Target& target) const {
  const std::uint64_t id = piece.source.id;
  PSNAM_TRY(const format::AllocationRecord allocation, target.writable(id));
  if (piece.size_bytes > allocation.size_bytes)
    return Error{Code::size, fmt::format("the allocation {} has {} bytes, a window over it wants {}", id,
                                         allocation.size_bytes, piece.size_bytes)};
  for (const auto& [draft_id, other] : pieces_)
    if (&other != &piece && other.id == id)
      return Error{Code::info_value,
                   fmt::format("the allocation {} is to be the memory of two allocations of one window", id)};
  piece.id = id;
  piece.root_id = allocation.root_id;
  piece.root_offset_bytes = allocation.root_offset_bytes;
  return target.transaction.put_reference(id, target.draft.id);
}

Status DraftMemory::take_segment(Piece& piece, Target& target) const {
  if (piece.size_bytes == 0) return {};
  PSNAM_TRY(const format::AllocationRecord parent, target.writable(piece.source.id));
  format::AllocationRecord record = target.record(piece.size_bytes);
  const segments::Request request{.size_bytes = piece.size_bytes,
                                  .offset_bytes = piece.source.offset_bytes,
                                  .alignment_bytes = piece.source.alignment_bytes};
  CatalogExtents extents{target.transaction};
  PSNAM_TRY(record.offset_bytes, segments::cut(extents, parent_of(parent), request, record.id));
  record.parent_id = parent.id;
  record.root_id = parent.root_id;
  record.root_offset_bytes = parent.root_offset_bytes + record.offset_bytes;
  PSNAM_CHECK(target.accounts.charge(record));
  piece.id = record.id;
  piece.root_id = record.root_id;
  piece.root_offset_bytes = record.root_offset_bytes;
  return target.transaction.put(record);
}

void DraftMemory::give(format::WindowRecord& draft) const {
  using Kind = AllocationSource::Kind;
  for (auto& region : draft.regions) {
    region.segment_id = 0;
    if (region.allocation_id == 0) continue;
    const Piece& piece = pieces_.at(region.allocation_id);
    const Kind kind = piece.source.kind;
    region.source = kind == Kind::fresh      ? format::RegionSource::own
                    : kind == Kind::existing ? format::RegionSource::existing
                                             : format::RegionSource::segment;
    region.allocation_id = piece.root_id;
    region.offset_bytes += piece.root_offset_bytes;
    if (kind != Kind::fresh) region.segment_id = piece.id;
  }
}

}  // namespace psnam::nam
