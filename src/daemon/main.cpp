// namd: serves the memory of this host. Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot serve (any more), 2
// for settings that cannot be understood.
#include <cstdio>
#include <new>

#include "daemon/command_line.hpp"
#include "daemon/daemon.hpp"
#include "daemon/load.hpp"

namespace psnam::daemon {
namespace {

int complain(const Error& error, int status) {
  std::fprintf(stderr, "namd: %s\n", error.message.c_str());
  return status;
}

int run(int argc, char** argv) {
  auto parsed = parse_command_line(argc, argv);
  if (parsed.exit_status) return *parsed.exit_status;
  auto loaded = load_settings(parsed.command_line);
  if (!loaded) return complain(loaded.error(), kUsage);
  if (parsed.command_line.check_only) return 0;
  auto daemon = Daemon::start(std::move(parsed.command_line), std::move(*loaded));
  if (!daemon) return complain(daemon.error(), kFailed);
  const Status ran = (*daemon)->run();
  return ran ? 0 : complain(ran.error(), kFailed);
}

}  // namespace
}  // namespace psnam::daemon

int main(int argc, char** argv) {
  try {
    return psnam::daemon::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("namd: no memory left\n", stderr);
    return psnam::daemon::kFailed;
  }
}
