// Where a server wants the memory of its allocations to lie. All of it is settled before the pages are taken.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/result.hpp"

namespace psnam::nam {

struct Placement {
  bool huge_pages = false;  ///< asked for; the system decides
  /// The store has to lie on a disk, and an allocation is made only when its file would survive a crash of the host.
  bool durable = false;
  /// Binds a mapping, and with it the file of a store in memory, before its pages are taken: see bind_to_numa_nodes().
  std::function<Status(std::byte* data, std::size_t bytes)> bind = {};

  [[nodiscard]] bool wants_mapping() const noexcept { return huge_pages || bind != nullptr; }
};

/// For Placement::bind. Code::invalid_argument, naming those there are, for a node that this host has not. Needs hwloc,
/// so it is in a library of its own, which the server links.
[[nodiscard]] Result<std::function<Status(std::byte* data, std::size_t bytes)>> bind_to_numa_nodes(
    const std::vector<unsigned>& nodes);

}  // namespace psnam::nam
