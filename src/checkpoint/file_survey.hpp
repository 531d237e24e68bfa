// Which versions all ranks have, in a copy or in a file.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "checkpoint/files.hpp"
#include "checkpoint/survey.hpp"
#include "checkpoint/version_key.hpp"

namespace psnam::checkpoint {

/// What a rank says of its files. Plain bytes.
struct FileState {
  std::array<VersionKey, 2 + kMostVersions> files{};  // those that are kept, and newer ones that not all ranks have

  [[nodiscard]] static FileState of(const Files& files);
  [[nodiscard]] bool has(const VersionKey& key) const;
};

/// Of number `asked`, 0: any; newest first. With `partners`, what a rank's partner has counts as its copy.
[[nodiscard]] std::vector<VersionKey> versions_with_files(const Survey& survey, const std::vector<FileState>& all,
                                                          std::uint64_t asked, bool partners);

}  // namespace psnam::checkpoint
