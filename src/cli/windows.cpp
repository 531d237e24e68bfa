// namctl list, show, rm and gc: the windows of the store.
#include <fmt/format.h>

#include <algorithm>

#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

/// Windows in the order of their names; those without one at the end.
Result<std::vector<nam::WindowReport>> windows_of(nam::Store* store) {
  if (store == nullptr) return std::vector<nam::WindowReport>{};
  PSNAM_TRY(auto reports, store->list());
  std::stable_sort(reports.begin(), reports.end(), [](const auto& a, const auto& b) {
    return std::pair{a.window.name.empty(), a.window.name} < std::pair{b.window.name.empty(), b.window.name};
  });
  return reports;
}

std::string not_found(const std::string& name, const Invocation& invocation,
                      const std::vector<nam::WindowReport>& reports) {
  std::vector<std::string> known;
  for (const auto& report : reports) {
    if (report.window.name == name && !name.empty())
      return fmt::format("the window \"{}\" is volatile: it goes with the job that uses it", name);
    if (!report.window.name.empty()) known.push_back(report.window.name);
  }
  std::string message = fmt::format("no window is called \"{}\" in {}", name, invocation.folder().string());
  const auto near = similar(name, known);
  if (!near.empty()) message += fmt::format("; did you mean {}?", fmt::join(near, ", "));
  return message;
}

void put_regions(JsonWriter& json, const format::WindowRecord& window) {
  json.key("nodes").begin_array();
  for (const auto& node : window.nodes)
    json.begin_object()
        .member("store", format::to_string(node.store))
        .member("host", node.host)
        .member("path", node.path)
        .end_object();
  json.end_array().key("regions").begin_array();
  for (const auto& region : window.regions)
    json.begin_object()
        .member("bytes", region.size_bytes)
        .member("displacement_unit", region.displacement_unit)
        .member("manifestation", name_of(region.manifestation, format::kManifestations))
        .member("node", region.node)
        .member("allocation_id", region.allocation_id)
        .member("offset_bytes", region.offset_bytes)
        .end_object();
  json.end_array();
}

void put_uses(JsonWriter& json, const std::vector<format::UseRecord>& uses) {
  json.key("jobs").begin_array();
  for (const auto& use : uses) {
    json.begin_object().member("id", use.id).key("processes").begin_array();
    for (const auto& process : use.processes)
      json.begin_object()
          .member("rank", process.rank)
          .member("pid", process.pid)
          .member("alive", nam::may_be_alive(process, use.boot))
          .end_object();
    json.end_array().end_object();
  }
  json.end_array();
}

std::string shown_json(const nam::WindowReport& report) {
  JsonWriter json;
  json.begin_object();
  put_window(json, report);
  put_regions(json, report.window);
  put_uses(json, report.uses);
  return json.end_object().take();
}

std::string head_text(const nam::WindowReport& report) {
  const auto& window = report.window;
  std::string text;
  const auto line = [&](std::string_view what, std::string_view value) {
    fmt::format_to(std::back_inserter(text), "{:<13}{}\n", what, value);
  };
  line("name", window.name);
  line("size", fmt::format("{} ({} bytes)", size_text(bytes_of(window)), bytes_of(window)));
  line("ranks", std::to_string(window.regions.size()));
  line("structure", short_name(window.structure));
  line("consistency", consistency_of(window));
  line("reserve", name_of(window.reserve, format::kReserves));
  line("mode", fmt::format("{:04o}", window.mode));
  line("owner", user_name(window.uid));
  line("created", time_text(window.created_unix_seconds));
  line("identity", format::to_string(window.uuid));
  line("services", report.services.empty() ? "none" : fmt::format("{}", fmt::join(report.services, ", ")));
  for (const auto& use : report.uses) {
    std::vector<std::string> processes;
    for (const auto& process : use.processes)
      processes.push_back(fmt::format("rank {} pid {}{}", process.rank, process.pid,
                                      nam::may_be_alive(process, use.boot) ? "" : " (ended)"));
    line("used by", fmt::format("{}", fmt::join(processes, ", ")));
  }
  return text;
}

