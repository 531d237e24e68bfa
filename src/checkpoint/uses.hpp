// Who has a part of a series or set in use: jobs, of which there is one at a time, and people who only look.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "nam/service.hpp"

namespace psnam::checkpoint {

/// By this rank a use is known to be of somebody who only looks.
inline constexpr std::uint32_t kLookingRank = std::numeric_limits<std::uint32_t>::max();

/// What killed jobs had in use is in use no more, as far as this process may see to it. A manager does that by itself
/// when a session ends, and lets only those who administer it ask for it.
inline Status release_leftovers(nam::Service& nam) {
  auto collected = nam.collect();
  if (!collected && collected.error().code != Code::access) return collected.take_error();
  return {};
}

/// Does `attempt` again, until `until`, as long as it says Code::busy. A manager hears of the death of a client when
/// its connection closes, and ends what it had in use after that; the next job may be there before.
template <class Attempt>
auto when_let_go(Attempt attempt, std::chrono::steady_clock::time_point until) -> decltype(attempt()) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kLongestPause{100};
  for (std::chrono::milliseconds pause{5};; pause = std::min(2 * pause, kLongestPause)) {
    auto result = attempt();
    if (result || result.error().code != Code::busy || Clock::now() >= until) return result;
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
}

/// The same for a short while.
template <class Attempt>
auto when_let_go(Attempt attempt) -> decltype(attempt()) {
  constexpr std::chrono::seconds kLimit{2};
  return when_let_go(std::move(attempt), std::chrono::steady_clock::now() + kLimit);
}

/// Uses by jobs.
[[nodiscard]] inline std::size_t count_jobs(const nam::AllocationReport& report) {
  return static_cast<std::size_t>(std::ranges::count_if(report.uses, [](const format::UseRecord& use) {
    return !std::ranges::all_of(use.processes,
                                [](const format::ProcessIdentity& process) { return process.rank == kLookingRank; });
  }));
}
/// 0 if it is not there.
[[nodiscard]] inline Result<std::size_t> count_jobs(nam::Service& nam, std::uint64_t allocation_id) {
  PSNAM_TRY(const auto reports, nam.allocations());
  for (const nam::AllocationReport& report : reports)
    if (report.allocation.id == allocation_id) return count_jobs(report);
  return std::size_t{0};
}

}  // namespace psnam::checkpoint
