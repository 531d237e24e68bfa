// The command line of namd.
#pragma once

#include <optional>
#include <string>

#include "daemon/settings.hpp"

namespace psnam::daemon {

struct CommandLine {
  std::string file;  ///< of --config; empty: none
  bool check_only = false;
  WrittenSettings written;
};

/// What was asked for; or, for --help, --version and what cannot be understood, the exit status after all was printed.
struct Parsed {
  CommandLine command_line;
  std::optional<int> exit_status;
};

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

[[nodiscard]] Parsed parse_command_line(int argc, const char* const* argv);

}  // namespace psnam::daemon
