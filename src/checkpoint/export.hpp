// A version into files of a folder, as a job writes them (checkpoint/files.hpp), by somebody who has no job: ranks
// whose copies are lost or damaged are computed from the others and the parity.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "checkpoint/seen_series.hpp"

namespace psnam::checkpoint {

struct ExportReport {
  VersionKey version;
  std::uint64_t bytes = 0;             ///< in all files
  std::vector<std::uint32_t> rebuilt;  ///< ranks whose copy is not here
  std::vector<std::uint32_t> repaired;
};

/// Code::corrupt, saying what is missing, if a rank's data cannot be had; no file is written then. Other versions in
/// the folder stay.
[[nodiscard]] Result<ExportReport> export_version(const SeenSeries& series, const VersionKey& key,
                                                  const std::filesystem::path& folder);

}  // namespace psnam::checkpoint
