#include "trace/histogram.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::trace {
namespace {

std::vector<std::uint64_t> make_limits(std::uint64_t min_bytes, std::uint64_t max_bytes, unsigned shift) {
  std::vector<std::uint64_t> limits;
  for (std::uint64_t limit = min_bytes; limit <= max_bytes; limit <<= shift) {
    limits.push_back(limit);
    if (limit > (UINT64_MAX >> shift)) break;
  }
  return limits;
}

}  // namespace

Histogram::Histogram(std::uint64_t min_bytes, std::uint64_t max_bytes, unsigned shift)
    : limits_{make_limits(min_bytes, max_bytes, shift)}, counts_(limits_.size() + 1) {}

void Histogram::record(std::uint64_t bytes) noexcept {
  const auto bin = static_cast<std::size_t>(std::lower_bound(limits_.begin(), limits_.end(), bytes) - limits_.begin());
  counts_[bin].fetch_add(1, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> counts;
  counts.reserve(counts_.size());
  for (const auto& count : counts_) counts.push_back(count.load(std::memory_order_relaxed));
  return counts;
}

std::string Histogram::text(const std::string& title) const {
  std::string text = title + "\n";
  for (std::size_t bin = 0; bin < limits_.size(); ++bin)
    text += fmt::format("  <= {:>12} {:>12}\n", limits_[bin], counts_[bin].load(std::memory_order_relaxed));
  text += fmt::format("   > {:>12} {:>12}\n", limits_.empty() ? 0 : limits_.back(),
                      counts_.back().load(std::memory_order_relaxed));
  return text;
}

}  // namespace psnam::trace
