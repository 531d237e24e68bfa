// The log: lines on standard error, "psnam: <level>: <text>", filtered by PSNAM_LOG. One write(2) a line, so that the
// lines of many ranks do not mix.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace psnam::log {

enum class Level { error, warn, info, debug, trace };

/// Lines above `level` are dropped from now on. Thread-safe. The default is warn.
void set_level(Level level) noexcept;
[[nodiscard]] Level level() noexcept;
void write(Level level, std::string_view text) noexcept;

template <class... Args>
void line(Level at, fmt::format_string<Args...> format, Args&&... args) {
  if (at <= level()) write(at, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::error, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::debug, format, std::forward<Args>(args)...);
}

}  // namespace psnam::log
