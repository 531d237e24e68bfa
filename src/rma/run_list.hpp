// Building a type map: blocks are appended in order, and what can be said shorter is: neighbours become one block,
// blocks at equal distances one Run.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/layout.hpp"
#include "base/result.hpp"
#include "rma/checked.hpp"

namespace psnam::rma {

using backends::Run;

class RunList {
 public:
  /// The most runs a list may have (2 GiB of them); beyond, the type is refused instead of the machine's memory being
  /// spent.
  static constexpr std::size_t kMaxRuns = std::size_t{1} << 26;

  explicit RunList(std::size_t max_runs = kMaxRuns) noexcept : max_runs_{max_runs} {}

  /// The blocks of `run` follow those present.
  void append(Run run);
  /// The blocks of `list`, moved by `at` bytes, follow those present.
  void append(const RunList& list, Checked at);
  /// The list becomes `n` copies of itself, each `stride` bytes further than the one before.
  void repeat(std::int64_t n, Checked stride);

  /// Code::datatype after an overflow, Code::no_memory after too many runs. Both stick.
  [[nodiscard]] Status status() const;
  [[nodiscard]] const std::vector<Run>& runs() const noexcept { return runs_; }
  [[nodiscard]] std::vector<Run> take() noexcept { return std::move(runs_); }

 private:
  [[nodiscard]] bool failed() const noexcept { return overflow_ || too_many_; }
  std::ptrdiff_t use(Checked number) noexcept;
  [[nodiscard]] bool follows_last_block(const Run& run) const noexcept;
  Run pop_last_block() noexcept;
  void join(Run run);
  bool extend_last(const Run& run) noexcept;
  void repeat_each(std::int64_t n, std::ptrdiff_t stride);

  std::vector<Run> runs_;
  std::size_t max_runs_;
  bool overflow_ = false;
  bool too_many_ = false;
};

}  // namespace psnam::rma
