#include "nam/control/handshake.hpp"

#include <algorithm>

namespace psnam::nam::control {

std::optional<std::uint16_t> common_version(const Versions& one, const Versions& other) noexcept {
  const std::uint16_t highest = std::min(one.max, other.max);
  if (highest < one.min || highest < other.min) return std::nullopt;
  return highest;
}

Digest Transcript::digest() const noexcept {
  return sha256({piece("psnam control handshake 1"), hello, challenge, piece(server)});
}

Digest client_proof(const Secret& secret, const Transcript& transcript) noexcept {
  const Digest said = transcript.digest();
  return hmac_sha256(secret.key, {piece("client"), said});
}

Digest server_seal(const Secret& secret, const Transcript& transcript, Piece welcome_facts) noexcept {
  const Digest said = transcript.digest();
  return hmac_sha256(secret.key, {piece("server"), said, welcome_facts});
}

}  // namespace psnam::nam::control
