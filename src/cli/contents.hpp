// What a store holds, windows and allocations, as one look at it found it, and what of it belongs together.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "nam/service.hpp"

namespace psnam::cli {

/// A segment in the tree below an allocation; its direct segments have depth 0.
struct Branch {
  const nam::AllocationReport* report = nullptr;
  std::size_t depth = 0;
};

/// Ids lead to what was there; a null pointer where it went, or came, in the meantime.
class Contents {
 public:
  /// Without a store there is nothing.
  static Result<Contents> read(nam::Service* store);

  /// In the order of their names, those without one at the end.
  [[nodiscard]] const std::vector<nam::WindowReport>& windows() const noexcept { return windows_; }
  /// In the order of their ids; segments and those of windows too.
  [[nodiscard]] const std::vector<nam::AllocationReport>& allocations() const noexcept { return allocations_; }
  /// Allocations that stand free: of no window, and in a file of their own.
  [[nodiscard]] std::vector<const nam::AllocationReport*> free_standing() const;

  [[nodiscard]] const nam::WindowReport* window(std::uint64_t id) const;
  [[nodiscard]] const nam::AllocationReport* allocation(std::uint64_t id) const;
  /// A persistent one before a volatile one, which is not found by its name.
  [[nodiscard]] const nam::WindowReport* window(std::string_view name) const;
  [[nodiscard]] const nam::AllocationReport* allocation(std::string_view name) const;

  /// Segments below `id`: each parent before its children, these in the order of their offsets.
  [[nodiscard]] std::vector<Branch> tree(std::uint64_t id) const;
  /// Ids of the windows over the allocation `id`, and of those that have segments in it, in order.
  [[nodiscard]] std::vector<std::uint64_t> windows_in(std::uint64_t id) const;
  /// How people are told of a window: its name, or "window 12".
  [[nodiscard]] std::string name_of_window(std::uint64_t id) const;

 private:
  std::vector<nam::WindowReport> windows_;
  std::vector<nam::AllocationReport> allocations_;
  std::unordered_map<std::uint64_t, std::size_t> window_of_id_;
  std::vector<std::size_t> segments_;  // indices of allocations, in the order of parent and offset
};

}  // namespace psnam::cli
