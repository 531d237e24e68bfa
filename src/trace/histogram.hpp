// A histogram of message sizes, counted without locks, printed when the program ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace psnam::trace {

/// Bins by size: the first holds up to `min_bytes`, each next one sizes up to 2^shift times more, the last one
/// everything that is left.
class Histogram {
 public:
  Histogram(std::uint64_t min_bytes, std::uint64_t max_bytes, unsigned shift);

  /// Counts one message. Wait-free, from any thread.
  void record(std::uint64_t bytes) noexcept;

  /// One line for each bin: upper limit in bytes, messages. `title` goes before them.
  [[nodiscard]] std::string text(const std::string& title) const;
  [[nodiscard]] std::vector<std::uint64_t> counts() const;
  [[nodiscard]] const std::vector<std::uint64_t>& limits() const noexcept { return limits_; }

 private:
  std::vector<std::uint64_t> limits_;  ///< inclusive upper limit of each bin but the last
  std::vector<std::atomic<std::uint64_t>> counts_;
};

}  // namespace psnam::trace
