// Counts the requests that a service answers: how many of each kind, how long they took, and why some were refused.
//
// Any number of threads count at once, each with a few relaxed additions; a reader sees each number whole, and may see
// a request in one of them and not yet in another.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "nam/statistics.hpp"

namespace psnam::nam {

class RequestMeter {
 public:
  /// `kinds` are the names of the kinds of requests, and outlive the meter.
  explicit RequestMeter(std::span<const std::string_view> kinds);

  /// One request of the kind `kind`, an index into the names; one beyond them is not counted. `failure`: its error.
  void record(std::size_t kind, std::chrono::nanoseconds took, std::optional<Code> failure) noexcept;

  /// Kinds and refusals that have occurred.
  void read(Statistics& statistics) const;

 private:
  struct Counters {
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> total_time_us{0};
    std::array<std::atomic<std::uint64_t>, kLatencyLimitsUs.size() + 1> latencies{};
  };
  static constexpr std::size_t kCodes = 64;

  std::vector<std::string_view> kinds_;
  std::vector<Counters> counters_;
  std::array<std::atomic<std::uint64_t>, kCodes> refusals_{};  // by Code
};

}  // namespace psnam::nam
