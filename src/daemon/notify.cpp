#include "daemon/notify.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>

namespace psnam::daemon {

void notify_ready(const std::string& status) { ::sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str()); }

void notify_status(const std::string& status) { ::sd_notify(0, fmt::format("STATUS={}", status).c_str()); }

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr std::int64_t kPerSecond = 1'000'000;
  constexpr std::int64_t kNanoPerMicro = 1'000;
  ::sd_notify(
      0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * kPerSecond + now.tv_nsec / kNanoPerMicro).c_str());
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1\nSTATUS=ending"); }

void notify_alive() { ::sd_notify(0, "WATCHDOG=1"); }

std::optional<std::chrono::microseconds> alive_interval() {
  std::uint64_t limit_us = 0;
  if (::sd_watchdog_enabled(0, &limit_us) <= 0 || limit_us == 0) return std::nullopt;
  return std::chrono::microseconds{limit_us / 2};
}

}  // namespace psnam::daemon
