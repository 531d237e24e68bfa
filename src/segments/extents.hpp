// Extents inside a parent: which of its bytes are cut into segments and which are free. Pure logic over a table that
// somebody else keeps: the catalog of a store, or a map in a test.
//
// A parent with segments has a row for each extent, taken or free; together they reach without gap or overlap from 0 to
// its size, and no two free ones touch. A parent without segments has no rows. A segment may be a parent in its turn;
// the two levels know nothing of each other.
//
// Nothing is kept anywhere else and nothing is rebuilt. A cut and a release make a bounded number of calls of the
// table, each O(log n); the one exception is told at cut(). Who lets these functions fail half-way throws the table's
// changes away, as a transaction does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace psnam::segments {

inline constexpr std::uint64_t kFree = 0;

struct Extent {
  std::uint64_t offset_bytes = 0;  ///< in the parent
  std::uint64_t size_bytes = 0;
  std::uint64_t segment_id = kFree;

  [[nodiscard]] std::uint64_t end() const noexcept { return offset_bytes + size_bytes; }
  [[nodiscard]] bool free() const noexcept { return segment_id == kFree; }
  bool operator==(const Extent&) const = default;
};

/// The rows of all parents.
class ExtentTable {
 public:
  virtual ~ExtentTable() = default;
  /// The extent with the greatest offset not above `offset`; nothing if the parent has no rows.
  virtual Result<std::optional<Extent>> at(std::uint64_t parent_id, std::uint64_t offset) = 0;
  /// The first free extent, in the order of size and then offset, that does not come before (`size`, `offset`).
  virtual Result<std::optional<Extent>> next_free(std::uint64_t parent_id, std::uint64_t size,
                                                  std::uint64_t offset) = 0;
  virtual Result<std::optional<Extent>> largest_free(std::uint64_t parent_id) = 0;
  /// Adds a row where there is none.
  virtual Status put(std::uint64_t parent_id, const Extent& extent) = 0;
  /// Removes a row that is there.
  virtual Status erase(std::uint64_t parent_id, const Extent& extent) = 0;
};

/// What is divided: an allocation, or a segment.
struct Parent {
  std::uint64_t id = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t root_offset_bytes = 0;  ///< of its first byte in the root's file
};

struct Request {
  std::uint64_t size_bytes = 0;
  std::optional<std::uint64_t> offset_bytes;  ///< in the parent; absent: any free place
  std::uint64_t alignment_bytes = 64;         ///< in the root's file, without an offset; a power of two
};

/// Cuts the segment `segment_id` out of `parent` and returns its offset there.
///
/// Without an offset: the smallest free extent that holds it, the lowest of equal ones, and in that the lowest place of
/// the alignment. Extents of less than size + alignment - 1 bytes may turn out not to hold it; after kTries of them the
/// smallest of those that certainly do is taken, and only if there is none all others are tried, one after another.
///
/// Code::info_value for an offset outside the parent or a place that is taken, and for an alignment that is none;
/// Code::no_memory if no free extent holds it; Code::invalid_argument for no bytes.
[[nodiscard]] Result<std::uint64_t> cut(ExtentTable& table, const Parent& parent, const Request& request,
                                        std::uint64_t segment_id);
inline constexpr int kTries = 8;

/// Gives the bytes of a segment back; they join their free neighbours. Code::corrupt if the table has not this segment.
[[nodiscard]] Status release(ExtentTable& table, const Parent& parent, const Extent& segment);

/// A segment of `parent`, if it has any.
[[nodiscard]] Result<std::optional<Extent>> any_segment(ExtentTable& table, std::uint64_t parent_id);

/// What is wrong with the rows of a parent, in the order of their offsets; one sentence each.
[[nodiscard]] std::vector<std::string> check(const Parent& parent, std::span<const Extent> extents);

}  // namespace psnam::segments
