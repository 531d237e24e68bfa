// How windows of the embedded store end: closed, removed, or left by the dead. See store_impl.hpp for why this is safe.
#include <fmt/format.h>

#include <algorithm>

#include "nam/store_impl.hpp"

namespace psnam::nam {

Result<Store::Impl::Dead> Store::Impl::find_dead() {
  std::vector<format::UseRecord> uses;
  Dead dead;
  {
    PSNAM_TRY(CatalogTransaction transaction, catalog->read());
    PSNAM_TRY(uses, transaction.uses());
    PSNAM_TRY(const auto windows, transaction.windows());
    for (const auto& window : windows) {
      if (is_findable(window)) continue;
      PSNAM_TRY(const auto users, transaction.uses_of(window.id));
      if (users.empty()) dead.windows.push_back(window.id);
    }
  }
  Judge judge{boot, pid_namespace};
  for (const auto& use : uses)
    if (!judge.may_be_alive(use)) dead.uses.push_back(use.id);
  return dead;
}

Result<Collected> Store::Impl::collect() {
  PSNAM_CHECK(catalog->settle());
  PSNAM_TRY(const Dead dead, find_dead());
  if (dead.uses.empty() && dead.windows.empty()) return Collected{};
  return end(dead.uses, dead.windows);
}

Result<Collected> Store::Impl::end(std::span<const std::uint64_t> uses, std::span<const std::uint64_t> windows) {
  // The shared page before the record of the use: a page without a record would belong to nobody.
  for (const std::uint64_t use : uses) PSNAM_CHECK(control.remove(use));
  PSNAM_TRY(const Ended ended, end_in_catalog(uses, windows));
  return finish(ended);
}

Result<Store::Impl::Ended> Store::Impl::end_in_catalog(std::span<const std::uint64_t> uses,
                                                       std::span<const std::uint64_t> windows) {
  Ended ended;
  std::vector<std::uint64_t> candidates{windows.begin(), windows.end()};
  PSNAM_TRY(CatalogTransaction transaction, catalog->write());
  for (const std::uint64_t id : uses) {
    PSNAM_TRY(const auto use, transaction.use(id));
    if (!use) continue;
    PSNAM_CHECK(transaction.erase_use(*use));
    ++ended.uses;
    candidates.push_back(use->object_id);
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  for (const std::uint64_t id : candidates) {
    PSNAM_TRY(const auto window, transaction.window(id));
    if (!window || is_findable(*window)) continue;
    PSNAM_TRY(const auto users, transaction.uses_of(id));
    if (users.empty()) ended.releases.push_back({.window_id = id, .allocations = allocations_of(*window)});
  }
  // Without a use to end, the catalog says already what this transaction would say.
  if (ended.uses != 0) PSNAM_CHECK(transaction.commit());
  return ended;
}

Result<Collected> Store::Impl::finish(const Ended& ended) {
  Collected collected{.uses = ended.uses, .windows = ended.releases.size(), .bytes = 0};
  if (ended.releases.empty()) return collected;
  for (const auto& release : ended.releases) {
    for (const std::uint64_t allocation : release.allocations) {
      PSNAM_CHECK(notifications.remove(allocation));
      PSNAM_CHECK(memory.remove(allocation));
    }
    PSNAM_CHECK(locks.remove(release.window_id));
  }
  PSNAM_TRY(collected.bytes, forget(ended));
  return collected;
}

Result<std::uint64_t> Store::Impl::forget(const Ended& ended) {
  PSNAM_TRY(CatalogTransaction transaction, catalog->write());
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  std::uint64_t bytes = 0;
  for (const auto& release : ended.releases) {
    for (const std::uint64_t id : release.allocations) {
      PSNAM_TRY(const auto allocation, transaction.allocation(id));
      if (!allocation) continue;  // somebody else has finished this release
      if (allocation->reserve == format::Reserve::full) bytes += allocation->size_bytes;
      PSNAM_CHECK(transaction.erase_allocation(id));
    }
    PSNAM_TRY(const auto services, transaction.services_of(release.window_id));
    for (const auto& service : services) PSNAM_CHECK(transaction.erase_service(service, release.window_id));
    PSNAM_CHECK(transaction.erase_window(release.window_id));
  }
  store.reserved_bytes -= std::min(bytes, store.reserved_bytes);
  PSNAM_CHECK(transaction.put(store));
  PSNAM_CHECK(transaction.commit());
  return bytes;
}

Status Store::Impl::sweep(const FileArea& area, Table table) {
  // Listed before the catalog is read: the record of a file that is listed was there before the file, and is there
  // still unless the file is gone again.
  PSNAM_TRY(const auto files, area.list());
  PSNAM_TRY(CatalogTransaction transaction, catalog->read());
  for (const auto& file : files) {
    bool known = false;
    if (table == Table::uses) {
      PSNAM_TRY(const auto use, transaction.use(file.id));
      known = use.has_value();
    } else if (table == Table::windows) {
      PSNAM_TRY(const auto window, transaction.window(file.id));
      known = window.has_value();
    } else {
      PSNAM_TRY(const auto allocation, transaction.allocation(file.id));
      known = allocation.has_value();
    }
    if (!known) PSNAM_CHECK(area.remove(file.id));
  }
  return {};
}

Result<Collected> Store::collect() {
  PSNAM_TRY(const Collected collected, impl_->collect());
  PSNAM_CHECK(impl_->catalog->forget_dead_readers());
  PSNAM_CHECK(impl_->sweep(impl_->memory, Table::allocations));
  PSNAM_CHECK(impl_->sweep(impl_->control, Table::uses));
  PSNAM_CHECK(impl_->sweep(impl_->locks, Table::windows));
  PSNAM_CHECK(impl_->sweep(impl_->notifications, Table::allocations));
  return collected;
}

Result<bool> Store::remove(std::string_view name) {
  if (!check_window_name(name)) return no_such_window(name, impl_->folder);
  std::vector<format::UseRecord> uses;
  std::uint64_t window_id = 0;
  {
    PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write());
    PSNAM_TRY(const auto id, transaction.window_called(name));
    if (!id) return no_such_window(name, impl_->folder);
    PSNAM_TRY(auto window, transaction.window(*id));
    if (!window)
      return Error{Code::corrupt,
                   fmt::format("{}: \"{}\" leads to window {}, which is missing", impl_->catalog->shown(), name, *id)};
    PSNAM_CHECK(withdraw_name(transaction, *window));
    window->consistency = format::Consistency::volatile_;
    window->in_doubt = false;
    PSNAM_CHECK(transaction.put(*window));
    PSNAM_TRY(const auto use_ids, transaction.uses_of(*id));
    for (const std::uint64_t use_id : use_ids) {
      PSNAM_TRY(auto use, transaction.use(use_id));
      if (use) uses.push_back(std::move(*use));
    }
    window_id = *id;
    PSNAM_CHECK(transaction.commit());
  }
  Judge judge{impl_->boot, impl_->pid_namespace};
  std::vector<std::uint64_t> dead;
  for (const auto& use : uses)
    if (!judge.may_be_alive(use)) dead.push_back(use.id);
  PSNAM_CHECK(impl_->end(dead, {{window_id}}));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto left, transaction.window(window_id));
  return !left.has_value();
}

}  // namespace psnam::nam
