// Whether a version is as it was saved, and can be had again: every block of copies and parity is compared with its
// checksum, and the parity is computed once more. Nothing is changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/seen_series.hpp"

namespace psnam::checkpoint {

/// What is not as it was saved: consecutive blocks of one piece, or a header.
struct Finding {
  std::string text;
  std::optional<std::uint32_t> set = {}, rank = {}, parity = {};
  std::optional<std::uint64_t> block = {}, blocks = {};  ///< the first one, and how many
};

struct Verdict {
  VersionKey version;
  std::vector<Finding> findings;
  std::vector<std::uint32_t> missing;  ///< ranks whose copies are not here
  std::vector<std::string> fatal;      ///< why it cannot be had again from what is here
  bool overwritten = false;            ///< a job has written to it meanwhile; nothing is known

  [[nodiscard]] bool restorable() const noexcept { return fatal.empty() && !overwritten; }
  [[nodiscard]] bool sound() const noexcept { return findings.empty() && restorable(); }
};

[[nodiscard]] Result<Verdict> verify(const SeenSeries& series, const VersionKey& key);

/// Of a set of libNAM, whose data are nowhere but in the job: the parity of a version.
[[nodiscard]] Result<Verdict> verify(const SeenMemory& memory, const parity::Area& area,
                                     const parity::Version& version);

}  // namespace psnam::checkpoint
