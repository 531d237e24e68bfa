// Which NAM the memory of a rank is taken from, where there are several.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "win/info.hpp"
#include "win/job.hpp"

namespace psnam::win {

/// The index of the NAM that `rank` gets its memory from. Code::info_value, with the known ones, for an index that
/// there is not; Code::unreachable for one that does not answer.
[[nodiscard]] Result<std::uint32_t> choose_nam(const NamWish& wish, std::size_t rank, const std::vector<Nam>& nams);

/// `bytes` of `nam` are as good as taken.
inline void take_from(Nam& nam, std::uint64_t bytes) noexcept { nam.free_bytes -= std::min(nam.free_bytes, bytes); }

}  // namespace psnam::win
