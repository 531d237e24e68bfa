#include "cli/checkpoint_place.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <set>

#include "cli/report.hpp"
#include "cli/text.hpp"
#include "nam/store.hpp"

namespace psnam::cli {
namespace {

using checkpoint::FoundSeries;
using checkpoint::FoundSet;
using checkpoint::Inventory;
using checkpoint::ServicePointer;

constexpr std::uint64_t kNanoseconds = 1'000'000'000;

/// Where copies are beside the NAM: in the store of this node, if it is another one and there is any, and where else
/// the caller says.
Result<std::vector<ServicePointer>> other_stores(const Invocation& invocation, const CheckpointWish& wish) {
  std::vector<ServicePointer> stores;
  if (invocation.manager()) {
    auto store = nam::Store::open({.folder = invocation.folder(), .create = false});
    // One that is served is seen through its manager.
    if (store)
      stores.push_back(std::move(*store));
    else if (store.error().code != Code::name_not_found && store.error().code != Code::busy)
      return store.take_error();
  }
  for (const std::string& folder : wish.copies) {
    PSNAM_TRY(auto store, nam::Store::open({.folder = folder, .create = false}));
    stores.push_back(std::move(store));
  }
  return stores;
}

template <class Found>
Result<const Found*> only_one(const std::string& name, const std::vector<const Found*>& matching) {
  if (matching.empty()) return static_cast<const Found*>(nullptr);
  std::vector<std::string> owners;
  for (const Found* one : matching) {
    if (one->uid == ::geteuid()) return one;
    owners.push_back(user_name(one->uid));
  }
  if (matching.size() == 1) return matching.front();
  return Error{Code::invalid_argument,
               fmt::format("\"{}\" is the name of checkpoints of several users: {}; --owner says "
                           "whose are meant",
                           name, fmt::join(owners, ", "))};
}

Error not_found(const Invocation& invocation, const Inventory& inventory, const std::string& name) {
  std::string message = fmt::format("no checkpoints are called \"{}\" in {}", name, invocation.place());
  std::set<std::string> known;
  for (const FoundSeries& one : inventory.series) known.insert(one.name);
  for (const FoundSet& one : inventory.sets) known.insert(one.name);
  known.erase("");
  if (const auto near = similar(name, {known.begin(), known.end()}); !near.empty())
    message += fmt::format("; did you mean {}?", fmt::join(near, ", "));
  return Error{Code::name_not_found, message};
}

}  // namespace

Result<Inventory> take_inventory(const Invocation& invocation, const CheckpointWish& wish) {
  PSNAM_TRY(std::unique_ptr<nam::Service> home, open_existing(invocation));
  if (!home) return Inventory{};
  PSNAM_TRY(const auto stores, other_stores(invocation, wish));
  return Inventory::take(ServicePointer{std::move(home)}, stores);
}

Result<ChosenCheckpoints> choose(const Invocation& invocation, const Inventory& inventory, const std::string& name) {
  std::vector<const FoundSeries*> series;
  std::vector<const FoundSet*> sets;
  for (const FoundSeries& one : inventory.series)
    if (!name.empty() && (one.name == name || one.id == name)) series.push_back(&one);
  for (const FoundSet& one : inventory.sets)
    if (!name.empty() && (one.name == name || std::to_string(one.areas.front().record().id) == name))
      sets.push_back(&one);
  ChosenCheckpoints chosen;
  PSNAM_TRY(chosen.series, only_one(name, series));
  if (chosen.series != nullptr) return chosen;
  PSNAM_TRY(chosen.set, only_one(name, sets));
  if (chosen.set != nullptr) return chosen;
  return not_found(invocation, inventory, name);
}

std::string version_text(std::uint64_t number, std::uint64_t since_1970_ns) {
  return fmt::format("{} of {}", number, time_text(since_1970_ns / kNanoseconds));
}

void put_version(JsonWriter& json, std::uint64_t number, std::uint64_t since_1970_ns) {
  json.member("number", number).member("saved_unix_seconds", since_1970_ns / kNanoseconds);
}

std::uint64_t bytes_of(const std::vector<checkpoint::FoundPart>& parts) {
  std::uint64_t bytes = 0;
  for (const checkpoint::FoundPart& part : parts) bytes += part.record().size_bytes;
  return bytes;
}

}  // namespace psnam::cli
