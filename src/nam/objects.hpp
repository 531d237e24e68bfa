// What has a lifetime in a store: windows and free-standing allocations, and what keeps them.
//
// An object is kept by being persistent, by a use, and by its children: segments cut from its memory, and windows over
// it. All that is asked here is asked inside a transaction, so it is true as long as that lasts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "nam/catalog.hpp"
#include "nam/folder.hpp"

namespace psnam::nam {

/// A window, or a free-standing allocation.
struct Object {
  std::uint64_t id = 0;
  std::optional<format::WindowRecord> window;
  std::optional<format::AllocationRecord> allocation;  ///< if it is no window

  [[nodiscard]] bool persistent() const noexcept {
    if (window) return is_findable(*window);
    return allocation && allocation->consistency == format::Consistency::persistent;
  }
  [[nodiscard]] bool expired(std::uint64_t now) const noexcept {
    return allocation && allocation->expires_unix_seconds != 0 && allocation->expires_unix_seconds <= now;
  }
  /// The allocations and segments that go with it.
  [[nodiscard]] std::vector<std::uint64_t> memory() const { return window ? allocations_of(*window) : std::vector{id}; }
  /// For messages.
  [[nodiscard]] std::string shown() const;
};

/// Seconds since 1970.
[[nodiscard]] std::uint64_t now_unix_seconds() noexcept;

[[nodiscard]] Result<std::optional<Object>> find_object(CatalogTransaction& transaction, std::uint64_t id);

/// The object that an allocation or segment goes with.
[[nodiscard]] inline std::uint64_t owner_of(const format::AllocationRecord& allocation) noexcept {
  return allocation.window_id != 0 ? allocation.window_id : allocation.id;
}

[[nodiscard]] inline segments::Parent parent_of(const format::AllocationRecord& allocation) noexcept {
  return {.id = allocation.id, .size_bytes = allocation.size_bytes, .root_offset_bytes = allocation.root_offset_bytes};
}

/// One of its children.
[[nodiscard]] Result<std::optional<Object>> any_child(CatalogTransaction& transaction, const Object& object);

/// All its children, each once.
[[nodiscard]] Result<std::vector<Object>> children_of(CatalogTransaction& transaction, const Object& object);

/// Whether nothing keeps it but its children: it is volatile or has expired, and nobody uses it.
[[nodiscard]] Result<bool> is_abandoned(CatalogTransaction& transaction, const Object& object, std::uint64_t now);

/// Code::busy, naming a child, if it has any.
[[nodiscard]] Status refuse_children(CatalogTransaction& transaction, const Object& object, std::string_view to_do);

/// Makes it volatile and takes its name out of the catalog; the record is put.
[[nodiscard]] Status withdraw(CatalogTransaction& transaction, Object& object);

/// Code::name_not_found.
[[nodiscard]] Result<format::AllocationRecord> known_allocation(CatalogTransaction& transaction, std::uint64_t id,
                                                                const Folder& folder);

/// An allocation or segment whose owner is not about to be released: it may be divided, referred to and used.
/// Code::name_not_found.
[[nodiscard]] Result<format::AllocationRecord> living_allocation(CatalogTransaction& transaction, std::uint64_t id,
                                                                 const Folder& folder);

}  // namespace psnam::nam
