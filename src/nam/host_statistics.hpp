// What a server tells of itself.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "nam/access.hpp"
#include "nam/host_parts.hpp"
#include "nam/statistics.hpp"

namespace psnam::nam {

/// All that is told to `caller`; to the server itself without one.
[[nodiscard]] Result<Statistics> host_statistics(HostParts& parts, const std::optional<Caller>& caller);

}  // namespace psnam::nam
