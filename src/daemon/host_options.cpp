#include "daemon/host_options.hpp"

#include "psnam_version.hpp"

namespace psnam::daemon {

nam::HostOptions host_options(const Settings& settings) {
  nam::HostOptions options;
  options.store.folder = settings.store;
  options.store.capacity_bytes = settings.capacity_bytes;
  options.listen = settings.listen;
  options.server.auth = settings.auth;
  options.server.workers = settings.workers;
  options.server.max_sessions = settings.max_sessions;
  options.server.silence_timeout = settings.timeout;
  options.server.handshake_timeout = settings.timeout;
  options.provider = settings.provider;
  options.join = settings.join;
  options.name = settings.name;
  options.timeout = settings.timeout;
  return options;
}

}  // namespace psnam::daemon
