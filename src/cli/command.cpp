#include "cli/command.hpp"

#include <fmt/format.h>

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

namespace {

Result<std::unique_ptr<nam::Service>> open(const Invocation& invocation, bool make) {
  // A store named on the command line is meant, whatever manager the environment names.
  const auto manager = invocation.variable("PSNAM_MANAGER");
  if (manager && invocation.store_argument.empty())
    return Error{
        Code::unsupported,
        fmt::format("PSNAM_MANAGER = \"{}\": this version reaches no manager; unset it, or name a store by --store",
                    *manager)};
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
