// namctl list, show, rm and gc: the windows of the store and what lies beside them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/allocation_report.hpp"
#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

std::string not_found(const std::string& name, const Invocation& invocation, const Contents& contents) {
  std::vector<std::string> known;
  for (const auto& report : contents.windows()) {
    if (report.window.name == name && !name.empty())
      return fmt::format("the window \"{}\" is volatile: it goes with the job that uses it", name);
    if (!report.window.name.empty()) known.push_back(report.window.name);
  }
  std::string message = fmt::format("no window is called \"{}\" in {}", name, invocation.place());
  const auto near = similar(name, known);
  if (!near.empty()) message += fmt::format("; did you mean {}?", fmt::join(near, ", "));
  return message;
}

void put_regions(JsonWriter& json, const format::WindowRecord& window, const Contents& contents) {
  json.key("nodes").begin_array();
  for (const auto& node : window.nodes)
    json.begin_object()
        .member("store", format::to_string(node.store))
        .member("host", node.host)
        .member("path", node.path)
        .end_object();
  json.end_array().key("regions").begin_array();
  for (const auto& region : window.regions) {
    json.begin_object()
        .member("bytes", region.size_bytes)
        .member("displacement_unit", region.displacement_unit)
        .member("manifestation", name_of(region.manifestation, format::kManifestations))
        .member("node", region.node)
        .member("allocation_id", region.allocation_id)
        .member("offset_bytes", region.offset_bytes)
        .member("source", name_of(region.source, format::kRegionSources));
    put_parent(json, region, contents);
    json.end_object();
  }
  json.end_array();
}

/// The allocations and segments that hold a window's regions, each once.
std::vector<std::uint64_t> holders_of(const format::WindowRecord& window) {
  std::vector<std::uint64_t> ids;
  for (const auto& region : window.regions)
    ids.push_back(region.segment_id != 0 ? region.segment_id : region.allocation_id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

std::string shown_json(const nam::WindowReport& report, const Contents& contents) {
  JsonWriter json;
  json.begin_object();
  put_window(json, report);
  put_regions(json, report.window, contents);
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
  for (const auto& use : report.uses) line("used by", use_text(use));
  return text;
}

std::string shown_text(const nam::WindowReport& report, const Contents& contents) {
  const auto& window = report.window;
  Table table{{"RANK", "SIZE", "UNIT", "MANIFESTATION", "NODE", "MEMORY"}, {0, 1, 2}};
  for (std::size_t rank = 0; rank < window.regions.size(); ++rank) {
    const auto& region = window.regions[rank];
    const std::string node = region.node < window.nodes.size() ? window.nodes[region.node].host : "-";
    table.add({std::to_string(rank), size_text(region.size_bytes), std::to_string(region.displacement_unit),
               std::string{short_name(region.manifestation)}, node, memory_text(region, contents)});
  }
  std::string text = head_text(report) + "\n" + table.text();
  for (const std::uint64_t id : holders_of(window))
    if (const auto segments = tree_text(id, contents); !segments.empty())
      text += fmt::format("\nin {}:\n{}", id, segments);
  return text;
}

std::string shown_json(const nam::AllocationReport& report, const Contents& contents) {
  JsonWriter json;
  json.begin_object();
  put_allocation(json, report, contents);
  put_tree(json, report.allocation.id, contents);
  put_uses(json, report.uses);
  return json.end_object().take();
}

/// A window or an allocation, as text or JSON.
template <class Report>
Outcome shown(const Invocation& invocation, const Report& report, const Contents& contents) {
  if (invocation.json) return {.output = shown_json(report, contents)};
  if constexpr (std::is_same_v<Report, nam::WindowReport>)
    return {.output = shown_text(report, contents)};
  else
    return {.output = allocation_text(report, contents)};
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

/// The parts of a window that its home has removed; false while a job uses one. A NAM that does not answer removes its
/// part when it joins the manager again.
bool remove_parts(nam::Service& home, const format::WindowRecord& window, Outcome& outcome) {
  const auto nams = home.nams();
  if (!nams) return true;
  bool all_gone = true;
  for (const auto& node : window.nodes) {
    const auto nam = std::ranges::find(*nams, node.store, &nam::NamReport::store);
    if (nam == nams->end() || nam->address.empty()) continue;
    const auto remove = [&]() -> Result<bool> {
      PSNAM_TRY(nam::Service* const service, home.nam(nam->index));
      PSNAM_TRY(const auto part, service->find(window.name));
      if (part.uuid != window.uuid) return true;
      return service->remove(window.name);
    };
    const auto gone = remove();
    if (gone) {
      all_gone = all_gone && *gone;
    } else if (gone.error().code != Code::name_not_found) {
      all_gone = false;
      outcome.failures.push_back(fmt::format("the part of {} in NAM {} stays until that joins the manager again: {}",
                                             window.name, nam->index, gone.error().message));
    }
  }
  return all_gone;
}

std::string list_json(const Invocation& invocation, const Contents& contents) {
  JsonWriter json;
  json.begin_object().member("store", invocation.place()).key("windows").begin_array();
  for (const auto& report : contents.windows()) {
    json.begin_object();
    put_window(json, report);
    json.end_object();
  }
  json.end_array().key("allocations").begin_array();
  for (const auto* const report : contents.free_standing()) {
    json.begin_object();
    put_allocation(json, *report, contents);
    json.end_object();
  }
  return json.end_array().end_object().take();
}

std::string windows_text(const Invocation& invocation, const Contents& contents) {
  if (contents.windows().empty()) return fmt::format("no windows in {}\n", invocation.place());
  Table table{{"NAME", "SIZE", "RANKS", "STRUCTURE", "CONSISTENCY", "JOBS", "MODE", "OWNER", "CREATED"}, {1, 2, 5}};
  for (const auto& report : contents.windows()) {
    const auto& window = report.window;
    table.add({window.name.empty() ? "-" : window.name, size_text(bytes_of(window)),
               std::to_string(window.regions.size()), std::string{short_name(window.structure)},
               std::string{consistency_of(window)}, std::to_string(report.uses.size()),
               fmt::format("{:04o}", window.mode), user_name(window.uid), time_text(window.created_unix_seconds)});
  }
  return table.text();
}

}  // namespace

Result<Outcome> list_contents(const Invocation& invocation) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  PSNAM_TRY(const Contents contents, Contents::read(store.get()));
  if (invocation.json) return Outcome{.output = list_json(invocation, contents)};
  const std::string allocations = allocations_text(contents);
  return Outcome{.output = windows_text(invocation, contents) + (allocations.empty() ? "" : "\n" + allocations)};
}

Result<Outcome> show_object(const Invocation& invocation, const std::string& name) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  PSNAM_TRY(const Contents contents, Contents::read(store.get()));
  if (const auto* const window = contents.window(std::string_view{name})) return shown(invocation, *window, contents);
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error == std::errc{} && end == name.data() + name.size()) {
    if (const auto* const allocation = contents.allocation(id)) return shown(invocation, *allocation, contents);
    if (const auto* const window = contents.window(id)) return shown(invocation, *window, contents);
  }
  if (const auto* const allocation = contents.allocation(std::string_view{name}))
    return shown(invocation, *allocation, contents);
  return Error{Code::name_not_found, not_found(name, invocation, contents)};
}

