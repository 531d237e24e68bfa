// Who a peer is. Over a Unix socket the kernel says so. Over TCP a MUNGE credential does, or a secret that both sides
// know, or nothing ("plain"), which is believed as far as the kernel of this host can confirm it.
//
// - munge: the credential carries a digest of what was said on this connection, the server's nonce included, and is
//   good for it only. The groups are those that this host knows of the user.
// - secret: both sides prove with HMAC-SHA256 that they know it, over the same digest, the identity that the client
//   claims included. Who knows the secret is believed. If the server's file belongs to a user other than root, only
//   that user is let in; if it may be read by a group, nobody is let in as user 0.
// - plain: off loopback, everybody is `nobody`. On loopback the user that /proc/net/tcp says the socket belongs to.
//
// The digest covers the address at which the client found the server, so that a server of somebody else cannot pass
// what it was told on to this one.
#pragma once

#include <cstdint>
#include <string>

#include "nam/control/facts.hpp"

namespace psnam::nam::control {

/// On which connections a server takes clients without a proof.
enum class PlainRule : std::uint8_t { never, loopback, anywhere };

/// What a server accepts. Unix sockets are always served, and by the kernel's word.
struct AuthPolicy {
  bool munge = true;         ///< if libmunge and its daemon are there
  std::string munge_socket;  ///< of the daemon; empty: the usual one
  std::string secret_file;   ///< empty: none
  PlainRule plain = PlainRule::loopback;
  std::uint32_t nobody = 65534;  ///< user and group of plain peers that cannot be told
};

/// What a client has to show. One with a secret offers nothing else, and goes on only if the server proves that it has
/// it too.
struct Credentials {
  bool munge = true;         ///< as above
  std::string munge_socket;  ///< as above
  std::string secret_file;   ///< empty: none; the value of PSNAM_SECRET
};

}  // namespace psnam::nam::control
