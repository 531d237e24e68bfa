#include "nam/host_statistics.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "psnam_version.hpp"

namespace psnam::nam {
namespace {

// As many sessions as are told fit into a message, whatever names they have.
constexpr std::size_t kMostSessions = 20'000;

std::uint64_t now_unix_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

void add_counters(const control::ServerCounters& counters, Statistics& statistics) {
  statistics.sessions_open = counters.sessions_open;
  statistics.sessions_accepted = counters.accepted;
  statistics.sessions_refused = counters.refused;
  statistics.sessions_dropped = counters.dropped;
  statistics.control_requests = counters.requests;
  statistics.control_received_bytes = counters.bytes_received;
  statistics.control_sent_bytes = counters.bytes_sent;
}

void add_summary(const StoreSummary& summary, Statistics& statistics) {
  statistics.windows = summary.windows;
  statistics.allocations = summary.allocations;
  statistics.uses = summary.uses;
  statistics.capacity_bytes = summary.capacity_bytes;
  statistics.reserved_bytes = summary.reserved_bytes;
  statistics.file_system_bytes = summary.file_system_bytes;
  statistics.file_system_free_bytes = summary.file_system_free_bytes;
  statistics.catalog_bytes = summary.catalog_bytes;
  statistics.catalog_limit_bytes = summary.catalog_limit_bytes;
  statistics.nams.push_back({.index = 0,
                             .store = summary.id,
                             .name = summary.host,
                             .address = {},
                             .reachable = true,
                             .capacity_bytes = summary.capacity_bytes,
                             .reserved_bytes = summary.reserved_bytes});
}

SessionStatistics told_of(const SessionHold& hold, const SessionTable& sessions) {
  return {.session = hold.caller.session,
          .uid = hold.caller.uid,
          .pid = hold.caller.pid,
          .host = hold.facts.host,
          .ip = hold.facts.ip,
          .method = hold.facts.method,
          .began_unix_seconds = hold.facts.began_unix_seconds,
          .requests = hold.requests.load(std::memory_order_relaxed),
          .uses = sessions.count_uses(hold.caller.session),
          .fabric_bytes = hold.memory.granted_bytes()};
}

UserStatistics& user(std::uint32_t uid, Statistics& statistics) {
  const auto known = std::find_if(statistics.users.begin(), statistics.users.end(),
                                  [&](const UserStatistics& one) { return one.uid == uid; });
  return known != statistics.users.end() ? *known : statistics.users.emplace_back(UserStatistics{.uid = uid});
}

/// Sessions, and users by them. Another user's are counted, not told.
void add_sessions(const HostParts& parts, const std::optional<Caller>& caller, Statistics& statistics) {
  const bool all = !caller || caller->uid == 0 || caller->uid == ::geteuid();
  for (const auto& hold : parts.sessions.all()) {
    const std::uint64_t bytes = hold->memory.granted_bytes();
    statistics.fabric_registered_bytes += bytes;
    statistics.fabric_endpoints += hold->memory.opened() ? 1 : 0;
    if (!all && hold->caller.uid != caller->uid) continue;
    ++user(hold->caller.uid, statistics).sessions;
    if (statistics.sessions.size() < kMostSessions) statistics.sessions.push_back(told_of(*hold, parts.sessions));
  }
}

/// What users hold, and may hold.
Status add_users(HostParts& parts, const std::optional<Caller>& caller, Statistics& statistics) {
  PSNAM_TRY(const auto users, caller ? parts.store->as(*caller)->users() : parts.store->users());
  for (const format::UserRecord& record : users) {
    UserStatistics& one = user(record.uid, statistics);
    one.reserved_bytes = record.reserved_bytes + record.lazy_bytes;
    one.objects = record.objects;
  }
  const std::lock_guard lock{parts.limits_mutex};
  const Limits& limits = parts.limits;
  for (UserStatistics& one : statistics.users) {
    const auto own = limits.bytes_of_user.find(one.uid);
    if (own != limits.bytes_of_user.end())
      one.quota_bytes = own->second;
    else if (one.uid != 0 && limits.user_bytes)
      one.quota_bytes = *limits.user_bytes;
    if (one.uid != 0 && limits.user_objects) one.quota_objects = *limits.user_objects;
  }
  return {};
}

/// A manager tells of those that have joined it; a memory node knows its own index only.
Status add_nams(HostParts& parts, Statistics& statistics) {
  PSNAM_TRY(const auto place, parts.store->nam_place());
  if (place) statistics.nams.front().index = place->index;
  if (place && place->index != 0) return {};
  PSNAM_TRY(const auto reports, parts.nams.reports(*parts.store));
  for (const NamReport& nam : reports)
    if (nam.index != 0)
      statistics.nams.push_back({.index = nam.index,
                                 .store = nam.store,
                                 .name = {},
                                 .address = nam.address,
                                 .reachable = nam.reachable,
                                 .capacity_bytes = nam.capacity_bytes,
                                 .reserved_bytes = nam.capacity_bytes - std::min(nam.capacity_bytes, nam.free_bytes)});
  return {};
}

}  // namespace

Result<Statistics> host_statistics(HostParts& parts, const std::optional<Caller>& caller) {
  Statistics statistics;
  statistics.software_version = kVersion;
  statistics.provider = parts.fabric.provider();
  statistics.began_unix_seconds = parts.began_unix_seconds;
  statistics.now_unix_us = now_unix_us();
  statistics.agent_bytes = parts.agent_bytes.load(std::memory_order_relaxed);
  statistics.quarantine_bytes = parts.memory.quarantined_bytes();
  if (parts.counters) add_counters(parts.counters(), statistics);
  PSNAM_TRY(const StoreSummary summary, parts.store->summary());
  add_summary(summary, statistics);
  PSNAM_CHECK(add_nams(parts, statistics));
  parts.meter->read(statistics);
  add_sessions(parts, caller, statistics);
  PSNAM_CHECK(add_users(parts, caller, statistics));
  return statistics;
}

}  // namespace psnam::nam
