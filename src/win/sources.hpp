// Where the memory of a window comes from when it is there before the window: what the info keys say of it, in the form
// that ranks send each other, and in that which the store takes.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "nam/service.hpp"
#include "win/info.hpp"

namespace psnam::win {

/// What one rank wishes; sent as bytes.
struct SourceWish {
  std::uint64_t allocation_id = 0;  ///< to be used as it is, or cut from; 0: not told
  std::uint64_t offset_bytes = 0;
  std::uint64_t alignment_bytes = 0;
  bool cuts = false;    ///< psnam_manifestation_segment
  bool placed = false;  ///< the offset is told
};

[[nodiscard]] SourceWish source_wish(const CreateInfo& info) noexcept;

/// Where `size_bytes` of `rank` are to come from. Code::info_key for a segment of nothing.
[[nodiscard]] Result<nam::AllocationSource> source_of(const SourceWish& wish, std::uint64_t size_bytes,
                                                      std::size_t rank);

/// `error` of the store, with the keys that told it where to take memory from, if that was what it refused.
[[nodiscard]] Error with_source_keys(Error error, std::span<const nam::AllocationSource> sources);

}  // namespace psnam::win