Result<Outcome> remove_windows(const Invocation& invocation, const std::vector<std::string>& names) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  PSNAM_TRY(const Contents contents, Contents::read(store.get()));
  std::vector<Removed> removed;
  Outcome outcome;
  for (const auto& name : names) {
    const auto* const known = contents.window(std::string_view{name});
    auto gone = store ? store->remove(name) : Error{Code::name_not_found, ""};
    if (gone && known != nullptr && known->window.nodes.size() > 1)
      gone = *gone & remove_parts(*store, known->window, outcome);
    if (gone) {
      removed.push_back({.name = name, .gone = *gone});
      outcome.output += *gone ? fmt::format("{} removed\n", name)
                              : fmt::format("{} removed; its memory goes when the job that uses it has ended\n", name);
      continue;
    }
    const bool unknown = gone.error().code == Code::name_not_found || gone.error().code == Code::info_value;
    outcome.failures.push_back(unknown ? not_found(name, invocation, contents) : gone.error().message);
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
    sum.allocations += collected.allocations;
    sum.bytes += collected.bytes;
  }
  const std::string allocations =
      sum.allocations == 0 ? "" : fmt::format(" and {}", count_text(sum.allocations, "allocation"));
  if (!invocation.json)
    return Outcome{.output = fmt::format("released {}{} of {}, {}\n", count_text(sum.windows, "window"), allocations,
                                         count_text(sum.uses, "ended job"), size_text(sum.bytes))};
  JsonWriter json;
  json.begin_object()
      .member("windows", sum.windows)
      .member("allocations", sum.allocations)
      .member("uses", sum.uses)
      .member("bytes", sum.bytes)
      .end_object();
  return Outcome{.output = json.take()};
}

}  // namespace psnam::cli
