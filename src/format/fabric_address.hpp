// The address of a fabric endpoint, as a server hands it to a client: the provider's own address, and where the client
// finds eight bytes that it may always read. By reading them a client sees that the connection works, and, behind its
// writes, that these have arrived.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/wire.hpp"

namespace psnam::format {

inline constexpr std::uint32_t kFabricAddressMagic = 0x41464e50;  // "PNFA"
/// Raised with every change of the bytes.
inline constexpr std::uint32_t kFabricAddressVersion = 1;

struct FabricAddressHeader {
  std::uint32_t magic = kFabricAddressMagic;
  std::uint32_t version = kFabricAddressVersion;
  std::uint64_t key = 0;   ///< of the eight bytes
  std::uint64_t base = 0;  ///< their remote address
};
static_assert(sizeof(FabricAddressHeader) == 24);

struct FabricAddress {
  std::uint64_t key = 0;
  std::uint64_t base = 0;
  std::string name;  ///< as the provider writes it; not empty
};

[[nodiscard]] inline std::string encode(const FabricAddress& address) {
  FabricAddressHeader header;
  header.key = address.key;
  header.base = address.base;
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes + address.name;
}

/// Nothing if the bytes are no such address, or one of another version.
[[nodiscard]] inline std::optional<FabricAddress> decode_fabric_address(std::string_view bytes) {
  constexpr std::size_t kLongestName = 256;  // the longest of all providers has 56 bytes
  FabricAddressHeader header;
  Reader reader{std::as_bytes(std::span{bytes})};
  if (!reader.get(header) || header.magic != kFabricAddressMagic || header.version != kFabricAddressVersion)
    return std::nullopt;
  FabricAddress address{header.key, header.base, {}};
  const std::size_t name_bytes = bytes.size() - sizeof header;
  if (name_bytes == 0 || name_bytes > kLongestName || !reader.get_text(address.name, name_bytes)) return std::nullopt;
  return address;
}

}  // namespace psnam::format
