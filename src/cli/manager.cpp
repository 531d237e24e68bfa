#include "cli/manager.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/report.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

constexpr double kMicro = 1e-6;

std::string limit_text(std::uint64_t bytes) { return bytes == UINT64_MAX ? "-" : size_text(bytes); }
std::string count_limit_text(std::uint64_t count) { return count == UINT64_MAX ? "-" : std::to_string(count); }
std::string rate_text(double bytes_per_second) {
  return size_text(static_cast<std::uint64_t>(std::max(0.0, bytes_per_second))) + "/s";
}

std::uint64_t sum(const nam::Statistics& statistics, std::uint64_t nam::RequestStatistics::*member) {
  std::uint64_t total = 0;
  for (const auto& one : statistics.requests) total += one.*member;
  return total;
}

/// Absent for what has no limit.
void put_limit(JsonWriter& json, std::string_view name, std::uint64_t limit) {
  json.key(name);
  if (limit == UINT64_MAX)
    json.null();
  else
    json.value(limit);
}

std::string users_text(const nam::Statistics& statistics) {
  Table table{{"USER", "SESSIONS", "RESERVED", "QUOTA", "OBJECTS", "LIMIT"}, {1, 2, 3, 4, 5}};
  for (const auto& user : statistics.users)
    table.add({user_name(user.uid), std::to_string(user.sessions), size_text(user.reserved_bytes),
               limit_text(user.quota_bytes), std::to_string(user.objects), count_limit_text(user.quota_objects)});
  return table.text();
}

std::string requests_text(const nam::Statistics& statistics) {
  Table table{{"REQUEST", "ANSWERED", "FAILED", "MEAN us"}, {1, 2, 3}};
  auto requests = statistics.requests;
  std::sort(requests.begin(), requests.end(), [](const auto& a, const auto& b) { return a.requests > b.requests; });
  for (const auto& one : requests)
    table.add({one.kind, std::to_string(one.requests), std::to_string(one.failed),
               std::to_string(one.total_time_us / std::max<std::uint64_t>(1, one.requests))});
  return table.text();
}

void put_rates(JsonWriter& json, const std::optional<Rates>& rates) {
  json.key("rates");
  if (!rates) {
    json.null();
    return;
  }
  const auto whole = [](double value) { return static_cast<std::uint64_t>(std::max(0.0, value)); };
  json.begin_object()
      .member("interval_us", whole(rates->seconds / kMicro))
      .member("requests_per_second", whole(rates->requests))
      .member("failures_per_second", whole(rates->failures))
      .member("received_bytes_per_second", whole(rates->received_bytes))
      .member("sent_bytes_per_second", whole(rates->sent_bytes))
      .member("mean_latency_us", whole(rates->mean_latency_us))
      .end_object();
}

void put_requests(JsonWriter& json, const nam::Statistics& statistics) {
  json.key("requests").begin_array();
  for (const auto& one : statistics.requests)
    json.begin_object()
        .member("kind", one.kind)
        .member("answered", one.requests)
        .member("failed", one.failed)
        .member("total_time_us", one.total_time_us)
        .end_object();
  json.end_array().key("refusals").begin_array();
  for (const auto& one : statistics.refusals)
    json.begin_object().member("reason", one.kind).member("count", one.count).end_object();
  json.end_array();
}

}  // namespace

std::optional<Rates> rates_between(const nam::Statistics& before, const nam::Statistics& after) {
  if (after.began_unix_seconds != before.began_unix_seconds || after.now_unix_us <= before.now_unix_us ||
      after.control_requests < before.control_requests)
    return std::nullopt;
  Rates rates;
  rates.seconds = static_cast<double>(after.now_unix_us - before.now_unix_us) * kMicro;
  const auto each = [&](std::uint64_t from, std::uint64_t to) {
    return to < from ? 0.0 : static_cast<double>(to - from) / rates.seconds;
  };
  rates.requests = each(before.control_requests, after.control_requests);
  rates.failures = each(sum(before, &nam::RequestStatistics::failed), sum(after, &nam::RequestStatistics::failed));
  rates.received_bytes = each(before.control_received_bytes, after.control_received_bytes);
  rates.sent_bytes = each(before.control_sent_bytes, after.control_sent_bytes);
  const double answered =
      each(sum(before, &nam::RequestStatistics::requests), sum(after, &nam::RequestStatistics::requests));
  const double took =
      each(sum(before, &nam::RequestStatistics::total_time_us), sum(after, &nam::RequestStatistics::total_time_us));
  rates.mean_latency_us = answered > 0 ? took / answered : 0;
  return rates;
}

std::string sessions_text(const nam::Statistics& statistics) {
  Table table{{"SESSION", "USER", "PID", "HOST", "FROM", "BY", "SINCE", "REQUESTS", "USES", "FABRIC"}, {2, 7, 8, 9}};
  for (const auto& one : statistics.sessions)
    table.add({fmt::format("{:016x}", one.session), user_name(one.uid), std::to_string(one.pid), one.host,
               one.ip.empty() ? "local" : one.ip, one.method, time_text(one.began_unix_seconds),
               std::to_string(one.requests), std::to_string(one.uses), size_text(one.fabric_bytes)});
  return table.text();
}

