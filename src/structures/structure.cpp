#include "structures/structure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace psnam::structures {
namespace {

format::RegionRecord region_of(const RankRequest& request) {
  format::RegionRecord region;
  region.size_bytes = request.size_bytes;
  region.displacement_unit = request.displacement_unit;
  region.node = request.node;
  region.manifestation = request.manifestation;
  return region;
}

/// One region, of rank 0.
class RawAndFlat final : public Structure {
 public:
  Result<std::vector<format::RegionRecord>> plan(std::span<const RankRequest> requests) const override {
    std::vector<format::RegionRecord> regions;
    regions.reserve(requests.size());
    for (std::size_t rank = 0; rank < requests.size(); ++rank) {
      if (rank != 0 && requests[rank].size_bytes != 0)
        return Error{
            Code::size,
            fmt::format("size = {} on rank {}: in a psnam_structure_raw_and_flat window only rank 0 passes a size > 0",
                        requests[rank].size_bytes, rank)};
      regions.push_back(region_of(requests[rank]));
    }
    if (regions[0].size_bytes != 0) regions[0].allocation_id = 1;
    return regions;
  }
  std::uint32_t creator(std::uint32_t) const noexcept override { return 0; }
};

/// One allocation, on the node of rank 0 and in its manifestation, cut in rank order.
class ManagedContiguous final : public Structure {
 public:
  Result<std::vector<format::RegionRecord>> plan(std::span<const RankRequest> requests) const override {
    std::vector<format::RegionRecord> regions;
    regions.reserve(requests.size());
    std::uint64_t end = 0;
    for (std::size_t rank = 0; rank < requests.size(); ++rank) {
      format::RegionRecord region = region_of(requests[rank]);
      region.node = requests[0].node;
      region.manifestation = requests[0].manifestation;
      region.offset_bytes = end;
      if (__builtin_add_overflow(end, region.size_bytes, &end))
        return Error{Code::size, fmt::format("the sizes of ranks 0 to {} add up to more than 2^64 bytes", rank)};
      if (region.size_bytes != 0) region.allocation_id = 1;
      regions.push_back(region);
    }
    return regions;
  }
  std::uint32_t creator(std::uint32_t) const noexcept override { return 0; }
};

/// One allocation for each rank that asks for memory.
class ManagedDistributed final : public Structure {
 public:
  Result<std::vector<format::RegionRecord>> plan(std::span<const RankRequest> requests) const override {
    std::vector<format::RegionRecord> regions;
    regions.reserve(requests.size());
    std::uint64_t next = 1;
    for (const RankRequest& request : requests) {
      format::RegionRecord region = region_of(request);
      if (region.size_bytes != 0) region.allocation_id = next++;
      regions.push_back(region);
    }
    return regions;
  }
  std::uint32_t creator(std::uint32_t rank) const noexcept override { return rank; }
};

struct Row {
  format::Structure kind;
  const Structure& (*get)() noexcept;
};

template <class T>
const Structure& only() noexcept {
  static const T structure;
  return structure;
}

constexpr std::array<Row, 3> kTable{{
    {format::Structure::raw_and_flat, only<RawAndFlat>},
    {format::Structure::managed_contiguous, only<ManagedContiguous>},
    {format::Structure::managed_distributed, only<ManagedDistributed>},
}};

}  // namespace

const Structure& structure(format::Structure kind) noexcept {
  return std::find_if(kTable.begin(), kTable.end(), [kind](const Row& row) { return row.kind == kind; })->get();
}

bool share_allocation(const format::RegionRecord& one, const format::RegionRecord& other) noexcept {
  return one.allocation_id == other.allocation_id && one.segment_id == other.segment_id && one.node == other.node;
}

manifestations::FilePart file_part(std::span<const format::RegionRecord> regions, std::size_t rank) noexcept {
  const format::RegionRecord& own = regions[rank];
  if (own.allocation_id == 0) return {};
  std::uint64_t begin = own.offset_bytes;
  std::uint64_t end = own.offset_bytes + own.size_bytes;
  for (const format::RegionRecord& region : regions) {
    if (!share_allocation(region, own)) continue;
    begin = std::min(begin, region.offset_bytes);
    end = std::max(end, region.offset_bytes + region.size_bytes);
  }
  return {begin, end - begin};
}

}  // namespace psnam::structures
