#include "nam/embedded.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <mutex>

#include "base/log.hpp"
#include "nam/client.hpp"
#include "psnam_version.hpp"

namespace psnam::nam {
namespace {

/// What was opened, and by whom.
struct Opened {
  std::mutex mutex;
  pid_t process = 0;
  std::string name;
  std::weak_ptr<Service> service;

  /// The service that this process has opened under the name. One of the parent is of no use to a child.
  [[nodiscard]] std::shared_ptr<Service> find(const std::string& wanted) const {
    return process == ::getpid() && name == wanted ? service.lock() : nullptr;
  }
  void keep(std::string opened_name, const std::shared_ptr<Service>& opened_service) {
    process = ::getpid();
    name = std::move(opened_name);
    service = opened_service;
  }
};

/// Mutable statics beside the process-wide object: they are what makes the services of a process one. Never destroyed,
/// as that one is not.
Opened& opened_store() {
  static auto* const opened = new Opened;
  return *opened;
}
Opened& opened_manager() {
  static auto* const opened = new Opened;
  return *opened;
}

Result<std::shared_ptr<Service>> open_manager(const Options& options) {
  Opened& known = opened_manager();
  const std::lock_guard lock{known.mutex};
  std::string name = fmt::format("{} {}", static_cast<int>(options.path), options.manager);
  if (auto manager = known.find(name)) return manager;
  PSNAM_TRY(std::shared_ptr<Service> manager, Client::connect(options));
  known.keep(std::move(name), manager);
  return manager;
}

}  // namespace

Result<std::shared_ptr<Service>> open_embedded(const Options& options, bool create) {
  StoreOptions store_options;
  store_options.folder = store_folder(options.store);
  store_options.create = create;
  Opened& known = opened_store();
  const std::lock_guard lock{known.mutex};
  if (auto store = known.find(store_options.folder.string())) return store;
  PSNAM_TRY(std::shared_ptr<Service> store, Store::open(store_options));
  log::debug("store {} opened", store_options.folder.string());
  known.keep(store_options.folder.string(), store);
  return store;
}

Result<std::shared_ptr<Service>> open_service(const Options& options, bool create) {
  return options.manager.empty() ? open_embedded(options, create) : open_manager(options);
}

Result<std::shared_ptr<Service>> open_shared(const Options& options, bool create) {
  void* const found = ::dlsym(RTLD_DEFAULT, kShareSymbol);
  if (found == nullptr) return open_service(options, create);
  Result<std::shared_ptr<Service>> store{nullptr};
  reinterpret_cast<ShareStore>(found)(store, kVersion, options, create);
  return store;
}

}  // namespace psnam::nam
