// Free-standing allocations of the embedded store: made, made persistent, found, taken into use, freed.
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <set>

#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

Error name_taken(std::string_view name, const Folder& folder) {
  return Error{Code::name_exists,
               fmt::format("the store {} has an allocation called \"{}\" already", folder.path().string(), name)};
}

Error no_allocation_called(std::string_view name, const Folder& folder) {
  return Error{Code::name_not_found,
               fmt::format("the store {} has no allocation called \"{}\"", folder.path().string(), name)};
}

Status check_request(const AllocationRequest& request, const Caller& caller, bool users) {
  if (!request.name.empty()) PSNAM_CHECK(check_name(request.name, "an allocation's"));
  if (request.size_bytes == 0) return Error{Code::size, "an allocation has at least one byte, 0 are wanted"};
  if (!users && request.consistency == format::Consistency::volatile_)
    return Error{Code::invalid_argument, "a volatile allocation is used by at least one process"};
  if (request.uid && *request.uid != caller.uid && caller.uid != 0)
    return Error{Code::access,
                 fmt::format("user {} cannot make an allocation that belongs to user {}", caller.uid, *request.uid)};
  return {};
}

/// A free-standing allocation that `caller` may make persistent, volatile and free.
Result<Object> own_allocation(CatalogTransaction& transaction, std::uint64_t id, const Caller& caller,
                              const Folder& folder) {
  PSNAM_TRY(format::AllocationRecord allocation, known_allocation(transaction, id, folder));
  if (allocation.window_id != 0)
    return Error{Code::invalid_argument,
                 fmt::format("the {} {} belongs to the window {} and goes with it",
                             allocation.parent_id == 0 ? "allocation" : "segment", id, allocation.window_id)};
  if (caller.uid != 0 && caller.uid != allocation.uid)
    return Error{Code::access,
                 fmt::format("the allocation {} belongs to user {}, not to {}", id, allocation.uid, caller.uid)};
  return Object{.id = id, .window = {}, .allocation = std::move(allocation)};
}

Result<AllocationReport> report_of(CatalogTransaction& transaction, format::AllocationRecord allocation) {
  AllocationReport report;
  PSNAM_TRY(const auto uses, transaction.uses_of(allocation.id));
  for (const std::uint64_t id : uses) {
    PSNAM_TRY(auto use, transaction.use(id));
    if (use) report.uses.push_back(std::move(*use));
  }
  PSNAM_TRY(report.referring_windows, transaction.windows_referring_to(allocation.id));
  report.largest_free_bytes = allocation.size_bytes;
  report.allocation = std::move(allocation);
  return report;
}

}  // namespace

Result<AllocationUse> Store::Impl::record_allocation(const AllocationRequest& request, const Caller& caller,
                                                     std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(CatalogTransaction transaction,
            catalog->write(Purpose::creation, request.name.size() + users.size_bytes()));
  if (!request.name.empty()) {
    PSNAM_TRY(const auto taken, transaction.allocation_called(request.name));
    if (taken) return name_taken(request.name, folder);
  }
  PSNAM_TRY(format::StoreRecord store, transaction.store());
  format::AllocationRecord record;
  record.id = record.root_id = store.next_id++;
  record.nam_index = format::nam_that_gave(record.id);
  record.size_bytes = request.size_bytes;
  record.reserve = request.reserve;
  record.kind = request.kind;
  record.uid = request.uid.value_or(caller.uid);
  record.gid = request.gid.value_or(caller.gid);
  record.mode = request.mode;
  record.challenge = format::random_challenge();
  record.created_unix_seconds = now_unix_seconds();
  record.expires_unix_seconds = request.expires_unix_seconds;
  record.name = request.name;
  const auto limits = this->limits();
  Accounts accounts{transaction, store, *limits, folder};
  PSNAM_CHECK(accounts.charge(record));
  format::UseRecord use = use_of(record.id, users);
  use.id = store.next_id++;
  PSNAM_CHECK(transaction.put(record));
  PSNAM_CHECK(transaction.put(use));
  PSNAM_CHECK(accounts.settle());
  PSNAM_CHECK(transaction.commit());
  return AllocationUse{.allocation = std::move(record), .use_id = use.id};
}

