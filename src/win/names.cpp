#include "win/names.hpp"

namespace psnam::win {

std::string_view window_name(const char* port_name) noexcept {
  std::string_view name{port_name};
  while (name.ends_with(' ')) name.remove_suffix(1);
  return name;
}

Result<bool> publish_name(Context& context, const char* service, const char* port_name) {
  PSNAM_TRY(const auto services, context.existing_services());
  for (nam::Service* const nam : services) {
    Status published = nam->publish(service, std::string{window_name(port_name)});
    if (published) return true;
    if (published.error().code != Code::name_not_found) return published.take_error();
  }
  return false;
}

Result<std::optional<std::string>> lookup_name(Context& context, const char* service) {
  PSNAM_TRY(const auto services, context.existing_services());
  for (nam::Service* const nam : services) {
    auto found = nam->lookup(service);
    if (found) return std::optional{std::move(*found)};
    if (found.error().code != Code::service_not_found) return found.take_error();
  }
  return std::optional<std::string>{};
}

Result<bool> unpublish_name(Context& context, const char* service, const char* port_name) {
  PSNAM_TRY(const auto services, context.existing_services());
  for (nam::Service* const nam : services) {
    Status unpublished = nam->unpublish(service, std::string{window_name(port_name)});
    if (unpublished) return true;
    if (unpublished.error().code != Code::service_not_found) return unpublished.take_error();
  }
  return false;
}

}  // namespace psnam::win
