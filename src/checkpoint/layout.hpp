// How what an application has registered becomes the data of one member of a parity set. Whole blocks of large regions
// are used where they are, so that they are read once; tables, small regions and the rest of large ones are packed in
// front of them. The table goes with the data, so that data that were rebuilt tell what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/part.hpp"
#include "parity/encode.hpp"

namespace psnam::checkpoint {

/// By id. The memory is the application's.
using Regions = std::map<std::uint64_t, std::span<std::byte>>;

class Layout {
 public:
  /// `parts`: of the regions that are not of the rank alone.
  Layout(const Regions& regions, std::uint32_t block_bytes, const Parts& parts = {});

  [[nodiscard]] std::uint64_t payload_bytes() const noexcept { return packed_bytes_ + whole_bytes_; }
  /// What of the payload pack() writes; whole blocks, if anything comes after it.
  [[nodiscard]] std::uint64_t packed_bytes() const noexcept { return packed_bytes_; }
  /// Writes the beginning of the payload.
  void pack(std::byte* payload) const;
  /// What comes after it, with its place in the payload.
  [[nodiscard]] std::vector<parity::Piece> pieces(std::byte* payload) const;

 private:
  struct Placed {
    std::uint64_t id;
    std::span<std::byte> bytes;
    std::uint64_t whole;  ///< bytes that stay where they are
    std::uint64_t packed_at;
    std::uint64_t whole_at;
    Part part;
    std::uint64_t extents_at;
  };
  void write_row(const Placed& one, std::byte* row, std::byte* payload) const;

  std::vector<Placed> placed_;
  std::uint64_t table_bytes_ = 0;  ///< with the extents
  std::uint64_t packed_bytes_ = 0;
  std::uint64_t whole_bytes_ = 0;
};

/// What a payload has for each region, in its two pieces.
struct Saved {
  std::span<const std::byte> whole;
  std::span<const std::byte> rest;
  Part part;

  [[nodiscard]] std::uint64_t bytes() const noexcept { return whole.size() + rest.size(); }
};
/// Code::corrupt for a table that leads out of the payload, or tells of a part what cannot be.
[[nodiscard]] Result<std::map<std::uint64_t, Saved>> read_table(std::span<const std::byte> payload);
/// Code::size, naming ids and sizes, unless the same regions were saved. Those of `any_size` may have had others.
[[nodiscard]] Status check_regions(const std::map<std::uint64_t, Saved>& saved, const Regions& regions,
                                   const std::set<std::uint64_t>& any_size = {});
/// After check_regions().
void unpack(const std::map<std::uint64_t, Saved>& saved, const Regions& regions);

}  // namespace psnam::checkpoint
