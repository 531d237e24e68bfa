// The embedded store as the environment of a process names it.
#pragma once

#include <memory>

#include "base/options.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

/// Code::unsupported if PSNAM_MANAGER names a manager, which this version does not reach.
[[nodiscard]] Status check_manager(const Options& options);

/// The store of PSNAM_STORE, or the user's default one. Code::name_not_found if it is not there and not to be made.
[[nodiscard]] Result<std::unique_ptr<Store>> open_embedded(const Options& options, bool create);

}  // namespace psnam::nam
