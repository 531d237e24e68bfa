// Digests of the handshake: SHA-256, HMAC-SHA-256, nonces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace psnam::nam::control {

using Digest = std::array<std::byte, 32>;
using Nonce = std::array<std::byte, 32>;

using Piece = std::span<const std::byte>;
[[nodiscard]] inline Piece piece(std::string_view text) noexcept { return std::as_bytes(std::span{text}); }

/// Each piece goes in behind its length, so that no two lists of pieces are the same bytes.
[[nodiscard]] Digest sha256(std::initializer_list<Piece> pieces) noexcept;
[[nodiscard]] Digest hmac_sha256(Piece key, std::initializer_list<Piece> pieces) noexcept;
/// In a time that does not tell where they differ. Different lengths are different.
[[nodiscard]] bool equal_secrets(Piece one, Piece other) noexcept;
/// From the system's random numbers. Code::system when it has none.
[[nodiscard]] Result<Nonce> random_nonce();

}  // namespace psnam::nam::control
