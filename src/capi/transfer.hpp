// Bytes into an allocation, for those functions of the interface that do more than that.
#pragma once

#include <sys/types.h>

#include "base/result.hpp"
#include "capi/allocation.hpp"
#include "nam.h"

namespace psnam::capi {

/// Checks handle, range and buffer, in the name of `function`, and copies.
[[nodiscard]] Result<ssize_t> put(const char* function, const void* from, Range range, const nam_allocation_t* handle);

}  // namespace psnam::capi
