// Versions as files in a folder, for when all memory is gone: each rank writes its copy, as it lies in its store
// (format/checkpoint_page.hpp), so a file tells what it is and has its checksums. It gets its name when it is whole.
#pragma once

#include <atomic>
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
  /// The copy becomes a file, on the disk when it returns, its name too. The copy is not written meanwhile. `written`,
  /// if there is one, grows with the bytes that are.
  Status add(const CopyView& copy, std::atomic<std::uint64_t>* written = nullptr) const;
  /// Of this rank's files up to that of `key`, which is there, the newest `kept` stay.
  void remove_older(const VersionKey& key, std::size_t kept) const;
  /// What jobs that were killed have begun for this rank goes.
  void remove_unfinished() const;
  /// The content, verified: Code::corrupt if it is not as it was written, and Code::system.
  [[nodiscard]] Result<std::vector<std::byte>> read(const VersionKey& key, CopyOwner& owner) const;
  Status remove_all() const;
  /// Those of jobs with another number of ranks, of versions up to `key`.
  void remove_of_others(const VersionKey& key) const;
  /// How many bytes all ranks have in files of the version, finished or not.
  [[nodiscard]] std::uint64_t bytes_of_all(const VersionKey& key) const;
  [[nodiscard]] const std::string& series() const noexcept { return series_; }
  /// How many ranks there were in the jobs that the files of the series are of, as far as each rank has one.
  [[nodiscard]] std::vector<std::uint32_t> numbers_of_ranks() const;

 private:
  [[nodiscard]] std::filesystem::path path_of(const VersionKey& key) const;

  std::filesystem::path folder_;
  std::string series_, prefix_, suffix_;
  std::uint32_t ranks_, rank_;
};

}  // namespace psnam::checkpoint
