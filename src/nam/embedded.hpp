// The services that the environment of a process names: the embedded store, and the manager. Each is opened once in a
// process however many libraries of ours use it: two environments of LMDB on one file in one process take each other's
// locks and reader slots, and one session is enough.
#pragma once

#include <memory>

#include "base/options.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

/// The store of PSNAM_STORE, or the user's default one, shared by all in this process who ask. Code::name_not_found if
/// it is not there and not to be made. Thread-safe.
[[nodiscard]] Result<std::shared_ptr<Service>> open_embedded(const Options& options, bool create);

/// The NAM of the process: the manager of PSNAM_MANAGER, if there is one, else the store as above. Thread-safe.
[[nodiscard]] Result<std::shared_ptr<Service>> open_service(const Options& options, bool create);

/// The same for another library of ours in this process, by the one that is asked first: kShareSymbol is its name
/// there. Code::incompatible if `version` is not the version of this library.
using ShareStore = void (*)(Result<std::shared_ptr<Service>>& store, const char* version, const Options& options,
                            bool create);
inline constexpr const char* kShareSymbol = "psnam_private_share_store";

/// The NAM of the process, from whichever library of it shares its own.
[[nodiscard]] Result<std::shared_ptr<Service>> open_shared(const Options& options, bool create);

}  // namespace psnam::nam
