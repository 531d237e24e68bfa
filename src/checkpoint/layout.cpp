#include "checkpoint/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {
namespace {

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

}  // namespace

Layout::Layout(const Regions& regions, std::uint32_t block_bytes) {
  std::uint64_t packed = sizeof(CheckpointTable) + regions.size() * sizeof(CheckpointRegion);
  for (const auto& [id, bytes] : regions) {
    const std::uint64_t whole = bytes.size() / block_bytes * block_bytes;
    packed = up_to(format::kCheckpointPackedAlignment, packed);
    placed_.push_back({id, bytes, whole, packed, whole_bytes_});
    packed += bytes.size() - whole;
    whole_bytes_ += whole;
  }
  packed_bytes_ = whole_bytes_ == 0 ? packed : up_to(block_bytes, packed);
  for (Placed& one : placed_) one.whole_at += packed_bytes_;
}

void Layout::pack(std::byte* payload) const {
  const CheckpointTable table{.magic = format::kCheckpointTableMagic,
                              .regions = static_cast<std::uint32_t>(placed_.size()),
                              .packed_bytes = packed_bytes_,
                              .reserved = {}};
  std::memcpy(payload, &table, sizeof table);
  std::byte* row = payload + sizeof table;
  std::uint64_t end = sizeof table + placed_.size() * sizeof(CheckpointRegion);
  for (const Placed& one : placed_) {
    const CheckpointRegion region{.id = one.id,
                                  .bytes = one.bytes.size(),
                                  .whole_bytes = one.whole,
                                  .whole_at = one.whole_at,
                                  .packed_at = one.packed_at,
                                  .reserved = {}};
    std::memcpy(row, &region, sizeof region);
    row += sizeof region;
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
    const Saved saved{part(payload, region.whole_at, whole_bytes),
                      part(payload, region.packed_at, region.bytes - whole_bytes)};
    if (region.whole_bytes > region.bytes || saved.whole.size() + saved.rest.size() != region.bytes)
      return corrupt(
          fmt::format("region {} of {} bytes leads out of the payload of {}", region.id, region.bytes, payload.size()));
    if (!found.emplace(region.id, saved).second) return corrupt(fmt::format("region {} is there twice", region.id));
  }
  return found;
}

Status check_regions(const std::map<std::uint64_t, Saved>& saved, const Regions& regions) {
  for (const auto& [id, one] : saved) {
    const std::uint64_t bytes = one.whole.size() + one.rest.size();
    const auto here = regions.find(id);
    if (here == regions.end())
      return Error{Code::size, fmt::format("region {} of {} bytes was saved and is not registered", id, bytes)};
    if (here->second.size() != bytes)
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
