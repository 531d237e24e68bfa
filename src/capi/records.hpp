// The records of persistent sets, by which a later job finds them. A set is a named allocation of the catalog: the name
// has what an allocation's record has no field for, and the user who owns it is part of the record, so sets of several
// jobs and users do not meet. Beside it a file, $HOME/.libNAM/<challenge>.alloc_ext, says the same; it is read for what
// the catalog does not know as a set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "capi/nams.hpp"
#include "nam/store.hpp"
#include "nam_team.h"

namespace psnam::capi {

struct SetRecord {
  std::int32_t nam_index = 0;
  std::uint64_t challenge = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t address = 0;
  std::uint64_t max_bytes = 0;
  std::uint64_t ranks = 0;
  std::vector<std::int32_t> global_ranks;  ///< one for each rank; empty if they are not known
  bool operator==(const SetRecord&) const = default;
};

/// A name for the allocation of a new set, never given before. Of `record`, it carries the last three fields.
[[nodiscard]] std::string new_set_name(const SetRecord& record);
/// What an allocation of the catalog says, if its name is that of a set.
[[nodiscard]] std::optional<SetRecord> set_of(const format::AllocationRecord& allocation);

/// The content of a record's file, and back. Code::corrupt names line and content.
[[nodiscard]] std::string to_text(const SetRecord& record);
[[nodiscard]] Result<SetRecord> parse_text(std::string_view text);

/// $HOME/.libNAM, or that of the home folder that the system knows.
[[nodiscard]] Result<std::filesystem::path> records_folder();
/// Writes, and replaces, the file of `record` in one step; makes the folder.
[[nodiscard]] Status write_record(const std::filesystem::path& folder, const SetRecord& record);
/// Absent is fine.
[[nodiscard]] Status remove_record(const std::filesystem::path& folder, std::uint64_t challenge);
/// All records of `folder`. What is no record is told by a warning, and skipped.
[[nodiscard]] std::vector<SetRecord> read_records(const std::filesystem::path& folder);

/// The sets of the calling user in all NAMs that answer: those of the catalogs, then those of files, by address.
[[nodiscard]] Result<std::vector<SetRecord>> find_sets(const ServicePointer& home);

/// The sets that were found last.
class LoadedRecords {
 public:
  std::size_t set(std::vector<SetRecord> records) {
    const std::lock_guard lock{mutex_};
    records_ = std::move(records);
    return records_.size();
  }
  [[nodiscard]] std::vector<SetRecord> get() const {
    const std::lock_guard lock{mutex_};
    return records_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<SetRecord> records_;
};

}  // namespace psnam::capi
