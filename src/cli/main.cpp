// namctl: looks after the windows of a NAM store.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "psnam_version.hpp"

namespace psnam::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

using Command = std::function<Result<Outcome>()>;

/// Everything that was given to namctl, and what is to be done.
struct Parsed {
  Invocation invocation;
  std::vector<std::string> names;
  Command command;
};

void add_commands(CLI::App& app, Parsed& parsed) {
  const auto add = [&](const char* name, const char* help, Command command) {
    CLI::App* const added = app.add_subcommand(name, help);
    added->callback([&parsed, command = std::move(command)] { parsed.command = command; });
    added->fallthrough();
    return added;
  };
  add("list", "the windows of the store", [&] { return list_windows(parsed.invocation); });
  add("show", "one window with its regions and users",
      [&] { return show_window(parsed.invocation, parsed.names.front()); })
      ->add_option("name", parsed.names, "name of the window")
      ->required()
      ->expected(1);
  add("rm", "remove windows: the name at once, the memory when nobody uses it any more",
      [&] { return remove_windows(parsed.invocation, parsed.names); })
      ->add_option("name", parsed.names, "names of windows")
      ->required();
  add("gc", "release what ended jobs left", [&] { return collect_garbage(parsed.invocation); });
  add("env", "the environment variables and their values", [&] { return show_environment(parsed.invocation); });
  add("doctor", "what is installed, where the store is, how full, and what is wrong",
      [&] { return examine(parsed.invocation); });
}

void complain(const std::string& message) { std::fprintf(stderr, "namctl: %s\n", message.c_str()); }

int report(const Result<Outcome>& outcome) {
  if (!outcome) {
    complain(outcome.error().message);
    return kFailed;
  }
  std::fputs(outcome->output.c_str(), stdout);
  // Output that did not get out is a failure: a full disk, a closed pipe.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    complain("standard output cannot be written");
    return kFailed;
  }
  for (const auto& failure : outcome->failures) complain(failure);
  return outcome->failures.empty() && !outcome->failed ? 0 : kFailed;
}

int run(int argc, char** argv) {
  CLI::App app{"Looks after the windows of a NAM store.", "namctl"};
  Parsed parsed;
  app.set_version_flag("--version", std::string{"namctl (psnam) "} + kVersion);
  app.add_option("--store", parsed.invocation.store_argument,
                 "folder of the store (default: PSNAM_STORE, else /dev/shm/psnam-UID)");
  app.add_flag("--json", parsed.invocation.json, "output for programs");
  app.require_subcommand(1);
  add_commands(app, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return report(parsed.command());
}

}  // namespace
}  // namespace psnam::cli

int main(int argc, char** argv) {
  try {
    return psnam::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("namctl: no memory left\n", stderr);
    return psnam::cli::kFailed;
  }
}
