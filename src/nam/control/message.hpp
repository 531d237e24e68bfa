// What the control connection carries: a body whose meaning is its users' business, and file descriptors beside it.
#pragma once

#include <cstddef>
#include <vector>

#include "base/system.hpp"

namespace psnam::nam::control {

inline constexpr std::size_t kMaxBodyBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxDescriptors = 16;

struct Message {
  std::vector<std::byte> body;
  std::vector<Fd> descriptors = {};  ///< travel over Unix sockets only; at most kMaxDescriptors
};

}  // namespace psnam::nam::control
