#include "base/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/system.hpp"

namespace psnam {
namespace {

constexpr int kStateField = 3;
constexpr int kThreadsField = 20;
constexpr int kStartTimeField = 22;

bool number(std::string_view text, std::uint64_t& value) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

/// What was found under a pid: `stat`, or the reason why there is none.
struct Looked {
  std::optional<ProcessStat> stat;
  int error_number = 0;
};

Looked look(std::uint32_t pid) noexcept {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", pid);
  const Fd fd{::open(path.data(), O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return {.stat = std::nullopt, .error_number = errno};
  std::array<char, 1024> buffer{};
  const ssize_t bytes = ::read(fd.get(), buffer.data(), buffer.size());
  if (bytes < 0) return {.stat = std::nullopt, .error_number = errno};
  return {.stat = parse_process_stat({buffer.data(), static_cast<std::size_t>(bytes)}), .error_number = EIO};
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) noexcept {
  // The second field, the command in parentheses, may hold blanks and parentheses itself: fields count from the last
  // one.
  const auto end_of_command = text.rfind(')');
  if (end_of_command == std::string_view::npos || end_of_command + 2 > text.size()) return std::nullopt;
  std::string_view rest = text.substr(end_of_command + 2);
  ProcessStat stat;
  for (int field = kStateField; field <= kStartTimeField; ++field) {
    const std::string_view value = rest.substr(0, rest.find_first_of(" \n"));
    if (value.empty()) return std::nullopt;
    if (field == kStateField) stat.state = value.front();
    if (field == kThreadsField && !number(value, stat.threads)) return std::nullopt;
    if (field == kStartTimeField && !number(value, stat.start_time_ticks)) return std::nullopt;
    rest.remove_prefix(value.size() < rest.size() ? value.size() + 1 : rest.size());
  }
  return stat;
}

std::optional<std::uint64_t> process_start_time_ticks(std::uint32_t pid) noexcept {
  const Looked found = look(pid);
  if (!found.stat || found.stat->ended()) return std::nullopt;
  return found.stat->start_time_ticks;
}

bool process_has_ended(std::uint32_t pid, std::uint64_t start_time_ticks) noexcept {
  const Looked found = look(pid);
  if (found.stat) return found.stat->ended() || found.stat->start_time_ticks != start_time_ticks;
  if (found.error_number != ENOENT && found.error_number != ESRCH) return false;
  // A hidden /proc/PID looks like a missing one; the kernel's table does not.
  return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

}  // namespace psnam
