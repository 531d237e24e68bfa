#include "daemon/load.hpp"

#include "daemon/settings_file.hpp"

namespace psnam::daemon {

Result<Loaded> load_settings(const CommandLine& command_line) {
  Loaded loaded;
  if (!command_line.file.empty()) {
    PSNAM_TRY(loaded.file, read_settings_file(command_line.file));
  }
  PSNAM_TRY(loaded.settings, make_settings(command_line.written, loaded.file));
  return loaded;
}

}  // namespace psnam::daemon
