#include "cli/allocation_report.hpp"

#include <fmt/format.h>

#include <ctime>

#include "cli/report.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

std::vector<std::string> names_of_windows(const std::vector<std::uint64_t>& ids, const Contents& contents) {
  std::vector<std::string> names;
  for (const std::uint64_t id : ids) names.push_back(contents.name_of_window(id));
  return names;
}

/// A number that is 0 where there is nothing.
void put_number(JsonWriter& json, std::string_view name, std::uint64_t number) {
  json.key(name);
  if (number == 0)
    json.null();
  else
    json.value(number);
}

void put_window_of(JsonWriter& json, std::uint64_t id, const Contents& contents) {
  put_number(json, "window_id", id);
  json.key("window");
  if (const auto* const report = contents.window(id); report == nullptr)
    json.null();
  else
    json.value(report->window.name);
}

std::string place_text(const format::AllocationRecord& allocation) {
  return fmt::format("memory/{:016x} at {}", allocation.root_id, allocation.root_offset_bytes);
}

std::string lines_text(const nam::AllocationReport& report, const Contents& contents) {
  const auto& allocation = report.allocation;
  std::string text;
  const auto line = [&](std::string_view what, std::string_view value) {
    fmt::format_to(std::back_inserter(text), "{:<13}{}\n", what, value);
  };
  line("id", std::to_string(allocation.id));
  line("name", allocation.name.empty() ? "-" : allocation.name);
  line("size", fmt::format("{} ({} bytes)", size_text(allocation.size_bytes), allocation.size_bytes));
  line("taken", fmt::format("{} by {}", size_text(report.taken_bytes), count_text(report.segments, "segment")));
  line("free", fmt::format("{} in one piece", size_text(report.largest_free_bytes)));
  if (allocation.parent_id != 0)
    line("part of", fmt::format("{} at {}", allocation.parent_id, allocation.offset_bytes));
  if (allocation.window_id != 0)
    line("window", contents.name_of_window(allocation.window_id));
  else
    line("consistency", short_name(allocation.consistency));
  line("reserve", name_of(allocation.reserve, format::kReserves));
  line("kind", name_of(allocation.kind, format::kAllocationKinds));
  line("mode", fmt::format("{:04o}", allocation.mode));
  line("owner", user_name(allocation.uid));
  line("created", time_text(allocation.created_unix_seconds));
  if (allocation.window_id == 0) line("expires", expiry_text(allocation));
  line("file", place_text(allocation));
  for (const auto& name : names_of_windows(report.referring_windows, contents)) line("whole in", name);
  for (const auto& use : report.uses) line("used by", use_text(use));
  return text;
}

}  // namespace

bool has_expired(const format::AllocationRecord& allocation) {
  return allocation.expires_unix_seconds != 0 &&
         allocation.expires_unix_seconds <= static_cast<std::uint64_t>(std::time(nullptr));
}

std::string expiry_text(const format::AllocationRecord& allocation) {
  if (allocation.consistency == format::Consistency::volatile_) return "with its users";
  if (allocation.expires_unix_seconds == 0) return "never";
  return time_text(allocation.expires_unix_seconds) + (has_expired(allocation) ? " (expired)" : "");
}

std::string title_of(const format::AllocationRecord& allocation) {
  if (allocation.name.empty()) return std::to_string(allocation.id);
  return fmt::format("{} \"{}\"", allocation.id, allocation.name);
}

void put_allocation(JsonWriter& json, const nam::AllocationReport& report, const Contents& contents) {
  const auto& allocation = report.allocation;
  json.member("id", allocation.id)
      .member("name", allocation.name)
      .member("bytes", allocation.size_bytes)
      .member("segments", report.segments)
      .member("taken_bytes", report.taken_bytes)
      .member("largest_free_bytes", report.largest_free_bytes);
  put_number(json, "parent_id", allocation.parent_id);
  json.member("offset_bytes", allocation.offset_bytes)
      .member("root_id", allocation.root_id)
      .member("root_offset_bytes", allocation.root_offset_bytes);
  put_window_of(json, allocation.window_id, contents);
  json.member("consistency", name_of(allocation.consistency, format::kConsistencies))
      .member("reserve", name_of(allocation.reserve, format::kReserves))
      .member("kind", name_of(allocation.kind, format::kAllocationKinds))
      .member("mode", fmt::format("{:04o}", allocation.mode))
      .member("uid", allocation.uid)
      .member("gid", allocation.gid)
      .member("created_unix_seconds", allocation.created_unix_seconds);
  put_number(json, "expires_unix_seconds", allocation.expires_unix_seconds);
  json.member("expired", has_expired(allocation)).member("uses", report.uses.size());
  json.key("windows").begin_array();
  for (const std::uint64_t id : contents.windows_in(allocation.id)) {
    json.begin_object();
    put_window_of(json, id, contents);
    json.end_object();
  }
  json.end_array();
}

