// All that Store::check() compares. Not included by anybody else.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nam/catalog.hpp"
#include "nam/folder.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct Contents {
  format::StoreRecord store;
  std::map<std::uint64_t, format::WindowRecord> windows;
  std::map<std::uint64_t, format::AllocationRecord> allocations;
  std::map<std::uint64_t, format::UseRecord> uses;
  std::map<std::string, std::uint64_t> names;
  std::map<std::string, std::uint64_t> allocation_names;
  std::map<std::string, format::ServiceRecord> services;
  std::map<std::uint64_t, std::vector<segments::Extent>> extents;  ///< by parent
  std::vector<ExtentRow> free_extents;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> references;  ///< allocation, window
  std::vector<format::UserRecord> users;
  std::vector<MemoryFile> memory;
  std::vector<MemoryFile> control;
  std::vector<MemoryFile> locks;

  /// Whether a window, or a free-standing allocation, has this id.
  [[nodiscard]] bool has_object(std::uint64_t id) const {
    const auto allocation = allocations.find(id);
    return windows.contains(id) || (allocation != allocations.end() && allocation->second.window_id == 0);
  }
  /// Whether what an allocation or segment goes with is persistent.
  [[nodiscard]] bool is_lasting(const format::AllocationRecord& allocation) const {
    if (allocation.window_id == 0) return allocation.consistency == format::Consistency::persistent;
    const auto window = windows.find(allocation.window_id);
    return window != windows.end() && is_findable(window->second);
  }
};

/// Allocations, segments, extents and references, with each other and with the windows.
void check_memory(const Contents& all, Findings& findings);

}  // namespace psnam::nam
