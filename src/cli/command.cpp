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
  options.path = Path::automatic;
  return options;
}

namespace {

Result<std::unique_ptr<nam::Service>> open(const Invocation& invocation, bool make) {
  if (invocation.manager()) {
    PSNAM_TRY(const Options options, invocation.options());
    PSNAM_TRY(auto client, nam::Client::connect(options));
    return std::unique_ptr<nam::Service>{std::move(client)};
  }
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
