// Windows of the embedded store: recorded, made persistent, found, taken into use.
#include <fmt/format.h>

#include <algorithm>

#include "nam/access.hpp"
#include "nam/draft_memory.hpp"
#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

constexpr std::size_t kMaxNameBytes = 255;

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

Error name_taken(std::string_view name, const Folder& folder) {
  return Error{Code::name_exists,
               fmt::format("the store {} has a window called \"{}\" already", folder.path().string(), name)};
}

/// Code::info_value unless all that `window` lies in without owning it is persistent.
Status require_lasting_memory(CatalogTransaction& transaction, const format::WindowRecord& window) {
  for (std::size_t rank = 0; rank < window.regions.size(); ++rank) {
    const auto& region = window.regions[rank];
    if (region.segment_id == 0) continue;
    PSNAM_TRY(auto below, transaction.allocation(region.segment_id));
    if (below && region.source == format::RegionSource::segment) {
      PSNAM_TRY(below, transaction.allocation(below->parent_id));
    }
    if (!below)
      return Error{Code::corrupt, fmt::format("the memory {} of rank {} of window {} has no record, or no parent",
                                              region.segment_id, rank, window.id)};
    PSNAM_TRY(const auto owner, find_object(transaction, owner_of(*below)));
    if (!owner || !owner->persistent())
      return Error{Code::info_value,
                   fmt::format("the window {} cannot be persistent: rank {} lies in the allocation {}, which goes with "
                               "the volatile {}",
                               window.id, rank, below->id, owner ? owner->shown() : "window that made it")};
  }
  return {};
}

/// About what the records of a window, of its memory and of its use take.
std::uint64_t record_bytes(const format::WindowRecord& draft) {
  constexpr std::uint64_t kMemoryBytes = 256;  // an allocation's record, and its rows in other tables
  return format::encode(draft).size() + draft.regions.size() * kMemoryBytes;
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

Status check_name(std::string_view name, std::string_view of_what) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (name.empty() || name.size() > kMaxNameBytes || !printable)
    return Error{Code::info_value, fmt::format("\"{}\" cannot be {} name: 1 to {} printable ASCII characters "
                                               "without blanks are known, this has {} bytes",
                                               name, of_what, kMaxNameBytes, name.size())};
  return {};
}

Status check_window_name(std::string_view name) { return check_name(name, "a window's"); }

format::UseRecord Store::Impl::use_of(std::uint64_t object_id, std::span<const format::ProcessIdentity> users) const {
  return {.id = 0,
          .object_id = object_id,
          .boot = serving ? serving->instance : boot,
          .processes = {users.begin(), users.end()}};
}

Result<WindowUse> Store::create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                                std::span<const format::ProcessIdentity> users) {
  PSNAM_CHECK(check_users(users));
  PSNAM_CHECK(impl_->check_users(users));
  PSNAM_CHECK(check_draft(draft));
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_making(draft.uid, draft.gid, draft.mode));
  const auto record = [&] { return impl_->record_window(draft, sources, rights, users); };
  // What the dead hold may be what is in the way: capacity, or a place in a parent.
  auto made = sources.empty() ? impl_->with_cleaning({Code::no_memory, Code::quota}, record)
                              : impl_->with_cleaning({Code::no_memory, Code::quota, Code::info_value}, record);
  if (made) PSNAM_CHECK(impl_->entered(made->use_id, users));
  return made;
}

Result<WindowUse> Store::Impl::record_window(format::WindowRecord draft, std::span<const AllocationSource> sources,
                                             const Rights& rights, std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(DraftMemory wanted, DraftMemory::of(draft, sources));
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(Purpose::creation, record_bytes(draft)));
  if (!draft.name.empty()) {
    PSNAM_TRY(const auto taken, transaction.window_called(draft.name));
    if (taken) return name_taken(draft.name, folder);
  }
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  draft.id = store.next_id++;
  draft.consistency = format::Consistency::volatile_;
  draft.in_doubt = false;
  const auto limits = this->limits();
  Accounts accounts{transaction, store, *limits, folder};
  PSNAM_CHECK(accounts.charge(draft));
  PSNAM_CHECK(wanted.take(transaction, accounts, draft, rights.caller(), folder));
  format::UseRecord use = use_of(draft.id, users);
  use.id = store.next_id++;
  PSNAM_CHECK(transaction.put(draft));
  PSNAM_CHECK(transaction.put(use));
  PSNAM_CHECK(accounts.settle());
  PSNAM_CHECK(transaction.commit());
  return WindowUse{.window = std::move(draft), .use_id = use.id};
}

Status withdraw_name(CatalogTransaction& transaction, const format::WindowRecord& window) {
  if (window.name.empty()) return {};
  PSNAM_TRY(const auto owner, transaction.window_called(window.name));
  if (owner == window.id) return transaction.erase_name(window.name);
  return {};
}

Result<std::string> Store::set_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt) {
  PSNAM_TRY(const Rights rights, this->rights());
  return impl_->with_cleaning({Code::busy},
                              [&] { return impl_->set_window_consistency(window_id, consistency, in_doubt, rights); });
}

