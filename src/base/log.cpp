#include "base/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>

namespace psnam::log {
namespace {

constexpr std::array<std::string_view, 5> kNames{"error", "warning", "info", "debug", "trace"};

// The one mutable static below src/mpi: a log level has to be reachable before any object exists that could carry it.
std::atomic<Level> g_level{Level::warn};

}  // namespace

void set_level(Level level) noexcept { g_level.store(level, std::memory_order_relaxed); }

Level level() noexcept { return g_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view text) noexcept {
  fmt::basic_memory_buffer<char, 512> buffer;
  fmt::format_to(std::back_inserter(buffer), "psnam: {}: {}\n", kNames[static_cast<std::size_t>(level)], text);
  // A log line that cannot be written has nowhere to be reported.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, buffer.data(), buffer.size());
}

}  // namespace psnam::log
