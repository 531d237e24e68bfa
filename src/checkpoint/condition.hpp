// What is found of a rank's copy when it is looked at as a whole, and what has to be made again for it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/survey.hpp"

namespace psnam::checkpoint {

/// What a rank says of its copy. Plain bytes.
struct Condition {
  std::uint64_t damaged_blocks = 0;
  std::uint32_t missing = 0;
  std::uint32_t reserved = 0;

  [[nodiscard]] bool whole() const noexcept { return damaged_blocks == 0 && missing == 0; }
};

/// The sets in which something is to be made again.
[[nodiscard]] std::vector<std::uint32_t> sets_in_need(const Series& series, const std::vector<Condition>& all);
/// Code::corrupt for damage, or a loss, that no parity is there for. `tells`: damage is told by a warning.
[[nodiscard]] Status check_damage(const Series& series, const Survey& survey, const VersionKey& key,
                                  const std::vector<Condition>& all, bool tells);

}  // namespace psnam::checkpoint
