#include "checkpoint/part.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {
namespace {

std::optional<Range> overlap(const Range& a, const Range& b) {
  const std::uint64_t first = std::max(a.first, b.first);
  const std::uint64_t end = std::min(a.first + a.count, b.first + b.count);
  if (end <= first) return {};
  return Range{first, end - first};
}

std::optional<Box> overlap(const Box& a, const Box& b) {
  Box common(a.size());
  for (std::size_t dimension = 0; dimension < a.size(); ++dimension) {
    const auto range = overlap(a[dimension], b[dimension]);
    if (!range) return {};
    common[dimension] = *range;
  }
  return common;
}

/// What of `box` is not in `inner`, which lies inside of it: for each dimension what is before and what is after, as
/// wide as `inner` in the dimensions that were looked at already.
void append_rest(Box box, const Box& inner, std::vector<Box>& rest) {
  for (std::size_t dimension = 0; dimension < box.size(); ++dimension) {
    const Range outside = box[dimension];
    const Range inside = inner[dimension];
    const Range before{outside.first, inside.first - outside.first};
    const Range after{inside.first + inside.count, outside.first + outside.count - inside.first - inside.count};
    for (const Range& range : {before, after}) {
      if (range.count == 0) continue;
      box[dimension] = range;
      rest.push_back(box);
    }
    box[dimension] = inside;
  }
}

/// Whether a times b is more than an offset can be.
bool too_large(std::uint64_t a, std::uint64_t b) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return b != 0 && a > kMost / b;
}

}  // namespace

std::uint64_t Part::bytes() const noexcept {
  std::uint64_t product = element_bytes;
  for (const Extent& extent : extents) product *= extent.count;
  return product;
}

bool Part::same_array(const Part& other) const noexcept {
  return share == Share::part && other.share == Share::part && element_bytes == other.element_bytes &&
         std::ranges::equal(extents, other.extents, {}, &Extent::size, &Extent::size);
}

std::string Part::array() const {
  std::vector<std::uint64_t> sizes;
  for (const Extent& extent : extents) sizes.push_back(extent.size);
  return fmt::format("{} elements of {} bytes", fmt::join(sizes, " x "), element_bytes);
}

Status check(const Part& part) {
  if (part.share != Share::part) return {};
  if (part.extents.empty() || part.extents.size() > format::kCheckpointMaxDimensions)
    return Error{Code::invalid_argument, fmt::format("an array of {} dimensions: 1 to {} are possible",
                                                     part.extents.size(), format::kCheckpointMaxDimensions)};
  if (part.element_bytes == 0) return Error{Code::invalid_argument, "elements of 0 bytes"};
  std::uint64_t product = part.element_bytes;
  for (std::size_t dimension = 0; dimension < part.extents.size(); ++dimension) {
    const Extent& one = part.extents[dimension];
    if (one.first > one.size || one.count > one.size - one.first)
      return Error{Code::invalid_argument, fmt::format("dimension {}: {} elements from {} on are not inside of {}",
                                                       dimension, one.count, one.first, one.size)};
    if (too_large(product, one.size))
      return Error{Code::invalid_argument, fmt::format("{} are too many", part.array())};
    product *= one.size;
  }
  return {};
}

Box box_of(const Part& part) {
  Box box;
  for (const Extent& extent : part.extents) box.push_back({extent.first, extent.count});
  return box;
}

std::uint64_t volume(const Box& box) noexcept {
  std::uint64_t product = 1;
  for (const Range& range : box) product *= range.count;
  return product;
}

FetchPlan plan_fetches(const Box& wanted, std::span<const Box> sources) {
  FetchPlan plan;
  std::vector<Box> open;
  if (volume(wanted) != 0) open.push_back(wanted);
  for (std::size_t source = 0; source < sources.size() && !open.empty(); ++source) {
    std::vector<Box> rest;
    for (const Box& box : open) {
      if (const auto common = overlap(box, sources[source])) {
        plan.fetches.push_back({source, *common});
        append_rest(box, *common, rest);
      } else {
        rest.push_back(box);
      }
    }
    open = std::move(rest);
  }
  if (!open.empty()) plan.missing = open.front();
  return plan;
}

Runs::Runs(const Part& block, const Box& box) {
  std::uint64_t stride = block.element_bytes;
  length_ = block.element_bytes;
  left_ = block.element_bytes * volume(box);
  bool together = true;  // the dimensions after this one are whole in the block
  for (std::size_t dimension = box.size(); dimension-- > 0;) {
    const Extent& extent = block.extents[dimension];
    offset_ += (box[dimension].first - extent.first) * stride;
    if (together)
      length_ *= box[dimension].count;
    else
      steps_.insert(steps_.begin(), Step{box[dimension].count, stride});
    together = together && box[dimension].count == extent.count;
    stride *= extent.count;
  }
}

Run Runs::next(std::uint64_t most) noexcept {
  const Run run{offset_ + taken_, std::min(most, length_ - taken_)};
  taken_ += run.bytes;
  left_ -= run.bytes;
  if (taken_ == length_) advance();
  return run;
}

void Runs::advance() noexcept {
  taken_ = 0;
  for (std::size_t index = steps_.size(); index-- > 0;) {
    Step& step = steps_[index];
    offset_ += step.stride_bytes;
    if (++step.at < step.count) return;
    offset_ -= step.count * step.stride_bytes;
    step.at = 0;
  }
}

}  // namespace psnam::checkpoint
