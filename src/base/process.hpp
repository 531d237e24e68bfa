// Processes, told apart from later ones that got the same number by their start time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace psnam {

/// What /proc/PID/stat (proc(5)) says of a process.
struct ProcessStat {
  char state = '?';
  std::uint64_t threads = 0;
  std::uint64_t start_time_ticks = 0;  ///< since boot

  /// A zombie that waits only for its parent; one whose other threads still run has not ended.
  [[nodiscard]] bool ended() const noexcept { return state == 'X' || (state == 'Z' && threads <= 1); }
  bool operator==(const ProcessStat&) const = default;
};

/// Nothing if `text` is not the content of such a file.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text) noexcept;

/// When the process `pid` started, in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)); nothing if there is
/// no such process, or it has ended and waits only for its parent (a zombie without threads).
[[nodiscard]] std::optional<std::uint64_t> process_start_time_ticks(std::uint32_t pid) noexcept;

/// Whether the process that started at `start_time_ticks` as `pid`, in this pid namespace, has not ended.
[[nodiscard]] inline bool process_runs(std::uint32_t pid, std::uint64_t start_time_ticks) noexcept {
  return process_start_time_ticks(pid) == start_time_ticks;
}

/// The same question for who may destroy on the answer: true only if it is certain, so false too when the system does
/// not tell (no descriptor left, /proc hidden).
[[nodiscard]] bool process_has_ended(std::uint32_t pid, std::uint64_t start_time_ticks) noexcept;

}  // namespace psnam
