// The predefined reduction operations of MPI as our own small enumeration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace psnam::backends {

/// The numbers leave a process, in requests to one that maps the memory: append only.
enum class Op : std::uint8_t {
  sum,
  prod,
  max,
  min,
  land,
  band,
  lor,
  bor,
  lxor,
  bxor,
  maxloc,
  minloc,
  replace,
  no_op,
};
inline constexpr std::size_t kOps = 14;

/// MPI's name of it.
[[nodiscard]] std::string_view name(Op op) noexcept;

}  // namespace psnam::backends
