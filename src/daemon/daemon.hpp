// namd at work: the host that serves, the metrics beside it, and one thread that waits for signals.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/system.hpp"
#include "daemon/load.hpp"
#include "daemon/metrics_server.hpp"
#include "daemon/signals.hpp"
#include "nam/host.hpp"

namespace psnam::daemon {

class Daemon {
 public:
  /// Opens the store and listens. Nobody is served before run().
  [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(CommandLine command_line, Loaded loaded);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Serves until SIGTERM or SIGINT. An error if the host gave up before.
  [[nodiscard]] Status run();

 private:
  Daemon(CommandLine command_line, Loaded loaded, Signals signals) noexcept;

  [[nodiscard]] Status open();
  [[nodiscard]] Status wait_for_the_end();
  void reread();
  [[nodiscard]] std::string metrics();
  [[nodiscard]] std::string description() const;

  CommandLine command_line_;
  Loaded loaded_;
  Signals signals_;
  Fd ended_;  ///< an eventfd: readable once the host has ended
  std::unique_ptr<nam::NamHost> host_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace psnam::daemon
