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

Result<nam::HostOptions> host_options(const Settings& settings) {
  nam::HostOptions options;
  options.store.folder = settings.store;
  options.store.capacity_bytes = settings.capacity_bytes;
  options.store.placement.huge_pages = settings.huge_pages;
  options.store.placement.durable = settings.durable;
  if (!settings.numa_nodes.empty()) {
    PSNAM_TRY(options.store.placement.bind, nam::bind_to_numa_nodes(settings.numa_nodes));
  }
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

nam::Limits limits(const Settings& settings) {
  const auto limit = [](std::uint64_t value) {
    return value == kNoLimit ? std::nullopt : std::optional<std::uint64_t>{value};
  };
  nam::Limits limits;
  limits.user_bytes = limit(settings.quota_bytes);
  limits.user_objects = limit(settings.quota_objects);
  limits.objects = limit(settings.max_objects);
  limits.catalog_bytes = settings.catalog_bytes;
  for (const auto& [uid, user] : settings.users)
    if (user.quota_bytes) limits.bytes_of_user[uid] = *user.quota_bytes;
  return limits;
}

}  // namespace psnam::daemon
