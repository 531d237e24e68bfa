// The messages of the handshake, as values, and their bytes (format/handshake.capnp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "nam/control/digest.hpp"
#include "nam/control/facts.hpp"

namespace psnam::nam::control {

/// Handshake frames are small: whoever is not let in yet takes no more memory than this.
inline constexpr std::size_t kMaxHandshakeBytes = std::size_t{64} << 10;
/// Groups beyond these are not claimed, which takes rights away and gives none.
inline constexpr std::size_t kMaxClaimedGroups = 4096;

/// Versions of what is said after the handshake, and of the handshake itself but for Hello and Refusal.
struct Versions {
  std::uint16_t min = 1;
  std::uint16_t max = 1;
  bool operator==(const Versions&) const = default;
};

/// What a client claims to be.
struct Claim {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> gids;
  bool operator==(const Claim&) const = default;
};

struct Hello {
  Versions versions;
  Nonce nonce{};
  std::vector<AuthMethod> methods;
  ClientFacts facts;
  Claim claim;
  bool operator==(const Hello&) const = default;
};

struct Challenge {
  std::uint16_t version = 0;
  AuthMethod method = AuthMethod::secret;
  Nonce nonce{};
  bool operator==(const Challenge&) const = default;
};

struct Proof {
  std::string server;
  std::vector<std::byte> proof;
  bool operator==(const Proof&) const = default;
};

/// The part of a welcome that is sealed.
struct WelcomeFacts {
  std::uint16_t version = 0;
  std::uint64_t session = 0;
  ServerFacts server;
  bool operator==(const WelcomeFacts&) const = default;
};

struct Welcome {
  std::vector<std::byte> facts;  ///< encoded WelcomeFacts
  std::vector<std::byte> seal;
  bool operator==(const Welcome&) const = default;
};

enum class RefusalReason : std::uint8_t { other, version, access, full };

struct Refusal {
  RefusalReason reason = RefusalReason::other;
  std::string text;
  Versions versions;  ///< of the server
  bool operator==(const Refusal&) const = default;
};

using HandshakeMessage = std::variant<Hello, Challenge, Proof, Welcome, Refusal>;

[[nodiscard]] std::vector<std::byte> encode(const HandshakeMessage& message);
[[nodiscard]] std::vector<std::byte> encode(const WelcomeFacts& facts);
/// Code::corrupt for bytes that are no such message. Never throws but for lack of memory.
[[nodiscard]] Result<HandshakeMessage> decode_handshake(std::span<const std::byte> bytes);
[[nodiscard]] Result<WelcomeFacts> decode_welcome_facts(std::span<const std::byte> bytes);

}  // namespace psnam::nam::control
