// Who may use a window or an allocation: the rights of its mode, as for a file.
#pragma once

#include <cstdint>
#include <vector>

#include "nam/service.hpp"

namespace psnam::nam {

struct Caller {
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> gids;  ///< effective and supplementary
};

/// The calling process, by its effective ids.
[[nodiscard]] Result<Caller> this_caller();

/// The first class that fits the caller (owner, group, others) decides alone, as for a file; user 0 always may.
[[nodiscard]] bool may_access(const format::WindowRecord& window, AccessRight right, const Caller& caller) noexcept;
[[nodiscard]] bool may_access(const format::AllocationRecord& allocation, AccessRight right,
                              const Caller& caller) noexcept;
/// Code::access.
[[nodiscard]] Status require_access(const format::AllocationRecord& allocation, AccessRight right,
                                    const Caller& caller);

}  // namespace psnam::nam
