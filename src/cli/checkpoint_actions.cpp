// namctl checkpoint verify, rm and export.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "checkpoint/export.hpp"
#include "checkpoint/seen_series.hpp"
#include "checkpoint/verification.hpp"
#include "cli/checkpoint_place.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

using checkpoint::SeenSeries;
using checkpoint::Verdict;
using checkpoint::VersionKey;

/// What was looked at, and found.
struct Examined {
  std::vector<std::string> damage;  ///< of no version: headers
  std::vector<Verdict> verdicts;
  std::uint32_t ranks = 0;
  bool with_copies = true;  ///< not of libNAM's sets
};

/// Those that are asked for: all, or one number.
Result<std::vector<VersionKey>> wanted(const SeenSeries& seen, const std::optional<std::uint64_t>& number) {
  std::vector<VersionKey> keys = seen.versions();
  if (!number) return keys;
  std::vector<VersionKey> chosen;
  for (const VersionKey& key : keys)
    if (key.number == *number) chosen.push_back(key);
  if (chosen.empty())
    return Error{Code::name_not_found,
                 fmt::format("there is no version {} of the checkpoints \"{}\"{}", *number, seen.found().name,
                             keys.empty() ? "" : fmt::format("; the newest is {}", keys.front().number))};
  return chosen;
}

Result<Examined> examine_series(const checkpoint::FoundSeries& found, const std::optional<std::uint64_t>& number) {
  PSNAM_TRY(const auto seen, SeenSeries::open(found));
  Examined examined;
  examined.damage = seen->damage();
  examined.ranks = seen->series().ranks();
  PSNAM_TRY(const auto keys, wanted(*seen, number));
  for (const VersionKey& key : keys) {
    PSNAM_TRY(Verdict verdict, verify(*seen, key));
    examined.verdicts.push_back(std::move(verdict));
  }
  return examined;
}

Result<Examined> examine_set(const checkpoint::FoundSet& set, const std::optional<std::uint64_t>& number) {
  Examined examined;
  examined.ranks = set.members;
  examined.with_copies = false;
  for (const checkpoint::FoundPart& part : set.areas) {
    PSNAM_TRY(const auto memory, checkpoint::SeenMemory::look(part.service, part.record()));
    PSNAM_TRY(const parity::Area area, checkpoint::look_at_area(memory));
    for (const parity::SlotReport& slot : area.slots()) {
      if (slot.state == parity::SlotState::damaged)
        examined.damage.push_back(fmt::format("allocation {}: {}", part.record().id, slot.reason));
      if (!slot.version || (number && slot.number != *number)) continue;
      PSNAM_TRY(Verdict verdict, verify(memory, area, *slot.version));
      examined.verdicts.push_back(std::move(verdict));
    }
  }
  std::ranges::sort(examined.verdicts, std::ranges::greater{}, &Verdict::version);
  if (number && examined.verdicts.empty())
    return Error{Code::name_not_found, fmt::format("the set has no version {}", *number)};
  return examined;
}

std::string conclusion(const Examined& examined, const Verdict& verdict) {
  if (verdict.overwritten) return "a job has written over it meanwhile";
  std::string text;
  if (examined.with_copies)
    text = fmt::format("copies of {} of {} ranks are here; ", examined.ranks - verdict.missing.size(), examined.ranks);
  text += verdict.findings.empty() ? "no damage; " : "damaged; ";
  if (!examined.with_copies) return text + "it can be restored if no more ranks are lost than there are parities";
  return text + (verdict.restorable() ? "it can be restored" : "it cannot be restored from what is here");
}

std::string verdict_text(const Examined& examined, const Verdict& verdict) {
  std::string text = fmt::format("version {}: {}\n", version_text(verdict.version.number, verdict.version.stamp),
                                 conclusion(examined, verdict));
  for (const auto& finding : verdict.findings) text += fmt::format("  {}\n", finding.text);
  for (const std::string& why : verdict.fatal) text += fmt::format("  {}\n", why);
  return text;
}

void put_optional(JsonWriter& json, std::string_view name, const std::optional<std::uint64_t>& number) {
  json.key(name);
  if (number)
    json.value(*number);
  else
    json.null();
}

void put_verdict(JsonWriter& json, const Verdict& verdict) {
  json.begin_object();
  put_version(json, verdict.version.number, verdict.version.stamp);
  json.member("restorable", verdict.restorable()).member("overwritten", verdict.overwritten);
  json.key("missing_ranks").begin_array();
  for (const std::uint32_t rank : verdict.missing) json.value(rank);
  json.end_array().key("findings").begin_array();
  for (const auto& finding : verdict.findings) {
    json.begin_object().member("text", finding.text);
    put_optional(json, "set", finding.set);
    put_optional(json, "rank", finding.rank);
    put_optional(json, "parity", finding.parity);
    put_optional(json, "block", finding.block);
    put_optional(json, "blocks", finding.blocks);
    json.end_object();
  }
  json.end_array().key("reasons").begin_array();
  for (const std::string& why : verdict.fatal) json.value(why);
  json.end_array().end_object();
}