std::string nams_text(const nam::Statistics& statistics) {
  Table table{{"INDEX", "NAME", "ADDRESS", "STATE", "RESERVED", "CAPACITY", "STORE"}, {0, 4, 5}};
  for (const auto& one : statistics.nams)
    table.add({std::to_string(one.index), one.name, one.address.empty() ? "-" : one.address,
               one.reachable ? "up" : "down", size_text(one.reserved_bytes), size_text(one.capacity_bytes),
               format::to_string(one.store)});
  return table.text();
}

std::string page_text(const std::string& place, const nam::Statistics& statistics, const std::optional<Rates>& rates) {
  std::string text = fmt::format(
      "{}: psnam {}, up since {}, fabric {}\n{} of {} reserved, {}, {}, {}\n{} open, {} accepted, {} refused, {} "
      "dropped\n",
      place, statistics.software_version, time_text(statistics.began_unix_seconds),
      statistics.provider.empty() ? "not used yet" : statistics.provider, size_text(statistics.reserved_bytes),
      size_text(statistics.capacity_bytes), count_text(statistics.windows, "window"),
      count_text(statistics.allocations, "allocation"), count_text(statistics.uses, "use"),
      count_text(statistics.sessions_open, "session"), statistics.sessions_accepted, statistics.sessions_refused,
      statistics.sessions_dropped);
  if (statistics.fabric_endpoints != 0 || statistics.quarantine_bytes != 0)
    text += fmt::format("over the fabric: {}, {} reachable; {} in quarantine\n",
                        count_text(statistics.fabric_endpoints, "client"),
                        size_text(statistics.fabric_registered_bytes), size_text(statistics.quarantine_bytes));
  if (rates)
    text += fmt::format("{:.0f} requests/s, {:.0f} failed/s, {:.0f} us each; {} in, {} out\n", rates->requests,
                        rates->failures, rates->mean_latency_us, rate_text(rates->received_bytes),
                        rate_text(rates->sent_bytes));
  if (!statistics.users.empty()) text += '\n' + users_text(statistics);
  if (!statistics.requests.empty()) text += '\n' + requests_text(statistics);
  if (!statistics.sessions.empty()) text += '\n' + sessions_text(statistics);
  return text;
}

void put_sessions(JsonWriter& json, const nam::Statistics& statistics) {
  json.key("sessions").begin_array();
  for (const auto& one : statistics.sessions)
    json.begin_object()
        .member("session", fmt::format("{:016x}", one.session))
        .member("uid", one.uid)
        .member("pid", one.pid)
        .member("host", one.host)
        .member("ip", one.ip)
        .member("method", one.method)
        .member("began_unix_seconds", one.began_unix_seconds)
        .member("requests", one.requests)
        .member("uses", one.uses)
        .member("fabric_bytes", one.fabric_bytes)
        .end_object();
  json.end_array();
}

void put_users(JsonWriter& json, const nam::Statistics& statistics) {
  json.key("users").begin_array();
  for (const auto& user : statistics.users) {
    json.begin_object()
        .member("uid", user.uid)
        .member("sessions", user.sessions)
        .member("reserved_bytes", user.reserved_bytes)
        .member("objects", user.objects);
    put_limit(json, "quota_bytes", user.quota_bytes);
    put_limit(json, "quota_objects", user.quota_objects);
    json.end_object();
  }
  json.end_array();
}

void put_nams(JsonWriter& json, const nam::Statistics& statistics) {
  json.key("nams").begin_array();
  for (const auto& one : statistics.nams)
    json.begin_object()
        .member("index", one.index)
        .member("name", one.name)
        .member("address", one.address)
        .member("reachable", one.reachable)
        .member("reserved_bytes", one.reserved_bytes)
        .member("capacity_bytes", one.capacity_bytes)
        .member("store", format::to_string(one.store))
        .end_object();
  json.end_array();
}

std::string page_json(const std::string& place, const nam::Statistics& statistics, const std::optional<Rates>& rates) {
  JsonWriter json;
  json.begin_object()
      .member("manager", place)
      .member("version", statistics.software_version)
      .member("provider", statistics.provider)
      .member("began_unix_seconds", statistics.began_unix_seconds)
      .member("now_unix_us", statistics.now_unix_us)
      .member("sessions_open", statistics.sessions_open)
      .member("sessions_accepted", statistics.sessions_accepted)
      .member("sessions_refused", statistics.sessions_refused)
      .member("sessions_dropped", statistics.sessions_dropped)
      .member("control_requests", statistics.control_requests)
      .member("control_received_bytes", statistics.control_received_bytes)
      .member("control_sent_bytes", statistics.control_sent_bytes)
      .member("fabric_endpoints", statistics.fabric_endpoints)
      .member("fabric_registered_bytes", statistics.fabric_registered_bytes)
      .member("agent_bytes", statistics.agent_bytes)
      .member("quarantine_bytes", statistics.quarantine_bytes)
      .member("windows", statistics.windows)
      .member("allocations", statistics.allocations)
      .member("uses", statistics.uses)
      .member("capacity_bytes", statistics.capacity_bytes)
      .member("reserved_bytes", statistics.reserved_bytes);
  put_rates(json, rates);
  put_requests(json, statistics);
  put_users(json, statistics);
  put_sessions(json, statistics);
  put_nams(json, statistics);
  return json.end_object().take();
}

}  // namespace psnam::cli
