#include "segments/extents.hpp"

#include <fmt/format.h>

#include <bit>
#include <limits>

namespace psnam::segments {
namespace {

constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();

/// Where in the parent a segment lies that was found room for, and in which free extent.
struct Place {
  Extent extent;
  std::uint64_t offset_bytes = 0;
};

std::string described(const Parent& parent) {
  return fmt::format("the allocation {} of {} bytes", parent.id, parent.size_bytes);
}

std::string described(const Extent& extent) {
  return extent.free()
             ? fmt::format("bytes {} to {} are free", extent.offset_bytes, extent.end())
             : fmt::format("bytes {} to {} are the segment {}", extent.offset_bytes, extent.end(), extent.segment_id);
}

Error damaged(const Parent& parent, std::string_view what) {
  return Error{Code::corrupt, fmt::format("the extents of {} are damaged: {}", described(parent), what)};
}

/// The lowest place of the alignment in `extent`, if the request fits there.
std::optional<Place> place_in(const Extent& extent, const Parent& parent, const Request& request) noexcept {
  const std::uint64_t address = parent.root_offset_bytes + extent.offset_bytes;
  const std::uint64_t gap = (request.alignment_bytes - address % request.alignment_bytes) % request.alignment_bytes;
  if (gap > extent.size_bytes || extent.size_bytes - gap < request.size_bytes) return std::nullopt;
  return Place{.extent = extent, .offset_bytes = extent.offset_bytes + gap};
}

/// The first that fits of the free extents from (`size`, `offset`) on and below `end_size`, trying `tries` at most.
Result<std::optional<Place>> try_in_order(ExtentTable& table, const Parent& parent, const Request& request,
                                          std::uint64_t end_size, int tries) {
  std::uint64_t size = request.size_bytes;
  std::uint64_t offset = 0;
  for (int tried = 0; tried < tries; ++tried) {
    PSNAM_TRY(const auto extent, table.next_free(parent.id, size, offset));
    if (!extent || extent->size_bytes >= end_size) return std::optional<Place>{};
    if (const auto place = place_in(*extent, parent, request)) return place;
    size = extent->size_bytes;
    offset = extent->offset_bytes + 1;
  }
  return std::optional<Place>{};
}

Error no_place(ExtentTable& table, const Parent& parent, const Request& request) {
  const auto largest = table.largest_free(parent.id);
  if (!largest) return Error{largest.error().code, largest.error().message};
  return Error{Code::no_memory,
               fmt::format("{} has no free place of {} bytes at a multiple of {}: its largest free part has {} bytes",
                           described(parent), request.size_bytes, request.alignment_bytes,
                           *largest ? (*largest)->size_bytes : 0)};
}

Result<Place> find_place(ExtentTable& table, const Parent& parent, const Request& request) {
  PSNAM_TRY(auto place, try_in_order(table, parent, request, kEnd, kTries));
  if (place) return *place;
  const std::uint64_t slack = request.alignment_bytes - 1;
  const std::uint64_t certain = request.size_bytes > kEnd - slack ? kEnd : request.size_bytes + slack;
  PSNAM_TRY(const auto extent, table.next_free(parent.id, certain, 0));
  if (extent) {
    if (const auto fits = place_in(*extent, parent, request)) return *fits;
  }
  PSNAM_TRY(place, try_in_order(table, parent, request, certain, std::numeric_limits<int>::max()));
  if (place) return *place;
  return no_place(table, parent, request);
}

Result<Place> find_offset(ExtentTable& table, const Parent& parent, const Request& request) {
  const std::uint64_t offset = *request.offset_bytes;
  if (offset > parent.size_bytes || request.size_bytes > parent.size_bytes - offset)
    return Error{Code::info_value, fmt::format("a segment of {} bytes at offset {} is not inside {}",
                                               request.size_bytes, offset, described(parent))};
  PSNAM_TRY(auto extent, table.at(parent.id, offset));
  if (!extent) return damaged(parent, fmt::format("nothing is known of offset {}", offset));
  if (extent->free() && extent->end() - offset >= request.size_bytes)
    return Place{.extent = *extent, .offset_bytes = offset};
  if (extent->free()) {
    PSNAM_TRY(extent, table.at(parent.id, extent->end()));
    if (!extent) return damaged(parent, "the last extent is missing");
  }
  return Error{Code::info_value, fmt::format("a segment of {} bytes at offset {} of {} overlaps a taken part: {}",
                                             request.size_bytes, offset, described(parent), described(*extent))};
}

Status check_request(const Parent& parent, const Request& request) {
  if (request.size_bytes == 0)
    return Error{Code::invalid_argument, fmt::format("a segment of {} has no bytes", described(parent))};
  if (!std::has_single_bit(request.alignment_bytes))
    return Error{Code::info_value,
                 fmt::format("an alignment of {} bytes for a segment of {}: it is a power of two, as 1, 64 or 4096",
                             request.alignment_bytes, described(parent))};
  return {};
}

}  // namespace

Result<std::uint64_t> cut(ExtentTable& table, const Parent& parent, const Request& request, std::uint64_t segment_id) {
  PSNAM_CHECK(check_request(parent, request));
  PSNAM_TRY(const auto first, table.at(parent.id, 0));
  if (!first && parent.size_bytes != 0)
    PSNAM_CHECK(table.put(parent.id, {.offset_bytes = 0, .size_bytes = parent.size_bytes}));
  PSNAM_TRY(const Place place,
            request.offset_bytes ? find_offset(table, parent, request) : find_place(table, parent, request));
  const Extent taken{.offset_bytes = place.offset_bytes, .size_bytes = request.size_bytes, .segment_id = segment_id};
  PSNAM_CHECK(table.erase(parent.id, place.extent));
  if (taken.offset_bytes > place.extent.offset_bytes)
    PSNAM_CHECK(table.put(parent.id, {.offset_bytes = place.extent.offset_bytes,
                                      .size_bytes = taken.offset_bytes - place.extent.offset_bytes}));
  PSNAM_CHECK(table.put(parent.id, taken));
  if (taken.end() < place.extent.end())
    PSNAM_CHECK(table.put(parent.id, {.offset_bytes = taken.end(), .size_bytes = place.extent.end() - taken.end()}));
  return place.offset_bytes;
}

Status release(ExtentTable& table, const Parent& parent, const Extent& segment) {
  PSNAM_TRY(const auto found, table.at(parent.id, segment.offset_bytes));
  if (found != segment)
    return damaged(parent, fmt::format("{} instead of bytes {} to {}, the segment {}",
                                       found ? described(*found) : "there are none", segment.offset_bytes,
                                       segment.end(), segment.segment_id));
  Extent joined{.offset_bytes = segment.offset_bytes, .size_bytes = segment.size_bytes};
  PSNAM_CHECK(table.erase(parent.id, segment));
  if (segment.offset_bytes > 0) {
    PSNAM_TRY(const auto before, table.at(parent.id, segment.offset_bytes - 1));
    if (!before || before->end() != segment.offset_bytes)
      return damaged(parent, fmt::format("there is a gap before offset {}", segment.offset_bytes));
    if (before->free()) {
      PSNAM_CHECK(table.erase(parent.id, *before));
      joined = {.offset_bytes = before->offset_bytes, .size_bytes = before->size_bytes + joined.size_bytes};
    }
  }
  if (segment.end() < parent.size_bytes) {
    PSNAM_TRY(const auto after, table.at(parent.id, segment.end()));
    if (!after || after->offset_bytes != segment.end())
      return damaged(parent, fmt::format("there is a gap at offset {}", segment.end()));
    if (after->free()) {
      PSNAM_CHECK(table.erase(parent.id, *after));
      joined.size_bytes += after->size_bytes;
    }
  }
  if (joined.size_bytes == parent.size_bytes) return {};  // no segment is left, and no row
  return table.put(parent.id, joined);
}

Result<std::optional<Extent>> any_segment(ExtentTable& table, std::uint64_t parent_id) {
  PSNAM_TRY(auto extent, table.at(parent_id, 0));
  // Free extents do not touch, so the one after a free one is taken.
  if (extent && extent->free()) {
    PSNAM_TRY(extent, table.at(parent_id, extent->end()));
  }
  if (extent && extent->free()) return std::optional<Extent>{};
  return extent;
}

std::vector<std::string> check(const Parent& parent, std::span<const Extent> extents) {
  std::vector<std::string> findings;
  const auto find = [&](std::string what) {
    findings.push_back(fmt::format("the allocation {}: {}", parent.id, std::move(what)));
  };
  std::uint64_t end = 0;
  bool before_free = false;
  bool taken = false;
  for (const auto& extent : extents) {
    if (extent.size_bytes == 0 || extent.size_bytes > kEnd - extent.offset_bytes)
      find(fmt::format("an extent at {} has {} bytes", extent.offset_bytes, extent.size_bytes));
    if (extent.offset_bytes > end)
      find(fmt::format("a gap: no extent has the bytes {} to {}", end, extent.offset_bytes));
    if (extent.offset_bytes < end)
      find(fmt::format("an overlap: {}, and another extent ends at {}", described(extent), end));
    if (extent.free() && before_free) find(fmt::format("two free extents meet at {}", extent.offset_bytes));
    end = extent.end();
    before_free = extent.free();
    taken = taken || !extent.free();
  }
  if (!extents.empty() && end != parent.size_bytes)
    find(fmt::format("its extents end at {} of {} bytes", end, parent.size_bytes));
  if (!extents.empty() && !taken) find("it has extents and no segment");
  return findings;
}

}  // namespace psnam::segments
