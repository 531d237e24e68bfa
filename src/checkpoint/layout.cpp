#include "checkpoint/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {
namespace {

using format::CheckpointExtent;
using format::CheckpointRegion;
using format::CheckpointTable;

std::uint64_t up_to(std::uint64_t unit, std::uint64_t bytes) { return format::CheckpointCopyShape::to(unit, bytes); }

void copy(std::byte* to, std::span<const std::byte> from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

Error corrupt(std::string why) { return Error{Code::corrupt, "the table of saved data: " + std::move(why)}; }

/// `bytes` from `at` on; null where they are not inside.
std::span<const std::byte> part(std::span<const std::byte> payload, std::uint64_t at, std::uint64_t bytes) {
  if (at > payload.size() || bytes > payload.size() - at) return {};
  return payload.subspan(at, bytes);
}

/// Code::corrupt unless it describes `region.bytes` bytes.
Result<Part> read_part(std::span<const std::byte> payload, const CheckpointRegion& region) {
  Part found{.share = static_cast<Share>(region.share), .element_bytes = region.element_bytes, .extents = {}};
  if (found.share == Share::own || found.share == Share::shared) {
    if (region.dimensions == 0 && region.element_bytes == 0) return found;
  } else if (found.share == Share::part && region.dimensions <= format::kCheckpointMaxDimensions) {
    const auto extents = part(payload, region.extents_at, region.dimensions * sizeof(CheckpointExtent));
    for (std::size_t at = 0; at < extents.size(); at += sizeof(CheckpointExtent)) {
      CheckpointExtent one{};
      std::memcpy(&one, extents.data() + at, sizeof one);
      found.extents.push_back({one.size, one.count, one.first});
    }
    if (check(found) && found.bytes() == region.bytes) return found;
  }
  return corrupt(fmt::format("region {} of {} bytes is no part of that kind ({}, {} dimensions)", region.id,
                             region.bytes, region.share, region.dimensions));
}

}  // namespace

Layout::Layout(const Regions& regions, std::uint32_t block_bytes, const Parts& parts) {
  table_bytes_ = sizeof(CheckpointTable) + regions.size() * sizeof(CheckpointRegion);
  for (const auto& [id, bytes] : regions) {
    const auto known = parts.find(id);
    placed_.push_back({id, bytes, 0, 0, 0, known == parts.end() ? Part{} : known->second, table_bytes_});
    table_bytes_ += placed_.back().part.extents.size() * sizeof(CheckpointExtent);
  }
  std::uint64_t packed = table_bytes_;
  for (Placed& one : placed_) {
    one.whole = one.bytes.size() / block_bytes * block_bytes;
    packed = up_to(format::kCheckpointPackedAlignment, packed);
    one.packed_at = packed;
    one.whole_at = whole_bytes_;
    packed += one.bytes.size() - one.whole;
    whole_bytes_ += one.whole;
  }
  packed_bytes_ = whole_bytes_ == 0 ? packed : up_to(block_bytes, packed);
  for (Placed& one : placed_) one.whole_at += packed_bytes_;
}

void Layout::write_row(const Placed& one, std::byte* row, std::byte* payload) const {
  const auto& extents = one.part.extents;
  const CheckpointRegion region{.id = one.id,
                                .bytes = one.bytes.size(),
                                .whole_bytes = one.whole,
                                .whole_at = one.whole_at,
                                .packed_at = one.packed_at,
                                .share = static_cast<std::uint32_t>(one.part.share),
                                .dimensions = static_cast<std::uint32_t>(extents.size()),
                                .element_bytes = one.part.element_bytes,
                                .extents_at = extents.empty() ? 0 : one.extents_at};
  std::memcpy(row, &region, sizeof region);
  std::byte* to = payload + one.extents_at;
  for (const Extent& extent : extents) {
    const CheckpointExtent written{.size = extent.size, .count = extent.count, .first = extent.first};
    std::memcpy(to, &written, sizeof written);
    to += sizeof written;
  }
}

void Layout::pack(std::byte* payload) const {
  const CheckpointTable table{.magic = format::kCheckpointTableMagic,
                              .regions = static_cast<std::uint32_t>(placed_.size()),
                              .packed_bytes = packed_bytes_,
                              .reserved = {}};
  std::memcpy(payload, &table, sizeof table);
  std::byte* row = payload + sizeof table;
  std::uint64_t end = table_bytes_;
  for (const Placed& one : placed_) {
    write_row(one, row, payload);
    row += sizeof(CheckpointRegion);
    std::memset(payload + end, 0, one.packed_at - end);
    const auto rest = one.bytes.subspan(one.whole);
    copy(payload + one.packed_at, rest);
    end = one.packed_at + rest.size();
  }
  std::memset(payload + end, 0, packed_bytes_ - end);
}

std::vector<parity::Piece> Layout::pieces(std::byte* payload) const {
  std::vector<parity::Piece> all;
  for (const Placed& one : placed_)
    if (one.whole != 0) all.push_back({one.bytes.first(one.whole), payload + one.whole_at});
  return all;
}

Result<std::map<std::uint64_t, Saved>> read_table(std::span<const std::byte> payload) {
  CheckpointTable table{};
  if (payload.size() < sizeof table) return corrupt(fmt::format("there are {} bytes", payload.size()));
  std::memcpy(&table, payload.data(), sizeof table);
  if (table.magic != format::kCheckpointTableMagic) return corrupt(fmt::format("it begins with {:#010x}", table.magic));
  // What has to be looked at is bounded by what is there, not by what the table says.
  const auto rows = part(payload, sizeof table, std::uint64_t{table.regions} * sizeof(CheckpointRegion));
  if (rows.empty() && table.regions != 0) return corrupt(fmt::format("{} regions do not fit", table.regions));
  std::map<std::uint64_t, Saved> found;
  for (std::size_t at = 0; at < rows.size(); at += sizeof(CheckpointRegion)) {
    CheckpointRegion region{};
    std::memcpy(&region, rows.data() + at, sizeof region);
    const std::uint64_t whole_bytes = std::min(region.whole_bytes, region.bytes);
    Saved saved{
        part(payload, region.whole_at, whole_bytes), part(payload, region.packed_at, region.bytes - whole_bytes), {}};
    if (region.whole_bytes > region.bytes || saved.bytes() != region.bytes)
      return corrupt(
          fmt::format("region {} of {} bytes leads out of the payload of {}", region.id, region.bytes, payload.size()));
    PSNAM_TRY(saved.part, read_part(payload, region));
    if (!found.emplace(region.id, std::move(saved)).second)
      return corrupt(fmt::format("region {} is there twice", region.id));
  }
  return found;
}

Status check_regions(const std::map<std::uint64_t, Saved>& saved, const Regions& regions,
                     const std::set<std::uint64_t>& any_size) {
  for (const auto& [id, one] : saved) {
    const std::uint64_t bytes = one.bytes();
    const auto here = regions.find(id);
    if (here == regions.end())
      return Error{Code::size, fmt::format("region {} of {} bytes was saved and is not registered", id, bytes)};
    if (here->second.size() != bytes && !any_size.contains(id))
      return Error{Code::size, fmt::format("region {} had {} bytes when it was saved and is registered with {}", id,
                                           bytes, here->second.size())};
  }
  for (const auto& [id, here] : regions)
    if (!saved.contains(id))
      return Error{Code::size, fmt::format("region {} of {} bytes is registered and was not saved", id, here.size())};
  return {};
}

void unpack(const std::map<std::uint64_t, Saved>& saved, const Regions& regions) {
  for (const auto& [id, one] : saved) {
    std::byte* const to = regions.at(id).data();
    copy(to, one.whole);
    copy(to + one.whole.size(), one.rest);
  }
}

}  // namespace psnam::checkpoint