Result<AllocationUse> Store::allocate(const AllocationRequest& request,
                                      std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(const Rights rights, this->rights());
  const Caller& caller = rights.caller();
  PSNAM_CHECK(check_request(request, caller, !users.empty()));
  PSNAM_CHECK(impl_->check_users(users));
  PSNAM_CHECK(rights.require_making(request.uid.value_or(caller.uid), request.gid.value_or(caller.gid), request.mode));
  // In the making it is volatile, so somebody has to use it.
  std::vector<format::ProcessIdentity> makers{users.begin(), users.end()};
  if (makers.empty()) {
    PSNAM_TRY(const auto maker, impl_->itself());
    makers.push_back(maker);
  }
  PSNAM_TRY(AllocationUse use, impl_->with_cleaning({Code::no_memory, Code::quota},
                                                    [&] { return impl_->record_allocation(request, caller, makers); }));
  PSNAM_CHECK(impl_->entered(use.use_id, makers));
  Status made = impl_->make_memory(use.allocation.id, request.size_bytes, request.reserve).status();
  const std::uint64_t own_use = users.empty() ? use.use_id : 0;
  if (made && request.consistency == format::Consistency::persistent)
    made = impl_->change_consistency(use.allocation.id, request.consistency, rights, own_use);
  if (!made) {
    PSNAM_CHECK(impl_->end({{use.use_id}}, {}).status());
    return made.take_error();
  }
  if (own_use != 0) {
    impl_->session_uses.remove(own_use, makers);
    use.use_id = 0;
  }
  use.allocation.consistency = request.consistency;
  use.allocation = rights.told(std::move(use.allocation));
  return use;
}

Status Store::Impl::change_consistency(std::uint64_t allocation_id, format::Consistency consistency,
                                       const Rights& rights, std::uint64_t use_to_end) {
  const bool lasting = consistency == format::Consistency::persistent;
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(lasting ? Purpose::use : Purpose::removal));
  PSNAM_CHECK(living_allocation(transaction, allocation_id, folder).status());
  PSNAM_TRY(Object object, own_allocation(transaction, allocation_id, rights.caller(), folder));
  format::AllocationRecord& allocation = *object.allocation;
  if (consistency == format::Consistency::volatile_) {
    if (object.persistent()) PSNAM_CHECK(refuse_children(transaction, object, "made volatile"));
    PSNAM_CHECK(withdraw(transaction, object));
  } else {
    if (!allocation.name.empty()) {
      PSNAM_TRY(const auto called, transaction.allocation_called(allocation.name));
      if (called && *called != allocation_id) return name_taken(allocation.name, folder);
      PSNAM_CHECK(transaction.put_allocation_name(allocation.name, allocation_id));
    }
    allocation.consistency = consistency;
    PSNAM_CHECK(transaction.put(allocation));
    PSNAM_TRY(const auto use, transaction.use(use_to_end));
    if (use) PSNAM_CHECK(transaction.erase_use(*use));
  }
  PSNAM_TRY(const bool used, transaction.has_uses(allocation_id));
  PSNAM_CHECK(transaction.commit());
  if (!used && consistency == format::Consistency::volatile_) PSNAM_CHECK(end({}, {{allocation_id}}));
  return {};
}

Status Store::set_allocation_consistency(std::uint64_t id, format::Consistency consistency) {
  PSNAM_TRY(const Rights rights, this->rights());
  return impl_->with_cleaning({Code::busy}, [&] { return impl_->change_consistency(id, consistency, rights); });
}

