// The sockets that providers over TCP make, which libfabric hands to nobody.
#pragma once

#include <chrono>
#include <string_view>

namespace psnam::backends {

/// Finds this process's sockets that are bound to the address `name`, or connected to it (a sockaddr, as the provider
/// writes it), and makes them close on exec. Otherwise a program started from here would keep the connection open when
/// this process has ended. Connected ones get `timeout` as the time after which unacknowledged bytes break the
/// connection.
void adopt_sockets(std::string_view name, std::chrono::milliseconds timeout) noexcept;

}  // namespace psnam::backends
