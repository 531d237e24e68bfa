// A put or get of memory that this process does not map: both sides of any layout, as pieces that are contiguous on
// both, for one-sided writes and reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "backends/remote_memory.hpp"
#include "backends/transfer.hpp"
#include "base/result.hpp"

namespace psnam::rma {

/// The side of a region out of reach: its address is the displacement, so that the bytes' addresses are offsets.
[[nodiscard]] inline backends::Side relative_side(std::int64_t displacement_bytes, std::uint64_t count,
                                                  const backends::Layout& layout) noexcept {
  return {reinterpret_cast<std::byte*>(displacement_bytes), count, &layout};
}

/// The most pieces of one batch.
inline constexpr std::size_t kPiecesPerBatch = 512;

/// Takes the pieces of one batch, which it may not keep.
using DeliverPieces = std::function<Status(std::span<const backends::Piece>)>;

/// Delivers all bytes of `local` and of `remote`, a relative side that lies inside its region, in type-map order.
/// Pieces that follow each other on both sides are one. Both sides hold equally many bytes. Ends with the first failure
/// of `deliver`. Allocates nothing.
[[nodiscard]] Status for_each_batch(const backends::Side& local, const backends::Side& remote,
                                    const DeliverPieces& deliver);

}  // namespace psnam::rma
