// Judges whether the processes of a use may still be alive. One judge serves one pass over many uses and asks the
// system once for each process.
//
// A process without a pid namespace is a session of a server of this store: of which run of the server, the boot of its
// use says, and its number stands where others have their start time. Session 0 is the server itself. With the server,
// or as soon as no server runs, all its sessions have ended.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "format/catalog.hpp"

namespace psnam::nam {

/// What a store that serves sessions knows of them.
struct Serving {
  format::Uuid instance;  ///< of this run of the server
  /// Whether a session of this run lives; once it does not, it never does again. Thread-safe.
  std::function<bool(std::uint64_t session)> lives;
  std::string address = {};  ///< where clients of this host reach the server; for messages
};

[[nodiscard]] inline bool is_session(const format::ProcessIdentity& process) noexcept {
  return process.pid_namespace == 0;
}

/// A session as a user of windows and allocations: `pid` and `rank` are for people, `session` is 0 for the server.
[[nodiscard]] inline format::ProcessIdentity session_user(std::uint32_t pid, std::uint32_t rank,
                                                          std::uint64_t session) noexcept {
  return {.pid = pid, .rank = rank, .start_time_ticks = session, .pid_namespace = 0};
}

class Judge {
 public:
  /// `boot` and `pid_namespace` are those of this process; `serving` is null where no server runs.
  Judge(const format::Uuid& boot, std::uint64_t pid_namespace, const Serving* serving = nullptr) noexcept
      : boot_{boot}, pid_namespace_{pid_namespace}, serving_{serving} {}

  /// False only if it is certain that the process has ended.
  [[nodiscard]] bool may_be_alive(const format::ProcessIdentity& process, const format::Uuid& boot);
  [[nodiscard]] bool may_be_alive(const format::UseRecord& use);

 private:
  format::Uuid boot_;
  std::uint64_t pid_namespace_;
  const Serving* serving_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, bool> ended_;  // by pid and start time
};

[[nodiscard]] Result<std::uint64_t> this_pid_namespace();
/// Nothing but 32 hexadecimal digits, with or without dashes, is a boot id.
[[nodiscard]] Result<format::Uuid> parse_boot_id(std::string_view text);

}  // namespace psnam::nam