std::string examined_json(const Invocation& invocation, const CheckpointWish& wish, const Examined& examined) {
  JsonWriter json;
  json.begin_object().member("store", invocation.place()).member("name", wish.name).key("damage").begin_array();
  for (const std::string& one : examined.damage) json.value(one);
  json.end_array().key("versions").begin_array();
  for (const Verdict& verdict : examined.verdicts) put_verdict(json, verdict);
  return json.end_array().end_object().take();
}

std::string examined_text(const CheckpointWish& wish, const Examined& examined) {
  std::string text;
  for (const std::string& one : examined.damage) text += one + "\n";
  for (const Verdict& verdict : examined.verdicts) text += verdict_text(examined, verdict);
  if (examined.verdicts.empty()) text += fmt::format("\"{}\" has no version\n", wish.name);
  return text;
}

std::string ranks_text(std::string_view what, const std::vector<std::uint32_t>& ranks) {
  return ranks.empty() ? "" : fmt::format("; {}: ranks {}", what, fmt::join(ranks, ", "));
}

}  // namespace

Result<Outcome> verify_checkpoints(const Invocation& invocation, const CheckpointWish& wish) {
  PSNAM_TRY(const checkpoint::Inventory inventory, take_inventory(invocation, wish));
  PSNAM_TRY(const ChosenCheckpoints chosen, choose(invocation, inventory, wish.name));
  PSNAM_TRY(const Examined examined, chosen.series != nullptr ? examine_series(*chosen.series, wish.version)
                                                              : examine_set(*chosen.set, wish.version));
  Outcome outcome;
  outcome.output = invocation.json ? examined_json(invocation, wish, examined) : examined_text(wish, examined);
  outcome.failed = !examined.damage.empty() ||
                   std::ranges::any_of(examined.verdicts, [](const Verdict& one) { return !one.sound(); });
  return outcome;
}

Result<Outcome> remove_checkpoints(const Invocation& invocation, const CheckpointWish& wish) {
  PSNAM_TRY(const checkpoint::Inventory inventory, take_inventory(invocation, wish));
  PSNAM_TRY(const ChosenCheckpoints chosen, choose(invocation, inventory, wish.name));
  PSNAM_TRY(const bool gone,
            chosen.series != nullptr ? remove(*chosen.series, wish.force) : remove(*chosen.set, wish.force));
  if (!invocation.json)
    return Outcome{
        .output = gone ? fmt::format("{} removed\n", wish.name)
                       : fmt::format("{} removed; its memory goes when the job that uses it has ended\n", wish.name)};
  JsonWriter json;
  json.begin_object().member("name", wish.name).member("gone", gone);
  return Outcome{.output = json.end_object().take()};
}

Result<Outcome> export_checkpoints(const Invocation& invocation, const CheckpointWish& wish) {
  PSNAM_TRY(const checkpoint::Inventory inventory, take_inventory(invocation, wish));
  PSNAM_TRY(const ChosenCheckpoints chosen, choose(invocation, inventory, wish.name));
  if (chosen.set != nullptr)
    return Error{Code::unsupported, fmt::format("{} is a set of libNAM: its data are in the job, and only their parity "
                                                "is here",
                                                wish.name)};
  PSNAM_TRY(const auto seen, SeenSeries::open(*chosen.series));
  PSNAM_TRY(const auto keys, wanted(*seen, wish.version));
  if (keys.empty())
    return Error{Code::name_not_found, fmt::format("there is no version of the checkpoints \"{}\"", wish.name)};
  PSNAM_TRY(const auto report, export_version(*seen, keys.front(), wish.folder));
  if (!invocation.json)
    return Outcome{.output = fmt::format("version {} of {} ranks written to {}, {}{}{}\n", report.version.number,
                                         seen->series().ranks(), wish.folder, size_text(report.bytes),
                                         ranks_text("computed from the parity", report.rebuilt),
                                         ranks_text("repaired", report.repaired))};
  JsonWriter json;
  json.begin_object().member("name", wish.name).member("folder", wish.folder);
  put_version(json, report.version.number, report.version.stamp);
  json.member("ranks", seen->series().ranks()).member("bytes", report.bytes).key("rebuilt_ranks").begin_array();
  for (const std::uint32_t rank : report.rebuilt) json.value(rank);
  json.end_array().key("repaired_ranks").begin_array();
  for (const std::uint32_t rank : report.repaired) json.value(rank);
  return Outcome{.output = json.end_array().end_object().take()};
}

}  // namespace psnam::cli
