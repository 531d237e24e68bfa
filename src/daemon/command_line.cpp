#include "daemon/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "psnam_version.hpp"

namespace psnam::daemon {

Parsed parse_command_line(int argc, const char* const* argv) {
  CLI::App app{"Serves the memory of this host to many users and many hosts, as a network attached memory.", "namd"};
  Parsed parsed;
  app.set_version_flag("--version", std::string{"namd (psnam) "} + kVersion);
  app.add_option("--config", parsed.command_line.file, "read settings from this file; those given here win")
      ->type_name("FILE");
  app.add_flag("--check-config", parsed.command_line.check_only,
               "only say whether the settings are right, by the status");
  app.footer("In the file: name = value, one a line. SIGHUP rereads quotas, max-objects, catalog and log.");
  std::vector<std::vector<std::string>> values(setting_table().size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const SettingRow& row = setting_table()[i];
    app.add_option(fmt::format("--{}", row.name), values[i],
                   fmt::format("{} (default: {})", row.help, row.default_text))
        ->type_name(std::string{row.syntax})
        ->take_all()
        ->expected(1);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_status = app.exit(error) == 0 ? 0 : kUsage;
    return parsed;
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!values[i].empty()) {
      const std::string name{setting_table()[i].name};
      parsed.command_line.written.push_back({name, std::move(values[i]), "", "--" + name});
    }
  return parsed;
}

}  // namespace psnam::daemon
