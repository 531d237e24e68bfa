// The configuration file of namd: `name = value` lines, and sections [user.NAME] with the quotas of a user.
#pragma once

#include <filesystem>

#include "daemon/settings.hpp"

namespace psnam::daemon {

/// What is written in `file`; whether the names and values are right is for make_settings() to say.
/// Code::name_not_found if it is not there, Code::invalid_argument for a section that is none.
[[nodiscard]] Result<WrittenSettings> read_settings_file(const std::filesystem::path& file);

}  // namespace psnam::daemon