void put_tree(JsonWriter& json, std::uint64_t id, const Contents& contents) {
  json.key("tree").begin_array();
  for (const auto& branch : contents.tree(id)) {
    const auto& segment = branch.report->allocation;
    json.begin_object()
        .member("id", segment.id)
        .member("depth", branch.depth)
        .member("parent_id", segment.parent_id)
        .member("offset_bytes", segment.offset_bytes)
        .member("root_offset_bytes", segment.root_offset_bytes)
        .member("bytes", segment.size_bytes)
        .member("taken_bytes", branch.report->taken_bytes);
    put_window_of(json, segment.window_id, contents);
    json.end_object();
  }
  json.end_array();
}

std::string allocations_text(const Contents& contents) {
  const auto reports = contents.free_standing();
  if (reports.empty()) return {};
  Table table{
      {"ALLOCATION", "NAME", "SIZE", "TAKEN", "LARGEST FREE", "SEGMENTS", "WINDOWS", "JOBS", "OWNER", "EXPIRES"},
      {0, 2, 3, 4, 5, 6, 7}};
  for (const auto* const report : reports) {
    const auto& allocation = report->allocation;
    table.add({std::to_string(allocation.id), allocation.name.empty() ? "-" : allocation.name,
               size_text(allocation.size_bytes), size_text(report->taken_bytes), size_text(report->largest_free_bytes),
               std::to_string(report->segments), std::to_string(contents.windows_in(allocation.id).size()),
               std::to_string(report->uses.size()), user_name(allocation.uid), expiry_text(allocation)});
  }
  return table.text();
}

std::string tree_text(std::uint64_t id, const Contents& contents) {
  const auto tree = contents.tree(id);
  if (tree.empty()) return {};
  Table table{{"SEGMENT", "OFFSET", "SIZE", "TAKEN", "WINDOW"}, {1, 2, 3}};
  for (const auto& branch : tree) {
    const auto& segment = branch.report->allocation;
    table.add({std::string(2 * branch.depth, ' ') + std::to_string(segment.id), std::to_string(segment.offset_bytes),
               size_text(segment.size_bytes), size_text(branch.report->taken_bytes),
               segment.window_id == 0 ? "-" : contents.name_of_window(segment.window_id)});
  }
  return table.text();
}

std::string allocation_text(const nam::AllocationReport& report, const Contents& contents) {
  const std::string tree = tree_text(report.allocation.id, contents);
  return lines_text(report, contents) + (tree.empty() ? "" : "\n" + tree);
}

std::string memory_text(const format::RegionRecord& region, const Contents& contents) {
  if (region.allocation_id == 0) return "-";
  const auto* const held = contents.allocation(region.segment_id);
  if (region.source == format::RegionSource::own || held == nullptr)
    return fmt::format("memory/{:016x} at {}", region.allocation_id, region.offset_bytes);
  const auto& allocation = held->allocation;
  const std::uint64_t inside = region.offset_bytes - allocation.root_offset_bytes;
  if (region.source == format::RegionSource::existing) return fmt::format("allocation {} at {}", allocation.id, inside);
  return fmt::format("segment {} of {} at {}", allocation.id, allocation.parent_id, allocation.offset_bytes + inside);
}

void put_parent(JsonWriter& json, const format::RegionRecord& region, const Contents& contents) {
  const auto* const held = contents.allocation(region.segment_id);
  const bool cut = region.source == format::RegionSource::segment && held != nullptr;
  put_number(json, "segment_id", region.segment_id);
  put_number(json, "parent_id", cut ? held->allocation.parent_id : 0);
  json.key("parent_offset_bytes");
  if (cut)
    json.value(held->allocation.offset_bytes + (region.offset_bytes - held->allocation.root_offset_bytes));
  else
    json.null();
}

}  // namespace psnam::cli
