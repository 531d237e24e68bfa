// Versions as files in a folder, for when all memory is gone: each rank writes its copy, as it lies in its store
// (format/checkpoint_page.hpp), so a file tells what it is and has its checksums. It gets its name when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/version_key.hpp"

namespace psnam::checkpoint {

/// Those of one rank of a series, which is known by its name: the ids of series end with the memory.
class Files {
 public:
  Files(std::filesystem::path folder, const std::string& series, std::uint32_t ranks, std::uint32_t rank);

  /// Newest first.
  [[nodiscard]] std::vector<VersionKey> versions() const;
  /// The copy becomes a file, on the disk when it returns. Of this rank's older files one stays. The copy is not
  /// written meanwhile.
  Status write(const CopyView& copy) const;
  /// As write(), and all older files stay.
  Status add(const CopyView& copy) const;
  /// The content, verified: Code::corrupt if it is not as it was written, and Code::system.
  [[nodiscard]] Result<std::vector<std::byte>> read(const VersionKey& key, CopyOwner& owner) const;
  Status remove_all() const;

 private:
  [[nodiscard]] std::filesystem::path path_of(const VersionKey& key) const;

  std::filesystem::path folder_;
  std::string prefix_, suffix_;
  std::uint32_t ranks_, rank_;
};

}  // namespace psnam::checkpoint
