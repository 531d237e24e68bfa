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

Result<std::unique_ptr<nam::Store>> open_existing(const Invocation& invocation) {
  // A store named on the command line is meant, whatever manager the environment names.
  const auto manager = invocation.variable("PSNAM_MANAGER");
  if (manager && invocation.store_argument.empty())
    return Error{
        Code::unsupported,
        fmt::format("PSNAM_MANAGER = \"{}\": this version reaches no manager; unset it, or name a store by --store",
                    *manager)};
  auto store = nam::Store::open({.folder = invocation.folder(), .create = false});
  if (!store && store.error().code == Code::name_not_found) return std::unique_ptr<nam::Store>{};
  return store;
}

}  // namespace psnam::cli
