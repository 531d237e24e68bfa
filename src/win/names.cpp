#include "win/names.hpp"

namespace psnam::win {

std::string_view window_name(const char* port_name) noexcept {
  std::string_view name{port_name};
  while (name.ends_with(' ')) name.remove_suffix(1);
  return name;
}

Result<bool> publish_name(Context& context, const char* service, const char* port_name) {
  PSNAM_TRY(nam::Service* const store, context.existing_store());
  if (store == nullptr) return false;
  Status published = store->publish(service, std::string{window_name(port_name)});
  if (!published && published.error().code == Code::name_not_found) return false;
  PSNAM_CHECK(std::move(published));
  return true;
}

Result<std::optional<std::string>> lookup_name(Context& context, const char* service) {
  PSNAM_TRY(nam::Service* const store, context.existing_store());
  if (store == nullptr) return std::optional<std::string>{};
  auto found = store->lookup(service);
  if (found) return std::optional{std::move(*found)};
  if (found.error().code == Code::service_not_found) return std::optional<std::string>{};
  return found.take_error();
}

Result<bool> unpublish_name(Context& context, const char* service, const char* port_name) {
  PSNAM_TRY(nam::Service* const store, context.existing_store());
  if (store == nullptr) return false;
  Status unpublished = store->unpublish(service, std::string{window_name(port_name)});
  if (!unpublished && unpublished.error().code == Code::service_not_found) return false;
  PSNAM_CHECK(std::move(unpublished));
  return true;
}

}  // namespace psnam::win
