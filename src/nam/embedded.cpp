#include "nam/embedded.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <mutex>

#include "base/log.hpp"
#include "psnam_version.hpp"

namespace psnam::nam {
namespace {

/// A mutable static beside the process-wide object: it is what makes the store of a process one. Never destroyed, as
/// that one is not.
struct Opened {
  std::mutex mutex;
  pid_t process = 0;
  std::filesystem::path folder;
  std::weak_ptr<Service> store;
};
Opened& opened() {
  static auto* const opened = new Opened;
  return *opened;
}

}  // namespace

Status check_manager(const Options& options) {
  if (options.manager.empty()) return {};
  return Error{
      Code::unsupported,
      fmt::format(
          "PSNAM_MANAGER = \"{}\": this version reaches no manager; unset it to use the embedded store of this node "
          "and user",
          options.manager)};
}

Result<std::shared_ptr<Service>> open_embedded(const Options& options, bool create) {
  StoreOptions store_options;
  store_options.folder = store_folder(options.store);
  store_options.create = create;
  Opened& known = opened();
  const std::lock_guard lock{known.mutex};
  // A store of the parent is of no use to a child.
  const bool same = known.process == ::getpid() && known.folder == store_options.folder;
  if (auto store = same ? known.store.lock() : nullptr) return store;
  PSNAM_TRY(auto opened_store, Store::open(store_options));
  std::shared_ptr<Service> store = std::move(opened_store);
  log::debug("store {} opened", store_options.folder.string());
  known.process = ::getpid();
  known.folder = std::move(store_options.folder);
  known.store = store;
  return store;
}

Result<std::shared_ptr<Service>> open_service(const Options& options, bool create) {
  PSNAM_CHECK(check_manager(options));
  return open_embedded(options, create);
}

Result<std::shared_ptr<Service>> open_shared(const Options& options, bool create) {
  void* const found = ::dlsym(RTLD_DEFAULT, kShareSymbol);
  if (found == nullptr) return open_service(options, create);
  Result<std::shared_ptr<Service>> store{nullptr};
  reinterpret_cast<ShareStore>(found)(store, kVersion, options, create);
  return store;
}

}  // namespace psnam::nam
