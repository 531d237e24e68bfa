#include "cli/report.hpp"

#include <fmt/format.h>
#include <pwd.h>

#include <array>

#include "nam/store.hpp"

namespace psnam::cli {
namespace {

std::string_view without(std::string_view prefix, std::string_view text) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

std::uint64_t bytes_of(const format::WindowRecord& window) {
  std::uint64_t bytes = 0;
  for (const auto& region : window.regions) bytes += region.size_bytes;
  return bytes;
}

std::string_view consistency_of(const format::WindowRecord& window) {
  if (window.in_doubt) return "in doubt";
  return short_name(window.consistency);
}

std::string_view short_name(format::Structure structure) {
  return without("psnam_structure_", name_of(structure, format::kStructures));
}

std::string_view short_name(format::Manifestation manifestation) {
  return without("psnam_manifestation_", name_of(manifestation, format::kManifestations));
}

std::string_view short_name(format::Consistency consistency) {
  return without("psnam_consistency_", name_of(consistency, format::kConsistencies));
}

std::string user_name(std::uint32_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return entry.pw_name;
  return std::to_string(uid);
}

void put_window(JsonWriter& json, const nam::WindowReport& report) {
  const auto& window = report.window;
  json.member("name", window.name)
      .member("id", window.id)
      .member("uuid", format::to_string(window.uuid))
      .member("bytes", bytes_of(window))
      .member("ranks", window.regions.size())
      .member("structure", name_of(window.structure, format::kStructures))
      .member("consistency", name_of(window.consistency, format::kConsistencies))
      .member("in_doubt", window.in_doubt)
      .member("reserve", name_of(window.reserve, format::kReserves))
      .member("mode", fmt::format("{:04o}", window.mode))
      .member("uid", window.uid)
      .member("gid", window.gid)
      .member("created_unix_seconds", window.created_unix_seconds)
      .member("uses", report.uses.size());
  json.key("services").begin_array();
  for (const auto& service : report.services) json.value(service);
  json.end_array();
}

std::string use_text(const format::UseRecord& use) {
  std::vector<std::string> processes;
  for (const auto& process : use.processes)
    processes.push_back(fmt::format("rank {} pid {}{}", process.rank, process.pid,
                                    nam::may_be_alive(process, use.boot) ? "" : " (ended)"));
  return fmt::format("{}", fmt::join(processes, ", "));
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

}  // namespace psnam::cli
