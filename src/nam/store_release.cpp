// How windows and allocations of the embedded store end: closed, removed, or left by the dead. See store_impl.hpp for
// why this is safe.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {

namespace {

/// The files of memory of an object. Segments have none.
std::vector<std::uint64_t> files_of(const Object& object) {
  std::vector<std::uint64_t> files;
  if (!object.window) {
    if (object.allocation->parent_id == 0) files.push_back(object.id);
    return files;
  }
  for (const auto& region : object.window->regions)
    if (region.source == format::RegionSource::own && region.allocation_id != 0) files.push_back(region.allocation_id);
  return files;
}

/// The records of a released object, and what its end means for others.
class Funeral {
 public:
  Funeral(CatalogTransaction& transaction, Accounts& accounts) noexcept
      : transaction_{transaction}, accounts_{accounts} {}

  /// Removes the records of `object`, if it is still there.
  Status bury(std::uint64_t id, Collected& collected) {
    PSNAM_TRY(const auto object, find_object(transaction_, id));
    if (!object) return {};  // somebody else has finished this release
    for (const std::uint64_t memory : object->memory()) PSNAM_CHECK(give_back(memory, collected));
    if (!object->window) {
      ++collected.allocations;
      return {};
    }
    for (const std::uint64_t allocation : references_of(*object->window)) {
      PSNAM_CHECK(transaction_.erase_reference(allocation, id));
      PSNAM_CHECK(let_go_of(allocation));
    }
    PSNAM_TRY(const auto services, transaction_.services_of(id));
    for (const auto& service : services) PSNAM_CHECK(transaction_.erase_service(service, id));
    ++collected.windows;
    PSNAM_CHECK(accounts_.give_back(*object->window));
    return transaction_.erase_window(id);
  }
  /// The objects that may have been kept by what was buried.
  [[nodiscard]] std::set<std::uint64_t> parents() && { return std::move(parents_); }

 private:
  Status give_back(std::uint64_t id, Collected& collected) {
    PSNAM_TRY(const auto allocation, transaction_.allocation(id));
    if (!allocation) return {};
    PSNAM_CHECK(transaction_.erase_allocation(id));
    PSNAM_CHECK(accounts_.give_back(*allocation));
    if (allocation->parent_id != 0) return give_to_parent(*allocation);
    if (allocation->reserve == format::Reserve::full) collected.bytes += allocation->size_bytes;
    return {};
  }
  Status give_to_parent(const format::AllocationRecord& segment) {
    PSNAM_TRY(const auto parent, transaction_.allocation(segment.parent_id));
    if (!parent)
      return Error{Code::corrupt,
                   fmt::format("the parent {} of the segment {} has no record", segment.parent_id, segment.id)};
    CatalogExtents extents{transaction_};
    PSNAM_CHECK(segments::release(
        extents, parent_of(*parent),
        {.offset_bytes = segment.offset_bytes, .size_bytes = segment.size_bytes, .segment_id = segment.id}));
    parents_.insert(owner_of(*parent));
    return {};
  }
  Status let_go_of(std::uint64_t allocation_id) {
    PSNAM_TRY(const auto allocation, transaction_.allocation(allocation_id));
    if (allocation) parents_.insert(owner_of(*allocation));
    return {};
  }

  CatalogTransaction& transaction_;
  Accounts& accounts_;
  std::set<std::uint64_t> parents_;
};

}  // namespace

Result<Store::Impl::Dead> Store::Impl::find_dead() {
  std::vector<format::UseRecord> uses;
  Dead dead;
  const std::uint64_t now = now_unix_seconds();
  {
    PSNAM_TRY(CatalogTransaction transaction, catalog->read());
    PSNAM_TRY(uses, transaction.uses());
    const auto consider = [&](Object object) -> Status {
      PSNAM_TRY(const bool abandoned, is_abandoned(transaction, object, now));
      if (abandoned) dead.objects.push_back(object.id);
      return {};
    };
    PSNAM_TRY(auto windows, transaction.windows());
    for (auto& window : windows)
      PSNAM_CHECK(consider({.id = window.id, .window = std::move(window), .allocation = {}}));
    PSNAM_TRY(auto allocations, transaction.allocations());
    for (auto& allocation : allocations)
      if (allocation.window_id == 0)
        PSNAM_CHECK(consider({.id = allocation.id, .window = {}, .allocation = std::move(allocation)}));
  }
  Judge judge = this->judge();
  for (const auto& use : uses)
    if (!judge.may_be_alive(use)) dead.uses.push_back(use.id);
  return dead;
}

Result<Collected> Store::Impl::collect() {
  PSNAM_CHECK(catalog->settle());
  PSNAM_TRY(const Dead dead, find_dead());
  return end_in_steps(dead.uses, dead.objects);
}

/// A transaction takes room for all that it changes, and there may be little.
Result<Collected> Store::Impl::end_in_steps(std::span<const std::uint64_t> uses,
                                            std::span<const std::uint64_t> objects) {
  constexpr std::size_t kStep = 32;
  Collected all;
  const auto add = [&](const Collected& some) {
    all.uses += some.uses;
    all.windows += some.windows;
    all.allocations += some.allocations;
    all.bytes += some.bytes;
  };
  for (; !uses.empty(); uses = uses.subspan(std::min(kStep, uses.size()))) {
    PSNAM_TRY(const Collected some, end(uses.first(std::min(kStep, uses.size())), {}));
    add(some);
  }
  for (; !objects.empty(); objects = objects.subspan(std::min(kStep, objects.size()))) {
    PSNAM_TRY(const Collected some, end({}, objects.first(std::min(kStep, objects.size()))));
    add(some);
  }
  return all;
}

