// The memory of the store's objects, mapped here or handed on as descriptors, and what a caller of as() may have of it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "format/control_page.hpp"
#include "format/lock_page.hpp"
#include "format/notify_page.hpp"
#include "nam/notifications.hpp"
#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

bool lies_in(std::uint64_t offset, std::uint64_t bytes, std::uint64_t begin, std::uint64_t end) noexcept {
  return offset >= begin && offset <= end && bytes <= end - offset;
}

}  // namespace

/// The regions of one file, or one segment, are its parts, and what is between them is nobody else's.
bool covers(const format::WindowRecord& window, std::uint64_t root_id, std::uint64_t offset_bytes,
            std::uint64_t bytes) {
  if (root_id == 0) return false;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> pieces;  // begin and end, by segment
  for (const auto& region : window.regions) {
    if (region.allocation_id != root_id) continue;
    const std::uint64_t begin = region.source == format::RegionSource::own ? 0 : region.offset_bytes;
    const std::uint64_t end = region.offset_bytes + region.size_bytes;
    auto& piece = pieces.try_emplace(region.segment_id, begin, end).first->second;
    piece = {std::min(piece.first, begin), std::max(piece.second, end)};
  }
  return std::any_of(pieces.begin(), pieces.end(), [&](const auto& piece) {
    return lies_in(offset_bytes, bytes, piece.second.first, piece.second.second);
  });
}

bool covers(const format::AllocationRecord& allocation, std::uint64_t root_id, std::uint64_t offset_bytes,
            std::uint64_t bytes) noexcept {
  return root_id != 0 && allocation.root_id == root_id &&
         lies_in(offset_bytes, bytes, allocation.root_offset_bytes,
                 allocation.root_offset_bytes + allocation.size_bytes);
}

Status Store::require_created(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) const {
  if (!caller_) return {};
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const format::AllocationRecord allocation, known_allocation(transaction, allocation_id, impl_->folder));
  PSNAM_CHECK(rights.require_ownership(allocation, "make the memory of"));
  if (allocation.parent_id != 0)
    return Error{Code::invalid_argument,
                 fmt::format("the segment {} has no memory of its own to be made", allocation_id)};
  if (allocation.size_bytes != bytes || allocation.reserve != reserve)
    return Error{Code::size,
                 fmt::format("the allocation {} was recorded with {} bytes, its memory is to be made {}with "
                             "{}",
                             allocation_id, allocation.size_bytes,
                             allocation.reserve != reserve ? "with another reserve and " : "", bytes)};
  return {};
}

Status Store::require_root(std::uint64_t root_id, AccessRight right) const {
  if (!caller_) return {};
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const format::AllocationRecord root, known_allocation(transaction, root_id, impl_->folder));
  return require_access(root, right, *caller_);
}

Result<format::UseRecord> Store::own_use(std::uint64_t use_id) const {
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto use, transaction.use(use_id));
  if (!use)
    return Error{Code::name_not_found,
                 fmt::format("the store {} has no use {}", impl_->folder.path().string(), use_id)};
  if (!caller_) return std::move(*use);
  if (caller_->session != 0) {
    for (const auto& process : use->processes)
      if (is_session(process) && process.start_time_ticks == caller_->session) return std::move(*use);
    return Error{Code::access, fmt::format("the use {} is not one of this session of user {}", use_id, caller_->uid)};
  }
  // Somebody without a session is in this process; he may ask for what he may see.
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(const auto object, find_object(transaction, use->object_id));
  if (object && object->window) PSNAM_CHECK(rights.require_sight(*object->window));
  if (object && object->allocation) PSNAM_CHECK(rights.require_sight(*object->allocation));
  return std::move(*use);
}

Status Store::require_control(std::uint64_t use_id, std::uint64_t bytes) const {
  if (!caller_) return {};
  PSNAM_TRY(const format::UseRecord use, own_use(use_id));
  const std::uint64_t most = format::control_page_bytes(use.processes.size());
  if (bytes <= most) return {};
  return Error{Code::size, fmt::format("the use {} of {} processes has a page of {} bytes, {} are wanted", use_id,
                                       use.processes.size(), most, bytes)};
}