Result<std::string> Store::Impl::set_window_consistency(std::uint64_t window_id, format::Consistency consistency,
                                                        bool in_doubt, const Rights& rights) {
  const bool to_be_found = consistency == format::Consistency::persistent || in_doubt;
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(to_be_found ? Purpose::use : Purpose::removal));
  PSNAM_TRY(auto window, transaction.window(window_id));
  if (!window) return no_window_with(window_id, folder);
  PSNAM_CHECK(rights.require_ownership(*window, "make persistent or volatile"));
  PSNAM_TRY(const auto uses, transaction.uses_of(window_id));
  if (uses.empty() && !is_findable(*window)) return no_window_with(window_id, folder);
  if (to_be_found) {
    PSNAM_CHECK(require_lasting_memory(transaction, *window));
    if (window->name.empty()) window->name = fmt::format("psnam-{}", format::to_string(window->uuid));
    PSNAM_TRY(const auto owner, transaction.window_called(window->name));
    if (owner && *owner != window_id) return name_taken(window->name, folder);
    if (!owner) PSNAM_CHECK(transaction.put_name(window->name, window_id));
  } else if (is_findable(*window)) {
    PSNAM_CHECK(refuse_children(transaction, {.id = window_id, .window = window, .allocation = {}}, "made volatile"));
    PSNAM_CHECK(withdraw_name(transaction, *window));
  }
  window->consistency = consistency;
  window->in_doubt = in_doubt;
  PSNAM_CHECK(transaction.put(*window));
  PSNAM_CHECK(transaction.commit());
  if (!to_be_found && uses.empty()) PSNAM_CHECK(end({}, {{window_id}}));
  return std::move(window->name);
}

Result<format::WindowRecord> Store::find(std::string_view name) {
  if (!check_window_name(name)) return no_such_window(name, impl_->folder);
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto id, transaction.window_called(name));
  if (!id) return no_such_window(name, impl_->folder);
  PSNAM_TRY(auto window, transaction.window(*id));
  if (!window)
    return Error{Code::corrupt,
                 fmt::format("{}: \"{}\" leads to window {}, which is missing", impl_->catalog->shown(), name, *id)};
  PSNAM_CHECK(rights.require_sight(*window));
  return std::move(*window);
}

Result<format::WindowRecord> Store::get(std::uint64_t window_id) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto window, transaction.window(window_id));
  if (!window) return no_window_with(window_id, impl_->folder);
  PSNAM_CHECK(rights.require_sight(*window));
  return std::move(*window);
}

Result<WindowUse> Store::open(std::string_view name, AccessRight right,
                              std::span<const format::ProcessIdentity> users) {
  PSNAM_CHECK(check_users(users));
  if (!check_window_name(name)) return no_such_window(name, impl_->folder);
  PSNAM_CHECK(impl_->check_users(users));
  PSNAM_TRY(const Rights rights, this->rights());
  const auto record = [&]() -> Result<WindowUse> {
    PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::use, users.size_bytes()));
    PSNAM_TRY(const auto id, transaction.window_called(name));
    if (!id) return no_such_window(name, impl_->folder);
    PSNAM_TRY(auto window, transaction.window(*id));
    if (!window) return no_window_with(*id, impl_->folder);
    PSNAM_CHECK(require_access(*window, right, rights.caller()));
    PSNAM_TRY(const std::uint64_t use_id, impl_->record_use(transaction, *id, users));
    PSNAM_CHECK(transaction.commit());
    return WindowUse{.window = std::move(*window), .use_id = use_id};
  };
  PSNAM_TRY(WindowUse opened, impl_->with_cleaning({Code::no_memory}, record));
  PSNAM_CHECK(impl_->entered(opened.use_id, users));
  return opened;
}

Result<std::uint64_t> Store::Impl::record_use(CatalogTransaction& transaction, std::uint64_t object_id,
                                              std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  format::UseRecord use = use_of(object_id, users);
  use.id = store.next_id++;
  PSNAM_CHECK(transaction.put(use));
  PSNAM_CHECK(transaction.put(store));
  return use.id;
}

Result<std::uint64_t> Store::duplicate(std::uint64_t use_id) {
  if (caller_) PSNAM_CHECK(own_use(use_id).status());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::use));
  PSNAM_TRY(auto use, transaction.use(use_id));
  if (!use)
    return Error{Code::name_not_found,
                 fmt::format("the store {} has no use {}", impl_->folder.path().string(), use_id)};
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  use->id = store.next_id++;
  PSNAM_CHECK(transaction.put(*use));
  PSNAM_CHECK(transaction.put(store));
  PSNAM_CHECK(transaction.commit());
  PSNAM_CHECK(impl_->entered(use->id, use->processes));
  return use->id;
}

Status Store::close(std::uint64_t use_id) {
  if (caller_) {
    auto use = own_use(use_id);
    if (!use && use.error().code == Code::name_not_found) return {};  // it has ended already
    if (!use) return use.take_error();
  }
  return impl_->end({{use_id}}, {}).status();
}

}  // namespace psnam::nam
