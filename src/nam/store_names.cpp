// Service names of the embedded store: they lead to a window, are found while its name is, and go when its records go,
// so that a window may be made volatile before or after its services are unpublished.
#include <fmt/format.h>

#include <algorithm>

#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

constexpr std::size_t kMaxServiceBytes = 255;

Error no_such_service(std::string_view service, const Folder& folder) {
  return Error{Code::service_not_found,
               fmt::format("the store {} has no service called \"{}\"", folder.path().string(), service)};
}

/// Whether the window of a service is found by its name at present.
Result<bool> leads_somewhere(CatalogTransaction& transaction, const format::ServiceRecord& record) {
  PSNAM_TRY(const auto window, transaction.window(record.window_id));
  return window && is_findable(*window);
}

}  // namespace

Status check_service_name(std::string_view name) {
  const bool clean =
      std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; });
  if (name.empty() || name.size() > kMaxServiceBytes || !clean)
    return Error{Code::info_value,
                 fmt::format("a service name has 1 to {} bytes without control characters, this has {}",
                             kMaxServiceBytes, name.size())};
  return {};
}

Status Store::publish(std::string_view service, std::string_view port_name) {
  PSNAM_CHECK(check_service_name(service));
  if (!check_window_name(port_name)) return no_such_window(port_name, impl_->folder);
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction,
            impl_->catalog->write(Purpose::creation, service.size() + port_name.size()));
  PSNAM_TRY(const auto window_id, transaction.window_called(port_name));
  if (!window_id) return no_such_window(port_name, impl_->folder);
  PSNAM_TRY(const auto window, transaction.window(*window_id));
  if (window) PSNAM_CHECK(rights.require_writing(*window));
  PSNAM_TRY(const auto taken, transaction.service(service));
  if (taken) {
    PSNAM_TRY(const bool found, leads_somewhere(transaction, *taken));
    if (found)
      return Error{Code::service_exists,
                   fmt::format("the service \"{}\" is published already, for \"{}\"", service, taken->port_name)};
    PSNAM_CHECK(transaction.erase_service(service, taken->window_id));
  }
  PSNAM_CHECK(transaction.put_service(
      service, format::ServiceRecord{.window_id = *window_id, .port_name = std::string{port_name}}));
  return transaction.commit();
}

Result<std::string> Store::lookup(std::string_view service) {
  if (!check_service_name(service)) return no_such_service(service, impl_->folder);
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto record, transaction.service(service));
  if (!record) return no_such_service(service, impl_->folder);
  PSNAM_TRY(const bool found, leads_somewhere(transaction, *record));
  if (!found) return no_such_service(service, impl_->folder);
  PSNAM_TRY(const auto window, transaction.window(record->window_id));
  if (window) PSNAM_CHECK(rights.require_sight(*window));
  return std::move(record->port_name);
}

Status Store::unpublish(std::string_view service, std::string_view port_name) {
  if (!check_service_name(service)) return no_such_service(service, impl_->folder);
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::removal));
  PSNAM_TRY(const auto record, transaction.service(service));
  if (!record) return no_such_service(service, impl_->folder);
  if (record->port_name != port_name)
    return Error{Code::name_not_found, fmt::format("the service \"{}\" leads to \"{}\", not to \"{}\"", service,
                                                   record->port_name, port_name)};
  PSNAM_TRY(const auto window, transaction.window(record->window_id));
  if (window) PSNAM_CHECK(rights.require_writing(*window));
  PSNAM_CHECK(transaction.erase_service(service, record->window_id));
  return transaction.commit();
}

}  // namespace psnam::nam
