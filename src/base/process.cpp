#include "base/process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "base/system.hpp"

namespace psnam {
namespace {

constexpr int kStateField = 3;
constexpr int kThreadsField = 20;
constexpr int kStartTimeField = 22;

std::uint64_t number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::optional<std::uint64_t> process_start_time_ticks(std::uint32_t pid) noexcept {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", pid);
  const Fd fd{::open(path.data(), O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return std::nullopt;
  std::array<char, 1024> buffer{};
  const ssize_t bytes = ::read(fd.get(), buffer.data(), buffer.size());
  if (bytes <= 0) return std::nullopt;
  // The second field, the command in parentheses, may hold blanks and parentheses itself: fields count from the last one.
  std::string_view rest{buffer.data(), static_cast<std::size_t>(bytes)};
  const auto end_of_command = rest.rfind(')');
  if (end_of_command == std::string_view::npos || end_of_command + 2 > rest.size()) return std::nullopt;
  rest.remove_prefix(end_of_command + 2);
  char state = '?';
  std::uint64_t threads = 0;
  for (int field = kStateField; field <= kStartTimeField; ++field) {
    const std::string_view text = rest.substr(0, rest.find(' '));
    if (field == kStateField && !text.empty()) state = text.front();
    if (field == kThreadsField) threads = number(text);
    if (field == kStartTimeField) {
      const bool ended = state == 'X' || (state == 'Z' && threads <= 1);
      return ended ? std::nullopt : std::optional{number(text)};
    }
    rest.remove_prefix(text.size() < rest.size() ? text.size() + 1 : rest.size());
  }
  return std::nullopt;
}

}  // namespace psnam