Result<Collected> Store::Impl::end(std::span<const std::uint64_t> uses, std::span<const std::uint64_t> objects) {
  // The shared page before the record of the use: a page without a record would belong to nobody.
  for (const std::uint64_t use : uses) PSNAM_CHECK(control.remove(use));
  Collected collected;
  PSNAM_TRY(Ended ended, end_in_catalog(uses, {objects.begin(), objects.end()}));
  collected.uses = ended.uses;
  while (!ended.releases.empty()) {
    PSNAM_TRY(auto parents, finish(ended, collected));
    if (parents.empty()) break;
    PSNAM_TRY(ended, end_in_catalog({}, std::move(parents)));
  }
  return collected;
}

Result<Store::Impl::Ended> Store::Impl::end_in_catalog(std::span<const std::uint64_t> uses,
                                                       std::vector<std::uint64_t> candidates) {
  Ended ended;
  std::vector<format::UseRecord> erased;
  bool changed = false;
  const std::uint64_t now = now_unix_seconds();
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(Purpose::removal));
  for (const std::uint64_t id : uses) {
    PSNAM_TRY(const auto use, transaction.use(id));
    if (!use) continue;
    PSNAM_CHECK(transaction.erase_use(*use));
    ++ended.uses;
    erased.push_back(*use);
    candidates.push_back(use->object_id);
    changed = true;
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  for (const std::uint64_t id : candidates) {
    PSNAM_TRY(auto object, find_object(transaction, id));
    if (!object) continue;
    PSNAM_TRY(const bool abandoned, is_abandoned(transaction, *object, now));
    if (!abandoned) continue;
    PSNAM_TRY(const auto child, any_child(transaction, *object));
    if (child) continue;
    if (object->persistent()) {  // it has expired
      PSNAM_CHECK(withdraw(transaction, *object));
      changed = true;
    }
    ended.releases.push_back({.object_id = id, .files = files_of(*object), .memory = object->memory()});
  }
  // Without a change, the catalog says already what this transaction would say.
  if (changed) PSNAM_CHECK(transaction.commit());
  for (const auto& use : erased) session_uses.remove(use.id, use.processes);
  return ended;
}

Result<std::vector<std::uint64_t>> Store::Impl::finish(const Ended& ended, Collected& collected) {
  for (const auto& release : ended.releases) {
    for (const std::uint64_t file : release.files) PSNAM_CHECK(memory.remove(file));
    for (const std::uint64_t allocation : release.memory) PSNAM_CHECK(notifications.remove(allocation));
    PSNAM_CHECK(locks.remove(release.object_id));
  }
  const std::uint64_t now = now_unix_seconds();
  std::vector<std::uint64_t> parents;
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(Purpose::removal));
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  const auto limits = this->limits();
  Accounts accounts{transaction, store, *limits, folder};
  Funeral funeral{transaction, accounts};
  for (const auto& release : ended.releases) PSNAM_CHECK(funeral.bury(release.object_id, collected));
  for (const std::uint64_t id : std::move(funeral).parents()) {
    PSNAM_TRY(const auto parent, find_object(transaction, id));
    if (!parent) continue;
    PSNAM_TRY(const bool abandoned, is_abandoned(transaction, *parent, now));
    if (abandoned) parents.push_back(id);
  }
  PSNAM_CHECK(accounts.settle());
  PSNAM_CHECK(transaction.commit());
  return parents;
}

Result<std::vector<std::uint64_t>> Store::Impl::dead_uses_of(std::span<const std::uint64_t> objects) {
  Judge judge = this->judge();
  std::vector<std::uint64_t> dead;
  PSNAM_TRY(CatalogTransaction transaction, catalog->read());
  for (const std::uint64_t object : objects) {
    PSNAM_TRY(const auto ids, transaction.uses_of(object));
    for (const std::uint64_t id : ids) {
      PSNAM_TRY(const auto use, transaction.use(id));
      if (use && !judge.may_be_alive(*use)) dead.push_back(id);
    }
  }
  return dead;
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
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("collect what is left in", impl_->folder.path().string()));
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
  PSNAM_TRY(const Rights rights, this->rights());
  const auto withdraw_window = [&]() -> Result<std::uint64_t> {
    PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::removal));
    PSNAM_TRY(const auto id, transaction.window_called(name));
    if (!id) return no_such_window(name, impl_->folder);
    PSNAM_TRY(auto window, find_object(transaction, *id));
    if (!window)
      return Error{Code::corrupt,
                   fmt::format("{}: \"{}\" leads to window {}, which is missing", impl_->catalog->shown(), name, *id)};
    PSNAM_CHECK(rights.require_ownership(*window->window, "remove"));
    PSNAM_CHECK(refuse_children(transaction, *window, "removed"));
    PSNAM_CHECK(withdraw(transaction, *window));
    PSNAM_CHECK(transaction.commit());
    return *id;
  };
  PSNAM_TRY(const std::uint64_t id, impl_->with_cleaning({Code::busy}, withdraw_window));
  PSNAM_TRY(const auto dead, impl_->dead_uses_of({{id}}));
  PSNAM_CHECK(impl_->end(dead, {{id}}));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto left, transaction.window(id));
  return !left.has_value();
}

}  // namespace psnam::nam
