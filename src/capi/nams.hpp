// The NAMs that a process reaches: that of its store or manager, and those that have joined the manager.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "nam/service.hpp"

namespace psnam::capi {

using ServicePointer = std::shared_ptr<nam::Service>;

/// The NAM `index` of those that `home` knows, or for -1 that with most left. It keeps `home` alive.
/// Code::invalid_argument, with the known ones, for an index that there is not; Code::unreachable for a NAM that does
/// not answer.
[[nodiscard]] Result<ServicePointer> nam_of(const ServicePointer& home, int index);

/// Those that can be reached; one that cannot is left out, with a warning.
[[nodiscard]] Result<std::vector<ServicePointer>> reachable_nams(const ServicePointer& home);

}  // namespace psnam::capi