Status Store::require_locks(std::uint64_t window_id, std::uint32_t ranks) {
  if (!caller_) return {};
  PSNAM_TRY(const format::WindowRecord window, get(window_id));
  if (window.regions.size() == ranks) return {};
  return Error{Code::size, fmt::format("the window {} has {} ranks, locks for {} are wanted", window_id,
                                       window.regions.size(), ranks)};
}

/// Who may read may also take what others post.
Status Store::require_notifications(std::uint64_t allocation_id) {
  if (!caller_) return {};
  return find_allocation(allocation_id).status();
}

Result<Memory> Store::create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) {
  PSNAM_CHECK(require_created(allocation_id, bytes, reserve));
  PSNAM_TRY(Mapping mapping, impl_->make_memory(allocation_id, bytes, reserve));
  return Memory{.mapping = std::move(mapping), .remote = nullptr};
}

Result<Memory> Store::open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                                 Protection protection) {
  PSNAM_CHECK(
      require_root(root_id, protection == Protection::read_only ? AccessRight::read_only : AccessRight::read_write));
  PSNAM_TRY(Mapping mapping, impl_->memory.map(root_id, offset_bytes, bytes, protection));
  return Memory{.mapping = std::move(mapping), .remote = nullptr};
}

Status Store::reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) {
  PSNAM_CHECK(require_root(root_id, AccessRight::read_write));
  return impl_->memory.reserve(root_id, offset_bytes, bytes);
}

Status Store::persist(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) {
  PSNAM_CHECK(require_root(root_id, AccessRight::read_write));
  if (impl_->folder.in_memory())
    return Error{Code::unsupported, fmt::format("the store {} is in memory only: what is written to the allocation {} "
                                                "does not survive a reboot",
                                                impl_->folder.path().string(), root_id)};
  return impl_->memory.flush(root_id, offset_bytes, bytes);
}

Result<Mapping> Store::create_control(std::uint64_t use_id, std::uint64_t bytes) {
  PSNAM_CHECK(require_control(use_id, bytes));
  return impl_->control.create(use_id, bytes, format::Reserve::full);
}

Result<Mapping> Store::open_control(std::uint64_t use_id, std::uint64_t bytes) {
  PSNAM_CHECK(require_control(use_id, bytes));
  return impl_->control.map(use_id, 0, bytes, Protection::read_write);
}

Status Store::drop_control(std::uint64_t use_id) {
  if (caller_) PSNAM_CHECK(own_use(use_id).status());
  return impl_->control.remove(use_id);
}

Result<Mapping> Store::open_locks(std::uint64_t window_id, std::uint32_t ranks) {
  PSNAM_CHECK(require_locks(window_id, ranks));
  return impl_->locks.share(window_id, format::LockShape::of(ranks).bytes());
}

Result<std::unique_ptr<WindowAgent>> Store::open_agent(std::uint64_t window_id) {
  return Error{Code::unsupported, fmt::format("the store {} is mapped here: nobody acts for this process on window {}",
                                              impl_->folder.path().string(), window_id)};
}

Result<Fd> Store::memory_descriptor(std::uint64_t root_id, Protection protection) {
  PSNAM_CHECK(
      require_root(root_id, protection == Protection::read_only ? AccessRight::read_only : AccessRight::read_write));
  return impl_->memory.descriptor(root_id, protection);
}

Result<Fd> Store::control_descriptor(std::uint64_t use_id, std::uint64_t bytes, bool create) {
  PSNAM_CHECK(require_control(use_id, bytes));
  if (create) PSNAM_CHECK(impl_->control.create(use_id, bytes, format::Reserve::full).status());
  return impl_->control.descriptor(use_id, Protection::read_write);
}

Result<Fd> Store::locks_descriptor(std::uint64_t window_id, std::uint32_t ranks) {
  PSNAM_CHECK(open_locks(window_id, ranks).status());
  return impl_->locks.descriptor(window_id, Protection::read_write);
}

Result<Fd> Store::notifications_descriptor(std::uint64_t allocation_id) {
  PSNAM_CHECK(notification_page(allocation_id).status());
  return impl_->notifications.descriptor(allocation_id, Protection::read_write);
}

}  // namespace psnam::nam
