// Structures: which rank's byte is where. A structure checks who may pass a size, and lays the regions of all ranks out
// over allocations; after that every structure is addressed alike, rank by rank.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "manifestations/manifestation.hpp"

namespace psnam::structures {

/// What one rank asks for.
struct RankRequest {
  std::uint64_t size_bytes = 0;
  std::uint64_t displacement_unit = 1;
  std::uint32_t node = 0;  ///< index of the rank's node
  format::Manifestation manifestation = format::Manifestation::libnam;
};

class Structure {
 public:
  virtual ~Structure() = default;

  /// The regions of all ranks. Regions that share an allocation carry the same draft `allocation_id`, counted from 1;
  /// 0 is a region without memory. Code::size names the rank that passed a size it may not pass, or an overflowing sum.
  [[nodiscard]] virtual Result<std::vector<format::RegionRecord>> plan(std::span<const RankRequest> requests) const = 0;

  /// The rank that takes the memory of the region of `rank`; it is on the region's node.
  [[nodiscard]] virtual std::uint32_t creator(std::uint32_t rank) const noexcept = 0;
};

[[nodiscard]] const Structure& structure(format::Structure kind) noexcept;

/// Whether two regions lie in the same allocation of their window: its own file, a segment, or one that existed before.
[[nodiscard]] bool share_allocation(const format::RegionRecord& one, const format::RegionRecord& other) noexcept;

/// Where the regions lie that share the allocation of the region of `rank`, as one part of the file; empty if it has no
/// memory. A file of the window's own begins with the part.
[[nodiscard]] manifestations::FilePart file_part(std::span<const format::RegionRecord> regions,
                                                 std::size_t rank) noexcept;

}  // namespace psnam::structures
