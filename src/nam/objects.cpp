#include "nam/objects.hpp"

#include <fmt/format.h>

#include <ctime>
#include <set>

#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

Error missing(std::uint64_t parent, std::uint64_t child) {
  return Error{Code::corrupt,
               fmt::format("the allocation {} is divided, and its segment {} has no record", parent, child)};
}

/// The object that the segment `segment_id` of `parent_id` goes with.
Result<Object> object_of_segment(CatalogTransaction& transaction, std::uint64_t parent_id, std::uint64_t segment_id) {
  PSNAM_TRY(const auto segment, transaction.allocation(segment_id));
  if (!segment) return missing(parent_id, segment_id);
  PSNAM_TRY(auto object, find_object(transaction, owner_of(*segment)));
  if (!object) return missing(parent_id, segment_id);
  return std::move(*object);
}

/// Calls `visit(id)` with the object id of each child that lies in the allocation `id`, until it returns false.
template <class Visitor>
Status each_child_in(CatalogTransaction& transaction, std::uint64_t id, Visitor visit) {
  CatalogExtents extents{transaction};
  PSNAM_TRY(auto extent, extents.at(id, 0));
  while (extent) {
    if (!extent->free()) {
      PSNAM_TRY(const Object object, object_of_segment(transaction, id, extent->segment_id));
      if (!visit(object.id)) return {};
    }
    const std::uint64_t end = extent->end();
    PSNAM_TRY(extent, extents.at(id, end));
    if (extent && extent->offset_bytes < end) break;  // that was the last one
  }
  PSNAM_TRY(const auto windows, transaction.windows_referring_to(id));
  for (const std::uint64_t window : windows)
    if (!visit(window)) return {};
  return {};
}

}  // namespace

std::string Object::shown() const {
  if (window) return fmt::format("window {} \"{}\"", id, window->name);
  return allocation->name.empty() ? fmt::format("allocation {}", id)
                                  : fmt::format("allocation {} \"{}\"", id, allocation->name);
}

std::uint64_t now_unix_seconds() noexcept { return static_cast<std::uint64_t>(std::time(nullptr)); }

Result<std::optional<Object>> find_object(CatalogTransaction& transaction, std::uint64_t id) {
  Object object{.id = id, .window = {}, .allocation = {}};
  PSNAM_TRY(object.window, transaction.window(id));
  if (object.window) return std::optional{std::move(object)};
  PSNAM_TRY(object.allocation, transaction.allocation(id));
  if (!object.allocation || object.allocation->window_id != 0) return std::optional<Object>{};
  return std::optional{std::move(object)};
}

Result<std::optional<Object>> any_child(CatalogTransaction& transaction, const Object& object) {
  CatalogExtents extents{transaction};
  for (const std::uint64_t id : object.memory()) {
    PSNAM_TRY(const auto segment, segments::any_segment(extents, id));
    if (segment) {
      PSNAM_TRY(Object child, object_of_segment(transaction, id, segment->segment_id));
      return std::optional{std::move(child)};
    }
    PSNAM_TRY(const auto window, transaction.a_window_referring_to(id));
    if (window) return find_object(transaction, *window);
  }
  return std::optional<Object>{};
}

Result<std::vector<Object>> children_of(CatalogTransaction& transaction, const Object& object) {
  std::set<std::uint64_t> ids;
  for (const std::uint64_t id : object.memory())
    PSNAM_CHECK(each_child_in(transaction, id, [&](std::uint64_t child) {
      ids.insert(child);
      return true;
    }));
  std::vector<Object> children;
  for (const std::uint64_t id : ids) {
    PSNAM_TRY(auto child, find_object(transaction, id));
    if (child) children.push_back(std::move(*child));
  }
  return children;
}

Result<bool> is_abandoned(CatalogTransaction& transaction, const Object& object, std::uint64_t now) {
  if (object.persistent() && !object.expired(now)) return false;
  PSNAM_TRY(const bool used, transaction.has_uses(object.id));
  return !used;
}

Status refuse_children(CatalogTransaction& transaction, const Object& object, std::string_view to_do) {
  PSNAM_TRY(const auto child, any_child(transaction, object));
  if (!child) return {};
  PSNAM_TRY(const bool used, transaction.has_uses(child->id));
  return Error{Code::busy, fmt::format("the {} cannot be {}: the {} lies in it, which is {} and {}", object.shown(),
                                       to_do, child->shown(), child->persistent() ? "persistent" : "volatile",
                                       used ? "in use" : "not in use")};
}

Status withdraw(CatalogTransaction& transaction, Object& object) {
  if (object.window) {
    PSNAM_CHECK(withdraw_name(transaction, *object.window));
    object.window->consistency = format::Consistency::volatile_;
    object.window->in_doubt = false;
    return transaction.put(*object.window);
  }
  format::AllocationRecord& allocation = *object.allocation;
  if (!allocation.name.empty()) {
    PSNAM_TRY(const auto called, transaction.allocation_called(allocation.name));
    if (called == allocation.id) PSNAM_CHECK(transaction.erase_allocation_name(allocation.name));
  }
  allocation.consistency = format::Consistency::volatile_;
  return transaction.put(allocation);
}

Result<format::AllocationRecord> known_allocation(CatalogTransaction& transaction, std::uint64_t id,
                                                  const Folder& folder) {
  PSNAM_TRY(auto allocation, transaction.allocation(id));
  if (!allocation)
    return Error{Code::name_not_found, fmt::format("the store {} has no allocation {}", folder.path().string(), id)};
  return std::move(*allocation);
}

Result<format::AllocationRecord> living_allocation(CatalogTransaction& transaction, std::uint64_t id,
                                                   const Folder& folder) {
  PSNAM_TRY(format::AllocationRecord allocation, known_allocation(transaction, id, folder));
  PSNAM_TRY(const auto owner, find_object(transaction, owner_of(allocation)));
  if (owner) {
    PSNAM_TRY(const bool abandoned, is_abandoned(transaction, *owner, now_unix_seconds()));
    if (!abandoned) return allocation;
  }
  return Error{Code::name_not_found, fmt::format("the allocation {} of the store {} goes with {}, which is being "
                                                 "released",
                                                 id, folder.path().string(), owner ? owner->shown() : "a window")};
}

}  // namespace psnam::nam
