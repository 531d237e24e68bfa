// Windows of the embedded store: recorded, made persistent, found, taken into use.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "nam/access.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

/// An allocation that a draft asks for.
struct Wanted {
  std::uint64_t draft_id = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t id = 0;  ///< once given
};

Result<std::vector<Wanted>> wanted_allocations(const format::WindowRecord& draft) {
  std::vector<Wanted> wanted;
  for (const auto& region : draft.regions) {
    if (region.offset_bytes > std::numeric_limits<std::uint64_t>::max() - region.size_bytes)
      return Error{Code::size, fmt::format("a region of {} bytes at offset {} ends beyond 2^64", region.size_bytes,
                                           region.offset_bytes)};
    if (region.allocation_id == 0) continue;
    auto found = std::find_if(wanted.begin(), wanted.end(),
                              [&](const Wanted& other) { return other.draft_id == region.allocation_id; });
    if (found == wanted.end()) found = wanted.insert(found, Wanted{.draft_id = region.allocation_id});
    found->size_bytes = std::max(found->size_bytes, region.offset_bytes + region.size_bytes);
  }
  return wanted;
}

Status check_users(std::span<const format::ProcessIdentity> users) {
  if (users.empty()) return Error{Code::invalid_argument, "a window is used by at least one process"};
  return {};
}

Status check_draft(const format::WindowRecord& draft) {
  if (!draft.name.empty()) PSNAM_CHECK(check_window_name(draft.name));
  const std::size_t nodes = std::max<std::size_t>(draft.nodes.size(), 1);
  for (const auto& region : draft.regions)
    if (region.node >= nodes)
      return Error{Code::invalid_argument, fmt::format("a region is on node {} of {}", region.node, nodes)};
  return {};
}

/// Takes the capacity for `wanted` out of `store` and gives it ids.
Status reserve(format::StoreRecord& store, std::vector<Wanted>& wanted, format::Reserve kind, const Folder& folder) {
  for (auto& allocation : wanted) {
    allocation.id = store.next_id++;
    if (kind == format::Reserve::lazy) continue;
    if (allocation.size_bytes > store.capacity_bytes - std::min(store.reserved_bytes, store.capacity_bytes))
      return Error{Code::no_memory,
                   fmt::format("the store {} has {} of {} bytes left, {} more are wanted", folder.path().string(),
                               store.capacity_bytes - std::min(store.reserved_bytes, store.capacity_bytes),
                               store.capacity_bytes, allocation.size_bytes)};
    store.reserved_bytes += allocation.size_bytes;
  }
  return {};
}

void give_ids(format::WindowRecord& draft, const std::vector<Wanted>& wanted) {
  for (auto& region : draft.regions)
    for (const auto& allocation : wanted)
      if (region.allocation_id != 0 && allocation.draft_id == region.allocation_id) {
        region.allocation_id = allocation.id;
        break;
      }
}

Error name_taken(std::string_view name, const Folder& folder) {
  return Error{Code::name_exists,
               fmt::format("the store {} has a window called \"{}\" already", folder.path().string(), name)};
}

Error no_window_with(std::uint64_t id, const Folder& folder) {
  return Error{Code::name_not_found,
               fmt::format("the store {} has no window {}, or it is being released", folder.path().string(), id)};
}

}  // namespace

Error no_such_window(std::string_view name, const Folder& folder) {
  return Error{Code::name_not_found,
               fmt::format("the store {} has no window called \"{}\"", folder.path().string(), name)};
}

Status check_window_name(std::string_view name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (name.empty() || name.size() > kMaxNameBytes || !printable)
    return Error{Code::info_value, fmt::format("\"{}\" cannot be a window's name: 1 to {} printable ASCII characters "
                                               "without blanks are known, this has {} bytes",
                                               name, kMaxNameBytes, name.size())};
  return {};
}

format::UseRecord Store::Impl::use_of(std::uint64_t object_id, std::span<const format::ProcessIdentity> users) const {
  return {.id = 0, .object_id = object_id, .boot = boot, .processes = {users.begin(), users.end()}};
}

Result<WindowUse> Store::create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                                std::span<const format::ProcessIdentity> users) {
  PSNAM_CHECK(check_users(users));
  for (const auto& source : sources)
    if (source.kind != AllocationSource::Kind::fresh) return Error{Code::unsupported, "only fresh memory"};
  PSNAM_CHECK(check_draft(draft));
  auto made = impl_->record_window(draft, users);
  if (made || made.error().code != Code::no_memory) return made;
  PSNAM_TRY(const Collected collected, impl_->collect());
  if (collected.windows == 0) return made;
  return impl_->record_window(std::move(draft), users);
}