Result<AllocationUse> Store::open_allocation(std::uint64_t id, std::optional<std::uint64_t> challenge,
                                             AccessRight right, std::span<const format::ProcessIdentity> users) {
  if (users.empty()) return Error{Code::invalid_argument, "an allocation is used by at least one process"};
  PSNAM_CHECK(impl_->check_users(users));
  PSNAM_TRY(const Rights rights, this->rights());
  const auto record = [&]() -> Result<AllocationUse> {
    PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::use, users.size_bytes()));
    PSNAM_TRY(format::AllocationRecord allocation, living_allocation(transaction, id, impl_->folder));
    PSNAM_CHECK(require_access(allocation, right, rights.caller()));
    if (challenge && *challenge != allocation.challenge)
      return Error{Code::access, fmt::format("{:016x} is not the challenge of the allocation {}", *challenge, id)};
    PSNAM_TRY(const std::uint64_t use_id, impl_->record_use(transaction, owner_of(allocation), users));
    PSNAM_CHECK(transaction.commit());
    return AllocationUse{.allocation = rights.told(std::move(allocation)), .use_id = use_id};
  };
  PSNAM_TRY(AllocationUse opened, impl_->with_cleaning({Code::no_memory}, record));
  PSNAM_CHECK(impl_->entered(opened.use_id, users));
  return opened;
}

Result<format::AllocationRecord> Store::find_allocation(std::uint64_t id) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(format::AllocationRecord allocation, known_allocation(transaction, id, impl_->folder));
  PSNAM_CHECK(rights.require_sight(allocation));
  return rights.told(std::move(allocation));
}

Result<format::AllocationRecord> Store::find_allocation(std::string_view name) {
  if (!check_name(name, "an allocation's")) return no_allocation_called(name, impl_->folder);
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto id, transaction.allocation_called(name));
  if (!id) return no_allocation_called(name, impl_->folder);
  PSNAM_TRY(format::AllocationRecord allocation, known_allocation(transaction, *id, impl_->folder));
  PSNAM_CHECK(rights.require_sight(allocation));
  return rights.told(std::move(allocation));
}

Result<std::vector<std::uint64_t>> Store::Impl::withdraw_allocation(std::uint64_t id, bool recursive,
                                                                    const Caller& caller) {
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(Purpose::removal));
  PSNAM_TRY(Object object, own_allocation(transaction, id, caller, folder));
  if (!recursive) PSNAM_CHECK(refuse_children(transaction, object, "freed"));
  std::vector<Object> pending;
  pending.push_back(std::move(object));
  std::set<std::uint64_t> seen;
  std::vector<std::uint64_t> withdrawn;
  while (!pending.empty()) {
    Object next = std::move(pending.back());
    pending.pop_back();
    if (!seen.insert(next.id).second) continue;
    withdrawn.push_back(next.id);
    PSNAM_TRY(auto children, children_of(transaction, next));
    if (next.persistent()) PSNAM_CHECK(withdraw(transaction, next));
    for (auto& child : children) pending.push_back(std::move(child));
  }
  PSNAM_CHECK(transaction.commit());
  return withdrawn;
}

Result<bool> Store::free_allocation(std::uint64_t id, bool recursive) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(const auto withdrawn, impl_->with_cleaning({Code::busy}, [&] {
    return impl_->withdraw_allocation(id, recursive, rights.caller());
  }));
  PSNAM_TRY(const auto dead, impl_->dead_uses_of(withdrawn));
  PSNAM_CHECK(impl_->end_in_steps(dead, withdrawn));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const auto left, transaction.allocation(id));
  return !left.has_value();
}

Result<std::vector<AllocationReport>> Store::allocations() {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto records, transaction.allocations());
  std::vector<AllocationReport> reports;
  std::map<std::uint64_t, std::size_t> places;
  reports.reserve(records.size());
  for (auto& record : records) {
    if (!rights.may_see(record)) continue;
    places.emplace(record.id, reports.size());
    PSNAM_TRY(AllocationReport report, report_of(transaction, rights.told(std::move(record))));
    reports.push_back(std::move(report));
  }
  PSNAM_TRY(const auto rows, transaction.extents());
  std::uint64_t parent_id = 0;
  for (const auto& row : rows) {
    const auto place = places.find(row.parent_id);
    if (place == places.end()) continue;
    AllocationReport& report = reports[place->second];
    if (row.parent_id != parent_id) report.largest_free_bytes = 0;
    parent_id = row.parent_id;
    if (row.extent.free()) {
      report.largest_free_bytes = std::max(report.largest_free_bytes, row.extent.size_bytes);
    } else {
      ++report.segments;
      report.taken_bytes += row.extent.size_bytes;
    }
  }
  return reports;
}

}  // namespace psnam::nam
