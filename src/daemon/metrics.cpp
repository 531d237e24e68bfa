#include "daemon/metrics.hpp"

#include <fmt/format.h>

#include <array>

namespace psnam::daemon {
namespace {

using nam::Statistics;

constexpr double kMicro = 1e-6;

enum class Kind { counter, gauge };

/// A metric that is one number.
struct Row {
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::uint64_t Statistics::*value;
};

constexpr std::array kRows{
    Row{"namd_sessions", Kind::gauge, "Sessions that are open.", &Statistics::sessions_open},
    Row{"namd_sessions_accepted_total", Kind::counter, "Sessions that were let in.", &Statistics::sessions_accepted},
    Row{"namd_sessions_refused_total", Kind::counter, "Connections that did not become a session.",
        &Statistics::sessions_refused},
    Row{"namd_sessions_dropped_total", Kind::counter, "Sessions that were ended because of what the client did.",
        &Statistics::sessions_dropped},
    Row{"namd_control_requests_total", Kind::counter, "Requests that arrived.", &Statistics::control_requests},
    Row{"namd_control_received_bytes_total", Kind::counter, "Bytes of control messages received.",
        &Statistics::control_received_bytes},
    Row{"namd_control_sent_bytes_total", Kind::counter, "Bytes of control messages sent.",
        &Statistics::control_sent_bytes},
    Row{"namd_fabric_endpoints", Kind::gauge, "Clients connected over the fabric.", &Statistics::fabric_endpoints},
    Row{"namd_fabric_registered_bytes", Kind::gauge,
        "Memory that clients may reach by one-sided access, a range once for each client.",
        &Statistics::fabric_registered_bytes},
    Row{"namd_agent_bytes_total", Kind::counter, "Bytes of accumulates and the like that the daemon carried out.",
        &Statistics::agent_bytes},
    Row{"namd_quarantine_bytes", Kind::gauge, "Memory that is released, and kept until old keys are worthless.",
        &Statistics::quarantine_bytes},
    Row{"namd_windows", Kind::gauge, "Windows.", &Statistics::windows},
    Row{"namd_allocations", Kind::gauge, "Allocations and segments.", &Statistics::allocations},
    Row{"namd_uses", Kind::gauge, "Uses of windows and allocations by jobs.", &Statistics::uses},
    Row{"namd_capacity_bytes", Kind::gauge, "How much the store may hold.", &Statistics::capacity_bytes},
    Row{"namd_reserved_bytes", Kind::gauge, "How much the store holds.", &Statistics::reserved_bytes},
    Row{"namd_file_system_bytes", Kind::gauge, "Size of the store's file system.", &Statistics::file_system_bytes},
    Row{"namd_file_system_free_bytes", Kind::gauge, "Free bytes of the store's file system.",
        &Statistics::file_system_free_bytes},
    Row{"namd_catalog_bytes", Kind::gauge, "What the store's records take.", &Statistics::catalog_bytes},
    Row{"namd_catalog_limit_bytes", Kind::gauge, "How much the store's records may take.",
        &Statistics::catalog_limit_bytes},
    Row{"namd_start_time_seconds", Kind::gauge, "When the daemon began, since 1970.", &Statistics::began_unix_seconds},
};

/// A label's value: backslash, quote and newline are escaped.
std::string label(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

class Page {
 public:
  void head(std::string_view name, std::string_view type, std::string_view help) {
    add("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  [[nodiscard]] std::string take() noexcept { return std::move(text_); }

 private:
  std::string text_;
};

void add_requests(Page& page, const Statistics& statistics) {
  page.head("namd_request_failures_total", "counter", "Requests that were answered with an error.");
  for (const auto& one : statistics.requests)
    page.add("namd_request_failures_total{{kind=\"{}\"}} {}\n", label(one.kind), one.failed);
  page.head("namd_request_duration_seconds", "histogram", "From the begin of a request to its answer.");
  for (const auto& one : statistics.requests) {
    const std::string kind = label(one.kind);
    std::uint64_t sum = 0;
    for (std::size_t bin = 0; bin < nam::kLatencyLimitsUs.size(); ++bin) {
      sum += one.latencies[bin];
      page.add("namd_request_duration_seconds_bucket{{kind=\"{}\",le=\"{}\"}} {}\n", kind,
               static_cast<double>(nam::kLatencyLimitsUs[bin]) * kMicro, sum);
    }
    sum += one.latencies.back();
    page.add("namd_request_duration_seconds_bucket{{kind=\"{}\",le=\"+Inf\"}} {}\n", kind, sum);
    page.add("namd_request_duration_seconds_sum{{kind=\"{}\"}} {}\n", kind,
             static_cast<double>(one.total_time_us) * kMicro);
    page.add("namd_request_duration_seconds_count{{kind=\"{}\"}} {}\n", kind, sum);
  }
  page.head("namd_refusals_total", "counter", "Errors that were answered, by what they were.");
  for (const auto& one : statistics.refusals)
    page.add("namd_refusals_total{{reason=\"{}\"}} {}\n", label(one.kind), one.count);
}

void add_users(Page& page, const Statistics& statistics) {
  page.head("namd_user_reserved_bytes", "gauge", "Memory that a user holds.");
  for (const auto& user : statistics.users)
    page.add("namd_user_reserved_bytes{{uid=\"{}\"}} {}\n", user.uid, user.reserved_bytes);
  page.head("namd_user_objects", "gauge", "Windows and allocations that a user holds.");
  for (const auto& user : statistics.users) page.add("namd_user_objects{{uid=\"{}\"}} {}\n", user.uid, user.objects);
  page.head("namd_user_sessions", "gauge", "Sessions of a user.");
  for (const auto& user : statistics.users) page.add("namd_user_sessions{{uid=\"{}\"}} {}\n", user.uid, user.sessions);
  page.head("namd_user_quota_bytes", "gauge", "How much a user may hold; those without a quota are not listed.");
  for (const auto& user : statistics.users)
    if (user.quota_bytes != UINT64_MAX)
      page.add("namd_user_quota_bytes{{uid=\"{}\"}} {}\n", user.uid, user.quota_bytes);
}

void add_nams(Page& page, const Statistics& statistics) {
  page.head("namd_nam_up", "gauge", "Whether a memory node answers.");
  for (const auto& nam : statistics.nams)
    page.add("namd_nam_up{{index=\"{}\",name=\"{}\"}} {}\n", nam.index, label(nam.name), nam.reachable ? 1 : 0);
  page.head("namd_nam_capacity_bytes", "gauge", "How much a memory node may hold.");
  for (const auto& nam : statistics.nams)
    page.add("namd_nam_capacity_bytes{{index=\"{}\",name=\"{}\"}} {}\n", nam.index, label(nam.name),
             nam.capacity_bytes);
  page.head("namd_nam_reserved_bytes", "gauge", "How much a memory node holds.");
  for (const auto& nam : statistics.nams)
    page.add("namd_nam_reserved_bytes{{index=\"{}\",name=\"{}\"}} {}\n", nam.index, label(nam.name),
             nam.reserved_bytes);
}

}  // namespace

std::string metrics_text(const Statistics& statistics) {
  Page page;
  page.head("namd_info", "gauge", "What runs.");
  page.add("namd_info{{version=\"{}\",provider=\"{}\"}} 1\n", label(statistics.software_version),
           label(statistics.provider));
  for (const auto& row : kRows) {
    page.head(row.name, row.kind == Kind::counter ? "counter" : "gauge", row.help);
    page.add("{} {}\n", row.name, statistics.*row.value);
  }
  add_requests(page, statistics);
  add_users(page, statistics);
  add_nams(page, statistics);
  return page.take();
}

}  // namespace psnam::daemon
