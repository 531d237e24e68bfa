#include "cli/command.hpp"

#include <fmt/format.h>

#include "nam/client.hpp"
#include "nam/store.hpp"

namespace psnam::cli {

std::optional<std::string> Invocation::variable(std::string_view name) const {
  auto value = environment(name);
  if (value && value->empty()) value.reset();
  return value;
}

std::filesystem::path Invocation::folder() const {
  const std::string named = store_argument.empty() ? variable("PSNAM_STORE").value_or("") : store_argument;
  return nam::store_folder(named);
}

std::optional<std::string> Invocation::manager() const {
  if (!manager_argument.empty()) return manager_argument;
  if (!store_argument.empty()) return std::nullopt;
  return variable("PSNAM_MANAGER");
}

std::string Invocation::place() const { return manager().value_or(folder().string()); }

Result<Options> Invocation::options() const {
  PSNAM_TRY(Options options, parse_options(environment));
  options.store = folder().string();
  options.manager = manager().value_or("");
  // Nothing here touches memory, so it need not be mapped.
  if (options.path == Path::mapped) options.path = Path::automatic;
  return options;
}

namespace {

/// The memory node that --nam means.
Result<nam::NamReport> chosen_nam(const Invocation& invocation, const std::vector<nam::NamReport>& nams) {
  const std::string& wanted = invocation.nam_argument;
  const nam::NamReport* chosen = nullptr;
  std::string known;
  for (const auto& nam : nams) {
    if (wanted == "any" && nam.reachable && (chosen == nullptr || nam.free_bytes > chosen->free_bytes)) chosen = &nam;
    if (wanted == std::to_string(nam.index)) chosen = &nam;
    known += fmt::format("{}, ", nam.index);
  }
  if (chosen == nullptr)
    return Error{Code::invalid_argument, fmt::format("--nam {}: known values are {}any", wanted, known)};
  if (!chosen->reachable)
    return Error{Code::unreachable, fmt::format("NAM {} at {} does not answer", chosen->index, chosen->address)};
  return *chosen;
}

Result<std::unique_ptr<nam::Service>> open_nam(const Invocation& invocation, std::unique_ptr<nam::Service> manager) {
  PSNAM_TRY(const auto nams, manager->nams());
  PSNAM_TRY(const nam::NamReport nam, chosen_nam(invocation, nams));
  if (nam.address.empty()) return manager;
  PSNAM_TRY(Options options, invocation.options());
  options.manager = nam.address;
  PSNAM_TRY(auto client, nam::Client::connect(options));
  return std::unique_ptr<nam::Service>{std::move(client)};
}

Result<std::unique_ptr<nam::Service>> open(const Invocation& invocation, bool make) {
  if (invocation.manager()) {
    PSNAM_TRY(const Options options, invocation.options());
    PSNAM_TRY(auto client, nam::Client::connect(options));
    std::unique_ptr<nam::Service> manager = std::move(client);
    return invocation.nam_argument.empty() ? std::move(manager) : open_nam(invocation, std::move(manager));
  }
  if (!invocation.nam_argument.empty())
    return Error{Code::invalid_argument,
                 fmt::format("--nam {}: {} is an embedded store, and has no other NAMs beside it",
                             invocation.nam_argument, invocation.place())};
  PSNAM_TRY(auto store, nam::Store::open({.folder = invocation.folder(), .create = make}));
  return std::unique_ptr<nam::Service>{std::move(store)};
}

}  // namespace

Result<std::unique_ptr<nam::Service>> open_or_make(const Invocation& invocation) { return open(invocation, true); }

Result<std::unique_ptr<nam::Service>> open_existing(const Invocation& invocation) {
  auto store = open(invocation, false);
  if (!store && store.error().code == Code::name_not_found) return std::unique_ptr<nam::Service>{};
  return store;
}

}  // namespace psnam::cli
