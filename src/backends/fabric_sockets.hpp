// The sockets that providers over TCP make, which libfabric hands to nobody.
#pragma once

#include <chrono>
#include <string_view>

namespace psnam::backends {

/// Finds this process's sockets that are connected to the address `peer`, or bound to `own` (sockaddrs, as the provider
/// writes them), and makes them close on exec. Otherwise a program started from here would keep the connection open
/// when this process has ended. Connected ones get `timeout` as the time after which unacknowledged bytes break the
/// connection.
void adopt_sockets(std::string_view peer, std::string_view own, std::chrono::milliseconds timeout) noexcept;

}  // namespace psnam::backends
