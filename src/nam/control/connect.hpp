// A connected socket, in time.
#pragma once

#include <chrono>

#include "base/system.hpp"
#include "nam/control/address.hpp"
#include "nam/control/frame_socket.hpp"

namespace psnam::nam::control {

/// To the first of the addresses that `address` stands for that answers; each gets its share of the time. It does not
/// block. Asking a name server for a host is not bound by the deadline. `silence` as in set_tcp_options().
/// Code::unreachable with the cause; Code::access for a Unix socket that this user may not use.
[[nodiscard]] Result<Fd> connect_socket(const Address& address, Deadline deadline, std::chrono::milliseconds silence);

}  // namespace psnam::nam::control
