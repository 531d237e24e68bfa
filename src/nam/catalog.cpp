#include "nam/catalog.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>

#include "base/system.hpp"
#include "format/catalog_wire.hpp"
#include "nam/keys.hpp"

namespace psnam::nam {
namespace {

constexpr const char* kFile = "catalog.mdb";
constexpr const char* kLockFile = "catalog.mdb-lock";
constexpr const char* kUnfinishedFile = "catalog.new";
constexpr std::string_view kStoreKey = "store";

constexpr std::array<TableSpec, 14> kTables{{
    {"store", false},
    {"windows", false},
    {"allocations", false},
    {"uses", false},
    {"names", false},
    {"services", false},
    {"window_uses", true},  // as version 1 calls it, which opens its tables before it looks at the version
    {"window_services", true},
    {"extents", false},
    {"free_extents", false},
    {"references", true},
    {"allocation_names", false},
    {"users", false},
    {"nams", false},
}};
constexpr std::size_t kFormerTables = 12;
static_assert(kTables.size() <= Environment::kMaxTables);

constexpr std::size_t index(Table table) noexcept { return static_cast<std::size_t>(table); }

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// LMDB maps its lock file and writes to it, so its memory has to be there before: on a full file system the first
/// touch would be a SIGBUS. Before the environment is opened, because closing any descriptor of the file drops LMDB's
/// locks on it.
Status prepare_lock_file(const Folder& folder) {
  const Fd fd{::openat(folder.fd(), kLockFile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd.valid()) return system_error(folder.shown(kLockFile), errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(folder.shown(kLockFile), errno);
  if (static_cast<std::size_t>(status.st_size) >= Environment::kLockFileBytes) return {};
  const int error = ::posix_fallocate(fd.get(), 0, Environment::kLockFileBytes);
  if (error != 0) return system_error(fmt::format("reserving {}", folder.shown(kLockFile)), error);
  return {};
}

Status remove_file(const Folder& folder, const char* file) {
  if (::unlinkat(folder.fd(), file, 0) != 0 && errno != ENOENT)
    return system_error(fmt::format("removing {}", folder.shown(file)), errno);
  return {};
}

/// In order and without 0, which is no id.
std::vector<std::uint64_t> each_once(std::vector<std::uint64_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (!ids.empty() && ids.front() == 0) ids.erase(ids.begin());
  return ids;
}

Status write_new_catalog(const Folder& folder, const format::StoreRecord& record) {
  PSNAM_TRY(const auto environment, Environment::open({.path = folder.through(kUnfinishedFile),
                                                       .shown = folder.shown(kUnfinishedFile),
                                                       .tables = kTables,
                                                       .locking = false,
                                                       .durable = !folder.in_memory()},
                                                      true));
  PSNAM_TRY(Transaction transaction, environment->begin_write());
  PSNAM_CHECK(transaction.put(index(Table::store), bytes_of(kStoreKey), format::encode(record)));
  return transaction.commit();
}

}  // namespace

std::vector<std::uint64_t> allocations_of(const format::WindowRecord& window) {
  std::vector<std::uint64_t> ids;
  for (const auto& region : window.regions) {
    if (region.source == format::RegionSource::own) ids.push_back(region.allocation_id);
    if (region.source == format::RegionSource::segment) ids.push_back(region.segment_id);
  }
  return each_once(std::move(ids));
}

std::vector<std::uint64_t> references_of(const format::WindowRecord& window) {
  std::vector<std::uint64_t> ids;
  for (const auto& region : window.regions)
    if (region.source == format::RegionSource::existing) ids.push_back(region.segment_id);
  return each_once(std::move(ids));
}

Result<bool> Catalog::exists(const Folder& folder) { return folder.contains(kFile); }

Status Catalog::make(const Folder& folder, const format::StoreRecord& record) {
  PSNAM_CHECK(remove_file(folder, kUnfinishedFile));  // of a process that was killed here
  if (Status written = write_new_catalog(folder, record); !written) {
    PSNAM_CHECK(remove_file(folder, kUnfinishedFile));
    return written;
  }
  // A lock file of an earlier catalog says nothing about this one.
  PSNAM_CHECK(remove_file(folder, kLockFile));
  if (::renameat(folder.fd(), kUnfinishedFile, folder.fd(), kFile) != 0)
    return system_error(fmt::format("making {}", folder.shown(kFile)), errno);
  if (!folder.in_memory() && ::fsync(folder.fd()) != 0) return system_error(folder.path().string(), errno);
  return {};
}

Result<std::unique_ptr<Catalog>> Catalog::open(const Folder& folder) {
  PSNAM_CHECK(prepare_lock_file(folder));
  // The store's record says which version the catalog has, and with that which tables there are.
  const std::span<const TableSpec> tables{kTables};
  PSNAM_TRY(auto environment, Environment::open({.path = folder.through(kFile),
                                                 .shown = folder.shown(kFile),
                                                 .tables = tables.first(1),
                                                 .locking = true,
                                                 .durable = !folder.in_memory(),
                                                 .map_bytes = kMapBytes},
                                                false));
  std::unique_ptr<Catalog> catalog{new Catalog{std::move(environment)}};
  PSNAM_TRY(const bool former, catalog->is_former());
  if (!former) {
    PSNAM_TRY(CatalogTransaction transaction, catalog->read());
    PSNAM_CHECK(transaction.store().status());
  }
  PSNAM_CHECK(catalog->environment_->open_more(tables.subspan(1, kFormerTables - 1), false));
  // Of a former version they are not there yet; making them changes nothing for those who do not know them.
  PSNAM_CHECK(catalog->environment_->open_more(tables.subspan(kFormerTables), former));
  if (former) PSNAM_CHECK(catalog->upgrade());
  return catalog;
}

Result<CatalogTransaction> Catalog::read() {
  PSNAM_TRY(Transaction transaction, environment_->begin_read());
  return CatalogTransaction{std::move(transaction), shown()};
}

Status Catalog::settle() { return environment_->begin_write().status(); }

template <class Record>
Result<Record> CatalogTransaction::decoded(Result<Record> record) const {
  if (record) return record;
  Error error = record.take_error();
  error.message = *shown_ + ": " + error.message;
  return error;
}

template <class Record, class Decode>
Result<std::optional<Record>> CatalogTransaction::find(Table table, Bytes key, Decode decode) {
  PSNAM_TRY(const auto found, transaction_.get(index(table), key));
  if (!found) return std::optional<Record>{};
  PSNAM_TRY(Record record, decoded(decode(*found)));
  return std::optional<Record>{std::move(record)};
}

template <class Record, class Decode>
Result<std::vector<Record>> CatalogTransaction::all(Table table, Decode decode) {
  std::vector<Record> records;
  PSNAM_CHECK(transaction_.each(index(table), [&](Bytes, Bytes value) -> Status {
    PSNAM_TRY(Record record, decoded(decode(value)));
    records.push_back(std::move(record));
    return {};
  }));
  return records;
}

Result<std::uint64_t> CatalogTransaction::id_in(Bytes value) const {
  if (value.size() != 8)
    return Error{Code::corrupt, fmt::format("{}: an id has {} bytes instead of 8", *shown_, value.size())};
  return number_in(value, 0);
}

Result<std::optional<std::uint64_t>> CatalogTransaction::id_at(Table table, Bytes key) {
  PSNAM_TRY(const auto found, transaction_.get(index(table), key));
  if (!found) return std::optional<std::uint64_t>{};
  PSNAM_TRY(const std::uint64_t id, id_in(*found));
  return std::optional{id};
}

Result<std::vector<std::uint64_t>> CatalogTransaction::ids_at(Table table, std::uint64_t id) {
  PSNAM_TRY(const auto values, transaction_.values(index(table), IdKey{id}.bytes()));
  std::vector<std::uint64_t> ids;
  for (const Bytes value : values) {
    PSNAM_TRY(const std::uint64_t other, id_in(value));
    ids.push_back(other);
  }
  return ids;
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> CatalogTransaction::names_in(Table table) {
  std::vector<std::pair<std::string, std::uint64_t>> names;
  PSNAM_CHECK(transaction_.each(index(table), [&](Bytes key, Bytes value) -> Status {
    PSNAM_TRY(const std::uint64_t id, id_in(value));
    names.emplace_back(text_of(key), id);
    return {};
  }));
  return names;
}

Result<format::StoreRecord> CatalogTransaction::store() {
  PSNAM_TRY(auto record, find<format::StoreRecord>(Table::store, bytes_of(kStoreKey), format::decode_store));
  if (!record) return Error{Code::corrupt, fmt::format("{} has no record of its store", *shown_)};
  return std::move(*record);
}

Status CatalogTransaction::put(const format::StoreRecord& record) {
  return transaction_.put(index(Table::store), bytes_of(kStoreKey), format::encode(record));
}

Result<std::optional<format::WindowRecord>> CatalogTransaction::window(std::uint64_t id) {
  return find<format::WindowRecord>(Table::windows, IdKey{id}.bytes(), format::decode_window);
}

Result<std::optional<format::AllocationRecord>> CatalogTransaction::allocation(std::uint64_t id) {
  return find<format::AllocationRecord>(Table::allocations, IdKey{id}.bytes(), format::decode_allocation);
}

Result<std::optional<format::UseRecord>> CatalogTransaction::use(std::uint64_t id) {
  return find<format::UseRecord>(Table::uses, IdKey{id}.bytes(), format::decode_use);
}

Result<std::optional<format::ServiceRecord>> CatalogTransaction::service(std::string_view name) {
  return find<format::ServiceRecord>(Table::services, bytes_of(name), format::decode_service);
}

Result<std::optional<std::uint64_t>> CatalogTransaction::window_called(std::string_view name) {
  return id_at(Table::names, bytes_of(name));
}

Result<std::optional<std::uint64_t>> CatalogTransaction::allocation_called(std::string_view name) {
  return id_at(Table::allocation_names, bytes_of(name));
}

Result<std::vector<std::uint64_t>> CatalogTransaction::uses_of(std::uint64_t object_id) {
  return ids_at(Table::object_uses, object_id);
}

Result<bool> CatalogTransaction::has_uses(std::uint64_t object_id) {
  PSNAM_TRY(const auto first, transaction_.get(index(Table::object_uses), IdKey{object_id}.bytes()));
  return first.has_value();
}

Result<std::vector<std::uint64_t>> CatalogTransaction::windows_referring_to(std::uint64_t allocation_id) {
  return ids_at(Table::references, allocation_id);
}

Result<std::optional<std::uint64_t>> CatalogTransaction::a_window_referring_to(std::uint64_t allocation_id) {
  return id_at(Table::references, IdKey{allocation_id}.bytes());
}

Result<std::vector<std::string>> CatalogTransaction::services_of(std::uint64_t window_id) {
  PSNAM_TRY(const auto values, transaction_.values(index(Table::window_services), IdKey{window_id}.bytes()));
  std::vector<std::string> services;
  for (const Bytes value : values) services.push_back(text_of(value));
  return services;
}

Status CatalogTransaction::put(const format::WindowRecord& record) {
  return transaction_.put(index(Table::windows), IdKey{record.id}.bytes(), format::encode(record));
}

Status CatalogTransaction::put(const format::AllocationRecord& record) {
  return transaction_.put(index(Table::allocations), IdKey{record.id}.bytes(), format::encode(record));
}

Status CatalogTransaction::put(const format::UseRecord& record) {
  const IdKey id{record.id};
  PSNAM_CHECK(transaction_.put(index(Table::uses), id.bytes(), format::encode(record)));
  return transaction_.put(index(Table::object_uses), IdKey{record.object_id}.bytes(), id.bytes());
}

Status CatalogTransaction::put_service(std::string_view name, const format::ServiceRecord& record) {
  PSNAM_CHECK(transaction_.put(index(Table::services), bytes_of(name), format::encode(record)));
  return transaction_.put(index(Table::window_services), IdKey{record.window_id}.bytes(), bytes_of(name));
}

Status CatalogTransaction::put_name(std::string_view name, std::uint64_t window_id) {
  return transaction_.put(index(Table::names), bytes_of(name), IdKey{window_id}.bytes());
}

Status CatalogTransaction::put_allocation_name(std::string_view name, std::uint64_t allocation_id) {
  return transaction_.put(index(Table::allocation_names), bytes_of(name), IdKey{allocation_id}.bytes());
}

Status CatalogTransaction::put_reference(std::uint64_t allocation_id, std::uint64_t window_id) {
  return transaction_.put(index(Table::references), IdKey{allocation_id}.bytes(), IdKey{window_id}.bytes());
}

Status CatalogTransaction::erase_window(std::uint64_t id) {
  return transaction_.erase(index(Table::windows), IdKey{id}.bytes());
}

Status CatalogTransaction::erase_allocation(std::uint64_t id) {
  return transaction_.erase(index(Table::allocations), IdKey{id}.bytes());
}

Status CatalogTransaction::erase_use(const format::UseRecord& record) {
  const IdKey id{record.id};
  PSNAM_CHECK(transaction_.erase(index(Table::uses), id.bytes()));
  return transaction_.erase(index(Table::object_uses), IdKey{record.object_id}.bytes(), id.bytes());
}

Status CatalogTransaction::erase_service(std::string_view name, std::uint64_t window_id) {
  PSNAM_CHECK(transaction_.erase(index(Table::services), bytes_of(name)));
  return transaction_.erase(index(Table::window_services), IdKey{window_id}.bytes(), bytes_of(name));
}

Status CatalogTransaction::erase_name(std::string_view name) {
  return transaction_.erase(index(Table::names), bytes_of(name));
}

Status CatalogTransaction::erase_allocation_name(std::string_view name) {
  return transaction_.erase(index(Table::allocation_names), bytes_of(name));
}

Status CatalogTransaction::erase_reference(std::uint64_t allocation_id, std::uint64_t window_id) {
  const IdKey window{window_id};
  return transaction_.erase(index(Table::references), IdKey{allocation_id}.bytes(), window.bytes());
}

Result<std::vector<format::WindowRecord>> CatalogTransaction::windows() {
  return all<format::WindowRecord>(Table::windows, format::decode_window);
}

Result<std::vector<format::AllocationRecord>> CatalogTransaction::allocations() {
  return all<format::AllocationRecord>(Table::allocations, format::decode_allocation);
}

Result<std::vector<format::UseRecord>> CatalogTransaction::uses() {
  return all<format::UseRecord>(Table::uses, format::decode_use);
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> CatalogTransaction::names() {
  return names_in(Table::names);
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> CatalogTransaction::allocation_names() {
  return names_in(Table::allocation_names);
}

Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> CatalogTransaction::references() {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> references;
  PSNAM_CHECK(transaction_.each(index(Table::references), [&](Bytes key, Bytes value) -> Status {
    PSNAM_TRY(const std::uint64_t allocation, id_in(key));
    PSNAM_TRY(const std::uint64_t window, id_in(value));
    references.emplace_back(allocation, window);
    return {};
  }));
  return references;
}

Result<std::vector<std::pair<std::string, format::ServiceRecord>>> CatalogTransaction::services() {
  std::vector<std::pair<std::string, format::ServiceRecord>> services;
  PSNAM_CHECK(transaction_.each(index(Table::services), [&](Bytes key, Bytes value) -> Status {
    PSNAM_TRY(auto record, decoded(format::decode_service(value)));
    services.emplace_back(text_of(key), std::move(record));
    return {};
  }));
  return services;
}

Result<format::UserRecord> CatalogTransaction::user(std::uint32_t uid) {
  PSNAM_TRY(const auto record, find<format::UserRecord>(Table::users, IdKey{uid}.bytes(), format::decode_user));
  return record.value_or(format::UserRecord{.uid = uid});
}

Status CatalogTransaction::put(const format::UserRecord& record) {
  const IdKey uid{record.uid};
  if (record == format::UserRecord{.uid = record.uid}) return transaction_.erase(index(Table::users), uid.bytes());
  return transaction_.put(index(Table::users), uid.bytes(), format::encode(record));
}

Result<std::vector<format::UserRecord>> CatalogTransaction::users() {
  return all<format::UserRecord>(Table::users, format::decode_user);
}

Result<std::optional<format::NamRecord>> CatalogTransaction::nam(std::uint32_t index_of_nam) {
  return find<format::NamRecord>(Table::nams, IdKey{index_of_nam}.bytes(), format::decode_nam);
}

Status CatalogTransaction::put(const format::NamRecord& record) {
  return transaction_.put(index(Table::nams), IdKey{record.index}.bytes(), format::encode(record));
}

Status CatalogTransaction::erase_nam(std::uint32_t index_of_nam) {
  return transaction_.erase(index(Table::nams), IdKey{index_of_nam}.bytes());
}

Result<std::vector<format::NamRecord>> CatalogTransaction::nams() {
  return all<format::NamRecord>(Table::nams, format::decode_nam);
}

Result<format::NamRecord> CatalogTransaction::join(const format::Uuid& store_id, std::string address) {
  PSNAM_TRY(const auto known, nams());
  format::NamRecord record{.index = 0, .store = store_id, .address = std::move(address)};
  for (const auto& nam : known)
    if (nam.store == store_id) record.index = nam.index;
  if (record.index == 0) {
    PSNAM_TRY(format::StoreRecord own, store());
    if (own.next_nam_index == std::numeric_limits<std::uint32_t>::max())
      return Error{Code::no_memory, fmt::format("{}: all indices of NAMs have been given", *shown_)};
    record.index = own.next_nam_index++;
    PSNAM_CHECK(put(own));
  }
  PSNAM_CHECK(put(record));
  return record;
}

Result<std::uint64_t> CatalogTransaction::entries(Table table) { return transaction_.entries(index(table)); }

}  // namespace psnam::nam
