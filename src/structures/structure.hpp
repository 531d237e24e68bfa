// Structures: which rank's byte is where. A structure checks who may pass a size, and lays the regions of all ranks out
// over allocations; after that every structure is addressed alike, rank by rank.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"

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

/// Bytes of the allocation that the region of `rank` lies in; 0 if it has no memory.
[[nodiscard]] std::uint64_t allocation_bytes(std::span<const format::RegionRecord> regions, std::size_t rank) noexcept;

}  // namespace psnam::structures
