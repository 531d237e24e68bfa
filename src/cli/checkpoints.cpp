// namctl checkpoint list and show: series of managed checkpoints and sets of libNAM, their versions, and where each
// rank's copy is.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "checkpoint/seen_series.hpp"
#include "cli/checkpoint_place.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

using checkpoint::FoundSeries;
using checkpoint::FoundSet;
using checkpoint::SeenMemory;
using checkpoint::SeenSeries;
using checkpoint::VersionKey;

/// What list says of a version.
struct Listed {
  std::uint64_t number = 0;
  std::uint64_t taken_ns = 0;
};

/// One line of the list.
struct Row {
  std::string id, name;
  std::string_view kind;
  std::uint32_t uid = 0;
  std::uint64_t ranks = 0, sets = 0, parities = 0;
  std::vector<Listed> versions{};  ///< newest first
  std::uint64_t copies_here = 0;   ///< ranks that have one of the newest
  std::uint64_t copy_bytes = 0, parity_bytes = 0;
  std::size_t jobs = 0;
  std::string problem{};
};

std::vector<parity::Version> versions_of(const FoundSet& set, std::string& problem) {
  std::vector<parity::Version> all;
  for (const checkpoint::FoundPart& part : set.areas) {
    auto memory = SeenMemory::look(part.service, part.record());
    auto area = memory ? checkpoint::look_at_area(*memory) : Result<parity::Area>{memory.error()};
    if (!area) {
      problem = area.error().message;
      continue;
    }
    for (parity::Version& version : area->versions()) all.push_back(std::move(version));
  }
  std::ranges::sort(all, std::ranges::greater{}, &parity::Version::number);
  return all;
}

Row row_of(const FoundSeries& found) {
  Row row{.id = found.id, .name = found.name, .kind = "managed", .uid = found.uid};
  row.copy_bytes = bytes_of(found.copies);
  row.parity_bytes = bytes_of(found.areas);
  row.jobs = found.jobs();
  const auto seen = SeenSeries::open(found);
  if (!seen) {
    row.problem = found.problem;
    return row;
  }
  row.ranks = (*seen)->series().ranks();
  row.sets = (*seen)->series().sets;
  row.parities = (*seen)->series().parities;
  const auto versions = (*seen)->versions();
  for (const VersionKey& key : versions) row.versions.push_back({key.number, key.stamp});
  for (std::uint32_t rank = 0; rank < row.ranks && !versions.empty(); ++rank)
    row.copies_here += (*seen)->copy_of(rank, versions.front()) != nullptr ? 1U : 0U;
  return row;
}

Row row_of(const FoundSet& found) {
  Row row{
      .id = std::to_string(found.areas.front().record().id), .name = found.name, .kind = "libnam", .uid = found.uid};
  row.ranks = found.members;
  row.sets = 1;
  row.parities = found.parities;
  row.parity_bytes = bytes_of(found.areas);
  row.jobs = found.jobs();
  row.problem = found.problem;
  for (const parity::Version& version : versions_of(found, row.problem))
    row.versions.push_back({version.number, version.taken_ns});
  return row;
}

void put_listed(JsonWriter& json, std::string_view name, const std::vector<Listed>& versions, std::size_t index) {
  json.key(name);
  if (index >= versions.size()) {
    json.null();
    return;
  }
  json.begin_object();
  put_version(json, versions[index].number, versions[index].taken_ns);
  json.end_object();
}

void put_text(JsonWriter& json, std::string_view name, const std::string& text) {
  json.key(name);
  if (text.empty())
    json.null();
  else
    json.value(text);
}

void put_row(JsonWriter& json, const Row& row) {
  put_text(json, "id", row.id);
  put_text(json, "name", row.name);
  json.member("kind", row.kind)
      .member("uid", row.uid)
      .member("ranks", row.ranks)
      .member("sets", row.sets)
      .member("parities", row.parities);
  put_listed(json, "newest", row.versions, 0);
  put_listed(json, "older", row.versions, 1);
  json.member("copies_here", row.copies_here)
      .member("copy_bytes", row.copy_bytes)
      .member("parity_bytes", row.parity_bytes)
      .member("jobs", row.jobs);
  put_text(json, "problem", row.problem);
}

std::string list_text(const Invocation& invocation, const std::vector<Row>& rows) {
  if (rows.empty()) return fmt::format("no checkpoints in {}\n", invocation.place());
  Table table{{"NAME", "KIND", "OWNER", "RANKS", "SETS", "PARITIES", "NEWEST", "OLDER", "HERE", "COPIES", "PARITY",
               "JOBS", "ID"},
              {3, 4, 5, 9, 10, 11}};
  const auto version = [](const std::vector<Listed>& versions, std::size_t index) {
    return index < versions.size() ? version_text(versions[index].number, versions[index].taken_ns) : "-";
  };
  std::string problems;
  for (const Row& row : rows) {
    const bool managed = row.kind == "managed";
    table.add({row.name.empty() ? "-" : row.name, std::string{row.kind}, user_name(row.uid), std::to_string(row.ranks),
               std::to_string(row.sets), std::to_string(row.parities), version(row.versions, 0),
               version(row.versions, 1), managed ? fmt::format("{}/{}", row.copies_here, row.ranks) : "-",
               managed ? size_text(row.copy_bytes) : "-", size_text(row.parity_bytes), std::to_string(row.jobs),
               row.id.empty() ? "-" : row.id});
    if (!row.problem.empty()) problems += fmt::format("{}: {}\n", row.name.empty() ? row.id : row.name, row.problem);
  }
  return table.text() + problems;
}

