// The embedded store as the environment of a process names it, opened once in a process however many libraries of ours
// use it: two environments of LMDB on one file in one process take each other's locks and reader slots.
#pragma once

#include <memory>

#include "base/options.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

/// Code::unsupported if PSNAM_MANAGER names a manager, which this version does not reach.
[[nodiscard]] Status check_manager(const Options& options);

/// The store of PSNAM_STORE, or the user's default one, shared by all in this process who ask. Code::name_not_found if
/// it is not there and not to be made. Thread-safe.
[[nodiscard]] Result<std::shared_ptr<Service>> open_embedded(const Options& options, bool create);

/// The manager that PSNAM_MANAGER names, or without one the embedded store.
[[nodiscard]] Result<std::shared_ptr<Service>> open_service(const Options& options, bool create);

/// The same for another library of ours in this process, by the one that is asked first: kShareSymbol is its name
/// there. Code::incompatible if `version` is not the version of this library.
using ShareStore = void (*)(Result<std::shared_ptr<Service>>& store, const char* version, const Options& options,
                            bool create);
inline constexpr const char* kShareSymbol = "psnam_private_share_store";

/// The store, from whichever library of this process shares its own.
[[nodiscard]] Result<std::shared_ptr<Service>> open_shared(const Options& options, bool create);

}  // namespace psnam::nam
