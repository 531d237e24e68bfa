// Processes, told apart from later ones that got the same number by their start time.
#pragma once

#include <cstdint>
#include <optional>

namespace psnam {

/// When the process `pid` started, in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)); nothing if there is no such
/// process, or it has ended and waits only for its parent (a zombie without threads).
[[nodiscard]] std::optional<std::uint64_t> process_start_time_ticks(std::uint32_t pid) noexcept;

/// Whether the process that started at `start_time_ticks` as `pid`, in this pid namespace, has not ended.
[[nodiscard]] inline bool process_runs(std::uint32_t pid, std::uint64_t start_time_ticks) noexcept {
  return process_start_time_ticks(pid) == start_time_ticks;
}

}  // namespace psnam
