#include "win/sources.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::win {

SourceWish source_wish(const CreateInfo& info) noexcept {
  const bool cuts = info.manifestation == format::Manifestation::segment;
  return {.allocation_id = cuts ? info.segment_allocation_id : info.libnam_allocation_id,
          .offset_bytes = info.segment_offset_bytes.value_or(0),
          .alignment_bytes = info.segment_alignment_bytes,
          .cuts = cuts,
          .placed = info.segment_offset_bytes.has_value()};
}

Result<nam::AllocationSource> source_of(const SourceWish& wish, std::uint64_t size_bytes, std::size_t rank) {
  nam::AllocationSource source;
  source.id = wish.allocation_id;
  if (wish.cuts) {
    if (wish.allocation_id == 0)
      return Error{Code::info_key,
                   fmt::format("{} = \"psnam_manifestation_segment\" on rank {} needs {}, the id of the allocation or "
                               "segment to cut {} bytes from",
                               kManifestationKey, rank, kSegmentAllocationIdKey, size_bytes)};
    source.kind = nam::AllocationSource::Kind::segment;
    source.alignment_bytes = wish.alignment_bytes;
    if (wish.placed) source.offset_bytes = wish.offset_bytes;
  } else if (wish.allocation_id != 0) {
    source.kind = nam::AllocationSource::Kind::existing;
  }
  return source;
}

Error with_source_keys(Error error, std::span<const nam::AllocationSource> sources) {
  using Kind = nam::AllocationSource::Kind;
  if (error.code != Code::name_not_found && error.code != Code::info_value && error.code != Code::access) return error;
  std::string keys;
  const auto add = [&](std::string_view key, auto uses) {
    if (std::any_of(sources.begin(), sources.end(), uses)) keys += fmt::format("{}{}", keys.empty() ? "" : ", ", key);
  };
  add(kLibnamAllocationIdKey, [](const auto& source) { return source.kind == Kind::existing; });
  add(kSegmentAllocationIdKey, [](const auto& source) { return source.kind == Kind::segment; });
  add(kSegmentOffsetKey, [](const auto& source) { return source.offset_bytes.has_value(); });
  if (keys.empty()) return error;
  return {error.code == Code::access ? Code::access : Code::info_value, keys + ": " + error.message, error.detail};
}

}  // namespace psnam::win
