#include "daemon/host_options.hpp"

#include <unistd.h>

#include <array>
#include <climits>

namespace psnam::daemon {
namespace {

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

nam::HostOptions host_options(const Settings& settings) {
  nam::HostOptions options;
  options.store.folder = settings.store;
  options.store.capacity_bytes = settings.capacity_bytes;
  options.listen = settings.listen;
  options.name = settings.name.empty() ? host_name() : settings.name;
  options.server.auth = settings.auth;
  options.server.workers = settings.workers;
  options.server.max_sessions = settings.max_sessions;
  options.server.silence_timeout = settings.timeout;
  options.server.handshake_timeout = settings.timeout;
  options.fabric.provider = settings.provider;
  options.fabric.timeout = settings.timeout;
  if (settings.join) {
    options.join = nam::ClientOptions{.address = *settings.join};
    options.join->timeout = settings.timeout;
    options.join->credentials.munge = settings.auth.munge;
    options.join->credentials.munge_socket = settings.auth.munge_socket;
    options.join->credentials.secret_file = settings.auth.secret_file;
  }
  return options;
}

}  // namespace psnam::daemon
