#include "nam/embedded.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace psnam::nam {

Status check_manager(const Options& options) {
  if (options.manager.empty()) return {};
  return Error{
      Code::unsupported,
      fmt::format(
          "PSNAM_MANAGER = \"{}\": this version reaches no manager; unset it to use the embedded store of this node "
          "and user",
          options.manager)};
}

Result<std::unique_ptr<Store>> open_embedded(const Options& options, bool create) {
  PSNAM_CHECK(check_manager(options));
  StoreOptions store_options;
  store_options.folder = store_folder(options.store);
  store_options.create = create;
  PSNAM_TRY(auto store, Store::open(store_options));
  log::debug("store {} opened", store_options.folder.string());
  return store;
}

}  // namespace psnam::nam