/// What show says of one version.
struct ShownVersion {
  VersionKey key;
  std::string_view state;
  std::vector<std::uint32_t> missing;
  std::vector<std::uint32_t> sets_without_parity;
};

/// All of which anything is left.
std::vector<ShownVersion> versions_of(const SeenSeries& seen) {
  const checkpoint::Survey survey = seen.survey();
  std::vector<ShownVersion> all;
  for (const VersionKey& key : survey.versions()) {
    const auto judgement = survey.judge(key);
    ShownVersion shown{key, "incomplete", judgement.lost, {}};
    if (judgement.complete)
      shown.state = "complete";
    else if (judgement.committed)
      shown.state = "not from here";
    for (std::uint32_t set = 0; set < seen.series().sets; ++set)
      if (seen.series().parities != 0 && !survey.committed(key, set)) shown.sets_without_parity.push_back(set);
    all.push_back(std::move(shown));
  }
  return all;
}

template <class Number>
void put_numbers(JsonWriter& json, std::string_view name, const std::vector<Number>& numbers) {
  json.key(name).begin_array();
  for (const Number number : numbers) json.value(number);
  json.end_array();
}

void put_uses_of(JsonWriter& json, const std::optional<checkpoint::FoundPart>& page) {
  put_uses(json, page ? page->report.uses : std::vector<format::UseRecord>{});
}

void put_copies(JsonWriter& json, const SeenSeries& seen) {
  json.key("copies").begin_array();
  for (const auto& copy : seen.copies()) {
    json.begin_object().member("rank", copy.rank()).member("set", seen.series().set_of[copy.rank()]);
    json.key("version");
    if (copy.version) {
      json.begin_object();
      put_version(json, copy.version.number, copy.version.stamp);
      json.end_object();
    } else {
      json.null();
    }
    json.member("payload_bytes", copy.payload_bytes)
        .member("bytes", copy.part->record().size_bytes)
        .member("allocation_id", copy.part->record().id)
        .member("place", copy.part->place);
    put_text(json, "damage", copy.damage);
    json.end_object();
  }
  json.end_array();
}

void put_areas(JsonWriter& json, const SeenSeries& seen) {
  json.key("areas").begin_array();
  for (const auto& area : seen.areas()) {
    json.begin_object()
        .member("set", area.set())
        .member("allocation_id", area.part->record().id)
        .member("bytes", area.part->record().size_bytes)
        .member("capacity_bytes", area.area.shape().capacity_bytes)
        .member("place", area.part->place);
    std::vector<std::uint64_t> numbers;
    for (const auto& version : area.area.versions()) numbers.push_back(version.number);
    put_numbers(json, "versions", numbers);
    json.end_object();
  }
  json.end_array();
}

std::string shown_json(const Invocation& invocation, const SeenSeries& seen) {
  JsonWriter json;
  json.begin_object().member("store", invocation.place());
  put_row(json, row_of(seen.found()));
  json.member("kept", seen.series().kept);
  put_numbers(json, "set_of_rank", seen.series().set_of);
  json.key("versions").begin_array();
  for (const ShownVersion& one : versions_of(seen)) {
    json.begin_object();
    put_version(json, one.key.number, one.key.stamp);
    json.member("state", one.state);
    put_numbers(json, "missing_ranks", one.missing);
    put_numbers(json, "sets_without_parity", one.sets_without_parity);
    json.end_object();
  }
  json.end_array().key("begun").begin_array();
  for (const auto& one : seen.under_way())
    json.begin_object()
        .member("number", one.number)
        .member("sets", one.sets)
        .member("by_a_job", seen.found().jobs() != 0)
        .end_object();
  json.end_array();
  put_copies(json, seen);
  put_areas(json, seen);
  json.key("damage").begin_array();
  for (const std::string& one : seen.damage()) json.value(one);
  json.end_array();
  put_uses_of(json, seen.found().page);
  return json.end_object().take();
}

