// What this host's kernel and user database say of a peer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "nam/control/address.hpp"

namespace psnam::nam::control {

/// A user and the groups that go with it.
struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> gids;  ///< `gid` among them
  std::uint32_t pid = 0;            ///< 0: not known
};

/// Of the process that connected the Unix socket `fd`, at that time.
[[nodiscard]] Result<Identity> unix_peer(int fd);

/// The user with all groups that this host's database knows; one it does not know has `fallback_gid` alone.
[[nodiscard]] Identity known_user(std::uint32_t uid, std::uint32_t fallback_gid);

/// The user of the socket `peer` of this host that is connected to `own`; nothing if the kernel shows none. Only
/// sockets whose connection stands count: the others have lost their user.
[[nodiscard]] std::optional<std::uint32_t> loopback_user(const SocketAddress& peer, const SocketAddress& own);

/// The same in the text of /proc/net/tcp or tcp6; `pair` is "local remote" as the kernel prints it.
[[nodiscard]] std::optional<std::uint32_t> user_in_table(std::string_view table, std::string_view pair);

}  // namespace psnam::nam::control
