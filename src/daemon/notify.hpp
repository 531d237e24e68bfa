// What a service manager (systemd) wants to hear: nothing happens where there is none.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace psnam::daemon {

void notify_ready(const std::string& status);
void notify_status(const std::string& status);
/// Before settings are read again; notify_ready() follows.
void notify_reloading();
void notify_stopping();
void notify_alive();
/// How often notify_alive() is wanted, with room to spare; nothing if it is not.
[[nodiscard]] std::optional<std::chrono::microseconds> alive_interval();

}  // namespace psnam::daemon
