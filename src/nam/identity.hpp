// Judges whether the processes of a use may still be alive. One judge serves one pass over many uses and asks the
// system once for each process.
#pragma once

#include <cstdint>
#include <map>

#include "base/result.hpp"
#include "format/catalog.hpp"

namespace psnam::nam {

class Judge {
 public:
  /// `boot` and `pid_namespace` are those of this process.
  Judge(const format::Uuid& boot, std::uint64_t pid_namespace) noexcept : boot_{boot}, pid_namespace_{pid_namespace} {}

  /// False only if it is certain that the process has ended.
  [[nodiscard]] bool may_be_alive(const format::ProcessIdentity& process, const format::Uuid& boot);
  [[nodiscard]] bool may_be_alive(const format::UseRecord& use);

 private:
  format::Uuid boot_;
  std::uint64_t pid_namespace_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, bool> ended_;  // by pid and start time
};

[[nodiscard]] Result<std::uint64_t> this_pid_namespace();
/// Nothing but 32 hexadecimal digits, with or without dashes, is a boot id.
[[nodiscard]] Result<format::Uuid> parse_boot_id(std::string_view text);

}  // namespace psnam::nam