std::string shown_text(const nam::WindowReport& report) {
  const auto& window = report.window;
  Table table{{"RANK", "SIZE", "UNIT", "MANIFESTATION", "NODE", "MEMORY"}, {0, 1, 2}};
  for (std::size_t rank = 0; rank < window.regions.size(); ++rank) {
    const auto& region = window.regions[rank];
    const std::string node = region.node < window.nodes.size() ? window.nodes[region.node].host : "-";
    table.add({std::to_string(rank), size_text(region.size_bytes), std::to_string(region.displacement_unit),
               std::string{short_name(region.manifestation)}, node,
               region.allocation_id == 0
                   ? "-"
                   : fmt::format("memory/{:016x} at {}", region.allocation_id, region.offset_bytes)});
  }
  return head_text(report) + "\n" + table.text();
}

/// What became of one name.
struct Removed {
  std::string name;
  bool gone = false;
};

std::string removed_json(const std::vector<Removed>& removed, const std::vector<std::string>& failures) {
  JsonWriter json;
  json.begin_object().key("removed").begin_array();
  for (const auto& one : removed) json.begin_object().member("name", one.name).member("gone", one.gone).end_object();
  json.end_array().key("errors").begin_array();
  for (const auto& failure : failures) json.value(failure);
  return json.end_array().end_object().take();
}

}  // namespace

Result<Outcome> list_windows(const Invocation& invocation) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  PSNAM_TRY(const auto reports, windows_of(store.get()));
  if (invocation.json) {
    JsonWriter json;
    json.begin_object().member("store", invocation.folder().string()).key("windows").begin_array();
    for (const auto& report : reports) {
      json.begin_object();
      put_window(json, report);
      json.end_object();
    }
    return Outcome{.output = json.end_array().end_object().take()};
  }
  if (reports.empty()) return Outcome{.output = fmt::format("no windows in {}\n", invocation.folder().string())};
  Table table{{"NAME", "SIZE", "RANKS", "STRUCTURE", "CONSISTENCY", "JOBS", "MODE", "OWNER", "CREATED"}, {1, 2, 5}};
  for (const auto& report : reports) {
    const auto& window = report.window;
    table.add({window.name.empty() ? "-" : window.name, size_text(bytes_of(window)),
               std::to_string(window.regions.size()), std::string{short_name(window.structure)},
               std::string{consistency_of(window)}, std::to_string(report.uses.size()),
               fmt::format("{:04o}", window.mode), user_name(window.uid), time_text(window.created_unix_seconds)});
  }
  return Outcome{.output = table.text()};
}

Result<Outcome> show_window(const Invocation& invocation, const std::string& name) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  PSNAM_TRY(const auto reports, windows_of(store.get()));
  const nam::WindowReport* found = nullptr;
  for (const auto& report : reports) {
    // The one that is found by its name before a volatile one that only bears it.
    const bool better = found == nullptr || report.window.consistency == format::Consistency::persistent;
    if (report.window.name == name && !name.empty() && better) found = &report;
  }
  if (found == nullptr) return Error{Code::name_not_found, not_found(name, invocation, reports)};
  return Outcome{.output = invocation.json ? shown_json(*found) : shown_text(*found)};
}

Result<Outcome> remove_windows(const Invocation& invocation, const std::vector<std::string>& names) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  PSNAM_TRY(const auto reports, windows_of(store.get()));
  std::vector<Removed> removed;
  Outcome outcome;
  for (const auto& name : names) {
    auto gone = store ? store->remove(name) : Error{Code::name_not_found, ""};
    if (gone) {
      removed.push_back({.name = name, .gone = *gone});
      outcome.output += *gone ? fmt::format("{} removed\n", name)
                              : fmt::format("{} removed; its memory goes when the job that uses it has ended\n", name);
      continue;
    }
    const bool unknown = gone.error().code == Code::name_not_found || gone.error().code == Code::info_value;
    outcome.failures.push_back(unknown ? not_found(name, invocation, reports) : gone.error().message);
  }
  if (invocation.json) outcome.output = removed_json(removed, outcome.failures);
  return outcome;
}

Result<Outcome> collect_garbage(const Invocation& invocation) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  nam::Collected sum;
  if (store) {
    sum = store->released_at_open();
    PSNAM_TRY(const nam::Collected collected, store->collect());
    sum.uses += collected.uses;
    sum.windows += collected.windows;
    sum.bytes += collected.bytes;
  }
  if (!invocation.json)
    return Outcome{.output = fmt::format("released {} of {}, {}\n", count_text(sum.windows, "window"),
                                         count_text(sum.uses, "ended job"), size_text(sum.bytes))};
  JsonWriter json;
  json.begin_object().member("windows", sum.windows).member("uses", sum.uses).member("bytes", sum.bytes).end_object();
  return Outcome{.output = json.take()};
}

}  // namespace psnam::cli
