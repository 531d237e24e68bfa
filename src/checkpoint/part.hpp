// A rank's block of an array that all ranks of a job have together, and how the blocks of one division become those of
// another. Elements are in row-major order, the last dimension the fastest, as MPI_Type_create_subarray has them with
// MPI_ORDER_C.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace psnam::checkpoint {

/// One dimension: of the array, and of the block.
struct Extent {
  std::uint64_t size = 0;   ///< elements of the array
  std::uint64_t count = 0;  ///< of them, the block's
  std::uint64_t first = 0;  ///< from this one on
  bool operator==(const Extent&) const = default;
};

/// Whose data a region is.
enum class Share : std::uint32_t {
  own = 0,    ///< of the rank alone
  part = 1,   ///< a block
  shared = 2  ///< the same on all ranks
};

struct Part {
  Share share = Share::own;
  std::uint64_t element_bytes = 0;  ///< of a block
  std::vector<Extent> extents{};    ///< likewise
  bool operator==(const Part&) const = default;

  /// Of a block.
  [[nodiscard]] std::uint64_t bytes() const noexcept;
  /// Whether both are blocks of the same array.
  [[nodiscard]] bool same_array(const Part& other) const noexcept;
  /// "100 x 200 elements of 8 bytes".
  [[nodiscard]] std::string array() const;
};
/// By id; of regions that are not of the rank alone.
using Parts = std::map<std::uint64_t, Part>;

/// Code::invalid_argument, saying why, unless it can be a part: dimensions, a block inside of the array, and numbers
/// whose product is one.
[[nodiscard]] Status check(const Part& part);

/// Some elements of an array that are a block.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
using Box = std::vector<Range>;
[[nodiscard]] Box box_of(const Part& part);
[[nodiscard]] std::uint64_t volume(const Box& box) noexcept;

/// Where a part of what is wanted comes from.
struct Fetch {
  std::size_t source = 0;
  Box box;
};
struct FetchPlan {
  std::vector<Fetch> fetches;
  Box missing;  ///< what no source has, a part of it; no dimensions: everything is had
};
/// Every element of `wanted` once, from the first of the sources that has it.
[[nodiscard]] FetchPlan plan_fetches(const Box& wanted, std::span<const Box> sources);

/// Bytes of a rank's block that lie together.
struct Run {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// The elements of a box, in the order of the array, as they lie in a block that has them all. So the bytes of one box
/// are taken out of one block, and put into another, in the same order.
class Runs {
 public:
  Runs(const Part& block, const Box& box);
  /// `bytes` that lie together, from 0 on.
  explicit Runs(std::uint64_t bytes) noexcept : length_{bytes}, left_{bytes} {}

  [[nodiscard]] std::uint64_t left() const noexcept { return left_; }
  /// The next bytes, at most `most`. Precondition: some are left, and most > 0.
  [[nodiscard]] Run next(std::uint64_t most) noexcept;

 private:
  struct Step {
    std::uint64_t count;
    std::uint64_t stride_bytes;
    std::uint64_t at = 0;
  };
  void advance() noexcept;

  std::vector<Step> steps_;   ///< the fastest last
  std::uint64_t offset_ = 0;  ///< of the present run
  std::uint64_t length_ = 0;  ///< of each run
  std::uint64_t taken_ = 0;   ///< of the present run
  std::uint64_t left_ = 0;
};

}  // namespace psnam::checkpoint
