// The settings that are in force: what the command line and the configuration file say together.
#pragma once

#include "daemon/command_line.hpp"
#include "daemon/settings.hpp"

namespace psnam::daemon {

struct Loaded {
  Settings settings;
  WrittenSettings file;  ///< as it was read, to be compared with what it says later
};

/// Reads the file anew. Nothing is changed by a failure.
[[nodiscard]] Result<Loaded> load_settings(const CommandLine& command_line);

}  // namespace psnam::daemon