Result<WindowUse> Store::Impl::record_window(format::WindowRecord draft,
                                             std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(auto wanted, wanted_allocations(draft));
  PSNAM_CHECK(catalog->require_room(format::encode(draft).size()));
  PSNAM_TRY(CatalogTransaction transaction, catalog->write());
  if (!draft.name.empty()) {
    PSNAM_TRY(const auto taken, transaction.window_called(draft.name));
    if (taken) return name_taken(draft.name, folder);
  }
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  draft.id = store.next_id++;
  draft.consistency = format::Consistency::volatile_;
  draft.in_doubt = false;
  PSNAM_CHECK(reserve(store, wanted, draft.reserve, folder));
  give_ids(draft, wanted);
  format::UseRecord use = use_of(draft.id, users);
  use.id = store.next_id++;
  for (const auto& allocation : wanted)
    PSNAM_CHECK(transaction.put(format::AllocationRecord{.id = allocation.id,
                                                         .window_id = draft.id,
                                                         .size_bytes = allocation.size_bytes,
                                                         .reserve = draft.reserve,
                                                         .uid = draft.uid,
                                                         .created_unix_seconds = draft.created_unix_seconds}));
  PSNAM_CHECK(transaction.put(draft));
  PSNAM_CHECK(transaction.put(use));
  PSNAM_CHECK(transaction.put(store));
  PSNAM_CHECK(transaction.commit());
  return WindowUse{.window = std::move(draft), .use_id = use.id};
}

Status withdraw_name(CatalogTransaction& transaction, const format::WindowRecord& window) {
  PSNAM_TRY(const auto owner, transaction.window_called(window.name));
  if (owner == window.id) return transaction.erase_name(window.name);
  return {};
}

Result<std::string> Store::set_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt) {
  const bool to_be_found = consistency == format::Consistency::persistent || in_doubt;
  if (to_be_found) PSNAM_CHECK(impl_->catalog->require_room(0));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write());
  PSNAM_TRY(auto window, transaction.window(window_id));
  if (!window) return no_window_with(window_id, impl_->folder);
  PSNAM_TRY(const auto uses, transaction.uses_of(window_id));
  if (uses.empty() && !is_findable(*window)) return no_window_with(window_id, impl_->folder);
  if (to_be_found) {
    if (window->name.empty()) window->name = fmt::format("psnam-{}", format::to_string(window->uuid));
    PSNAM_TRY(const auto owner, transaction.window_called(window->name));
    if (owner && *owner != window_id) return name_taken(window->name, impl_->folder);
    if (!owner) PSNAM_CHECK(transaction.put_name(window->name, window_id));
  } else if (!window->name.empty()) {
    PSNAM_CHECK(withdraw_name(transaction, *window));
  }
  window->consistency = consistency;
  window->in_doubt = in_doubt;
  PSNAM_CHECK(transaction.put(*window));
  PSNAM_CHECK(transaction.commit());
  if (!to_be_found && uses.empty()) PSNAM_CHECK(impl_->end({}, {{window_id}}));
  return std::move(window->name);
}

Result<format::WindowRecord> Store::find(std::string_view name) {
  if (!check_window_name(name)) return no_such_window(name, impl_->folder);
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto id, transaction.window_called(name));
  if (!id) return no_such_window(name, impl_->folder);
  PSNAM_TRY(auto window, transaction.window(*id));
  if (!window)
    return Error{Code::corrupt,
                 fmt::format("{}: \"{}\" leads to window {}, which is missing", impl_->catalog->shown(), name, *id)};
  return std::move(*window);
}

Result<format::WindowRecord> Store::get(std::uint64_t window_id) {
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto window, transaction.window(window_id));
  if (!window) return no_window_with(window_id, impl_->folder);
  return std::move(*window);
}

Result<WindowUse> Store::open(std::string_view name, AccessRight right,
                              std::span<const format::ProcessIdentity> users) {
  PSNAM_CHECK(check_users(users));
  if (!check_window_name(name)) return no_such_window(name, impl_->folder);
  PSNAM_TRY(const Caller caller, this_caller());
  PSNAM_CHECK(impl_->catalog->require_room(users.size_bytes()));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write());
  PSNAM_TRY(const auto id, transaction.window_called(name));
  if (!id) return no_such_window(name, impl_->folder);
  PSNAM_TRY(auto window, transaction.window(*id));
  if (!window) return no_window_with(*id, impl_->folder);
  if (!may_access(*window, right, caller))
    return Error{Code::access,
                 fmt::format("the window \"{}\" of user {} has mode {:04o}: user {} may not {} it", name, window->uid,
                             window->mode, caller.uid, right == AccessRight::read_only ? "read" : "read and write")};
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  format::UseRecord use = impl_->use_of(*id, users);
  use.id = store.next_id++;
  PSNAM_CHECK(transaction.put(use));
  PSNAM_CHECK(transaction.put(store));
  PSNAM_CHECK(transaction.commit());
  return WindowUse{.window = std::move(*window), .use_id = use.id};
}

Result<std::uint64_t> Store::duplicate(std::uint64_t use_id) {
  PSNAM_CHECK(impl_->catalog->require_room(0));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write());
  PSNAM_TRY(auto use, transaction.use(use_id));
  if (!use)
    return Error{Code::name_not_found,
                 fmt::format("the store {} has no use {}", impl_->folder.path().string(), use_id)};
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  use->id = store.next_id++;
  PSNAM_CHECK(transaction.put(*use));
  PSNAM_CHECK(transaction.put(store));
  PSNAM_CHECK(transaction.commit());
  return use->id;
}

Status Store::close(std::uint64_t use_id) { return impl_->end({{use_id}}, {}).status(); }

}  // namespace psnam::nam