class Lines {
 public:
  void add(std::string_view what, std::string_view value) {
    fmt::format_to(std::back_inserter(text_), "{:<13}{}\n", what, value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string head_text(const SeenSeries& seen) {
  const FoundSeries& found = seen.found();
  Lines lines;
  lines.add("name", found.name);
  lines.add("owner", user_name(found.uid));
  lines.add("ranks",
            fmt::format("{} in {}, with {} each", seen.series().ranks(), count_text(seen.series().sets, "set"),
                        seen.series().parities == 1 ? "1 parity" : fmt::format("{} parities", seen.series().parities)));
  lines.add("keeps", fmt::format("{} versions", seen.series().kept));
  lines.add("copies", size_text(bytes_of(found.copies)));
  lines.add("parity", size_text(bytes_of(found.areas)));
  lines.add("created", time_text(found.page->record().created_unix_seconds));
  lines.add("identity", found.id);
  for (const auto& use : found.page->report.uses) lines.add("used by", use_text(use));
  for (const auto& one : seen.under_way())
    lines.add(found.jobs() != 0 ? "being saved" : "unfinished",
              fmt::format("version {}, in {} of {}", one.number, one.sets, count_text(seen.series().sets, "set")));
  for (const std::string& one : seen.damage()) lines.add("damage", one);
  return lines.take();
}

std::string versions_text(const SeenSeries& seen) {
  Table table{{"VERSION", "STATE", "RANKS NOT HERE", "SETS WITHOUT PARITY"}};
  for (const ShownVersion& one : versions_of(seen))
    table.add({version_text(one.key.number, one.key.stamp), std::string{one.state},
               one.missing.empty() ? "-" : fmt::format("{}", fmt::join(one.missing, ", ")),
               one.sets_without_parity.empty() ? "-" : fmt::format("{}", fmt::join(one.sets_without_parity, ", "))});
  return table.text();
}

std::string copies_text(const SeenSeries& seen) {
  Table table{{"RANK", "SET", "VERSION", "SIZE", "PLACE"}, {0, 1, 3}};
  std::vector<const checkpoint::SeenCopy*> copies;
  for (const auto& copy : seen.copies())
    if (copy.version || !copy.damage.empty()) copies.push_back(&copy);
  std::ranges::sort(copies, [](const auto* a, const auto* b) {
    return std::pair{a->rank(), b->version} < std::pair{b->rank(), a->version};
  });
  for (const auto* copy : copies)
    table.add({std::to_string(copy->rank()), std::to_string(seen.series().set_of[copy->rank()]),
               copy->version ? version_text(copy->version.number, copy->version.stamp) : "damaged",
               copy->version ? size_text(copy->payload_bytes) : "-", copy->part->place});
  return table.text();
}

Outcome shown(const Invocation& invocation, const FoundSet& set) {
  const Row row = row_of(set);
  std::string problem;
  const auto versions = versions_of(set, problem);
  if (invocation.json) {
    JsonWriter json;
    json.begin_object().member("store", invocation.place());
    put_row(json, row);
    json.key("versions").begin_array();
    for (const parity::Version& one : versions) {
      json.begin_object();
      put_version(json, one.number, one.taken_ns);
      put_numbers(json, "member_bytes", one.sizes);
      json.end_object();
    }
    return {.output = json.end_array().end_object().take()};
  }
  Lines lines;
  lines.add("name", set.name.empty() ? "-" : set.name);
  lines.add("owner", user_name(set.uid));
  lines.add("ranks", fmt::format("{}, parities: {}", set.members, set.parities));
  lines.add("parity", size_text(row.parity_bytes));
  for (const checkpoint::FoundPart& part : set.areas) {
    lines.add("allocation", fmt::format("{} in {}", part.record().id, part.place));
    for (const auto& use : part.report.uses) lines.add("used by", use_text(use));
  }
  if (!row.problem.empty()) lines.add("damage", row.problem);
  Table table{{"VERSION", "LONGEST"}, {1}};
  for (const parity::Version& one : versions)
    table.add({version_text(one.number, one.taken_ns), size_text(one.longest_bytes)});
  return {.output = lines.take() + "\n" + table.text()};
}

}  // namespace

Result<Outcome> list_checkpoints(const Invocation& invocation, const CheckpointWish& wish) {
  PSNAM_TRY(const checkpoint::Inventory inventory, take_inventory(invocation, wish));
  std::vector<Row> rows;
  for (const FoundSeries& series : inventory.series) rows.push_back(row_of(series));
  for (const FoundSet& set : inventory.sets) rows.push_back(row_of(set));
  if (!invocation.json) return Outcome{.output = list_text(invocation, rows)};
  JsonWriter json;
  json.begin_object().member("store", invocation.place()).key("checkpoints").begin_array();
  for (const Row& row : rows) {
    json.begin_object();
    put_row(json, row);
    json.end_object();
  }
  return Outcome{.output = json.end_array().end_object().take()};
}

Result<Outcome> show_checkpoints(const Invocation& invocation, const CheckpointWish& wish) {
  PSNAM_TRY(const checkpoint::Inventory inventory, take_inventory(invocation, wish));
  PSNAM_TRY(const ChosenCheckpoints chosen, choose(invocation, inventory, wish.name));
  if (chosen.set != nullptr) return shown(invocation, *chosen.set);
  PSNAM_TRY(const auto seen, SeenSeries::open(*chosen.series));
  if (invocation.json) return Outcome{.output = shown_json(invocation, *seen)};
  return Outcome{.output = head_text(*seen) + "\n" + versions_text(*seen) + "\n" + copies_text(*seen)};
}

}  // namespace psnam::cli
