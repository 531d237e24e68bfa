// The secret that client and server share: a file, which only those may read who are trusted with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace psnam::nam::control {

inline constexpr std::size_t kMinSecretBytes = 32;
inline constexpr std::size_t kMaxSecretBytes = 4096;

struct Secret {
  std::vector<std::byte> key;
  std::uint32_t owner = 0;   ///< of the file
  bool group_reads = false;  ///< its group may read it
};

/// A newline at the end does not belong to it. Code::access: it may be read or changed by others, or belongs to another
/// user than the calling one and root; Code::invalid_argument: no plain file, too short or too long. No message says
/// what is in it.
[[nodiscard]] Result<Secret> read_secret(const std::string& file);

}  // namespace psnam::nam::control
