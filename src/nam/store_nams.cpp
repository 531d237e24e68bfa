// A store among others: as the manager that they have joined, or as one that has joined a manager. The table of NAMs
// has a row for each, by index: that of index 0 is the manager, and one row is the store's own. A store that was never
// served has none.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

std::string described(const NamPlace& place) {
  if (place.index == 0) return "the manager of NAMs";
  return fmt::format("NAM {} of the manager {} ({})", place.index, format::to_string(place.manager),
                     place.manager_address);
}

/// A manager without anything in it has given no id that anybody knows: it may still join another.
Result<bool> is_unused(CatalogTransaction& transaction) {
  PSNAM_TRY(const std::uint64_t windows, transaction.entries(Table::windows));
  PSNAM_TRY(const std::uint64_t allocations, transaction.entries(Table::allocations));
  PSNAM_TRY(const std::uint64_t nams, transaction.entries(Table::nams));
  return windows == 0 && allocations == 0 && nams <= 1;
}

Result<std::optional<NamPlace>> place_in(CatalogTransaction& transaction, const format::Uuid& own) {
  PSNAM_TRY(const auto rows, transaction.nams());
  const auto mine = std::ranges::find(rows, own, &format::NamRecord::store);
  if (mine == rows.end()) return std::optional<NamPlace>{};
  NamPlace place{.index = mine->index, .manager = own, .manager_address = {}};
  if (place.index == 0) {
    PSNAM_TRY(const bool unused, is_unused(transaction));
    return unused ? std::nullopt : std::optional{std::move(place)};
  }
  PSNAM_TRY(const auto manager, transaction.nam(0));
  if (!manager)
    return Error{Code::corrupt,
                 fmt::format("the catalog says that this is NAM {}, and not of which manager", place.index)};
  place.manager = manager->store;
  place.manager_address = manager->address;
  return std::optional{std::move(place)};
}

}  // namespace

Result<std::optional<NamPlace>> Store::nam_place() {
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  return place_in(transaction, impl_->identity.store);
}

Result<std::vector<NamReport>> Store::nams() {
  PSNAM_TRY(auto self, Service::nams());
  PSNAM_TRY(const auto place, nam_place());
  if (place) self.front().index = place->index;
  return self;
}

Status Store::serve_as(const NamPlace& place) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("serve", impl_->folder.path().string()));
  PSNAM_TRY(const auto known, nam_place());
  // Nothing is written then: a store that is full can be served all the same.
  const bool same = known && known->index == place.index && known->manager == place.manager;
  if (same && known->manager_address == place.manager_address) return {};
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::use, place.manager_address.size()));
  PSNAM_TRY(const auto former, place_in(transaction, impl_->identity.store));
  if (former && (former->index != place.index || former->manager != place.manager))
    return Error{Code::incompatible,
                 fmt::format("the store {} has been {}, and has given ids as such: it cannot serve as {}",
                             impl_->folder.path().string(), described(*former), described(place))};
  PSNAM_TRY(format::StoreRecord record, transaction.store());
  record.next_id = std::max(record.next_id, format::first_served_id(place.index));
  PSNAM_CHECK(transaction.put(record));
  PSNAM_CHECK(transaction.put(format::NamRecord{.index = 0, .store = place.manager, .address = place.manager_address}));
  if (place.index != 0)
    PSNAM_CHECK(
        transaction.put(format::NamRecord{.index = place.index, .store = impl_->identity.store, .address = {}}));
  return transaction.commit();
}

Result<std::vector<format::NamRecord>> Store::joined() {
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto rows, transaction.nams());
  std::erase_if(rows, [&](const auto& row) { return row.index == 0 || row.store == impl_->identity.store; });
  return rows;
}

Result<format::NamRecord> Store::join(const format::Uuid& joining, std::string address) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("join others to", impl_->folder.path().string()));
  if (joining == impl_->identity.store)
    return Error{Code::invalid_argument, fmt::format("the store {} cannot join itself", impl_->folder.path().string())};
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::creation, address.size()));
  PSNAM_TRY(format::NamRecord record, transaction.join(joining, std::move(address)));
  PSNAM_CHECK(transaction.commit());
  return record;
}

Status Store::forget_joined(std::uint32_t index) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("remove NAMs from", impl_->folder.path().string()));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::removal));
  PSNAM_TRY(const auto known, transaction.nam(index));
  if (!known || index == 0)
    return Error{Code::name_not_found,
                 fmt::format("no NAM {} has joined the manager {}", index, impl_->folder.path().string())};
  PSNAM_CHECK(transaction.erase_nam(index));
  return transaction.commit();
}

Result<std::vector<WindowFate>> Store::fates_of(std::span<const format::Uuid> windows) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("decide about windows of", impl_->folder.path().string()));
  std::map<format::Uuid, WindowFate> fates;
  for (const format::Uuid& uuid : windows) fates[uuid] = WindowFate::gone;
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto records, transaction.windows());
  for (const auto& window : records) {
    const auto asked = fates.find(window.uuid);
    if (asked == fates.end()) continue;
    asked->second = is_findable(window) && !window.in_doubt ? WindowFate::kept : WindowFate::undecided;
  }
  std::vector<WindowFate> answers;
  for (const format::Uuid& uuid : windows) answers.push_back(fates.at(uuid));
  return answers;
}

Result<std::vector<format::WindowRecord>> Store::idle_parts_of(const format::Uuid& home) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("look at parts of windows in", impl_->folder.path().string()));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto windows, transaction.windows());
  std::vector<format::WindowRecord> idle;
  for (auto& window : windows) {
    if (!is_findable(window) || window.nodes.empty() || window.nodes.front().store != home) continue;
    PSNAM_TRY(const bool used, transaction.has_uses(window.id));
    if (!used) idle.push_back(std::move(window));
  }
  return idle;
}

}  // namespace psnam::nam
