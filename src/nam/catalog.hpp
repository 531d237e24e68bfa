// The catalog of a store: the records of src/format in LMDB's tables, read and changed in transactions.
//
//   table             key               value
//   store             "store"           StoreRecord
//   windows           id                WindowRecord
//   allocations       id                AllocationRecord; allocations and segments
//   uses              id                UseRecord
//   names             window name       id of the window; only of windows that are found by their name
//   services          service name      ServiceRecord
//   window_uses       object id         ids of the uses of a window or free-standing allocation
//   window_services   window id         its service names
//   extents           parent, offset    size and segment (0: free) of each extent of an allocation that has segments
//   free_extents      parent, size, offset   the free ones among them; no value
//   references        allocation id     ids of the windows that lie in it without owning it
//   allocation_names  allocation name   id of the allocation; only of those that are found by their name
//   users             uid               UserRecord; of those who have something
//   nams              index             NamRecord
//
// A number in a key, and an id as a value, is 8 bytes, big endian, so that the tables are in the order of the numbers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "nam/folder.hpp"
#include "nam/lmdb.hpp"
#include "segments/extents.hpp"

namespace psnam::nam {

enum class Table : std::size_t {
  store,
  windows,
  allocations,
  uses,
  names,
  services,
  object_uses,
  window_services,
  extents,
  free_extents,
  references,
  allocation_names,
  users,
  nams
};

/// A window is found by its name while it is persistent, or while another node decides whether it is.
[[nodiscard]] inline bool is_findable(const format::WindowRecord& window) noexcept {
  return window.consistency == format::Consistency::persistent || window.in_doubt;
}

/// The allocations and segments of this store that a window owns, each once, in order.
[[nodiscard]] std::vector<std::uint64_t> allocations_of(const format::WindowRecord& window);
/// Those that it lies in and does not own.
[[nodiscard]] std::vector<std::uint64_t> references_of(const format::WindowRecord& window);

/// A row of the table of extents, with its parent.
struct ExtentRow {
  std::uint64_t parent_id = 0;
  segments::Extent extent;
};

/// A transaction in terms of records. Errors name the catalog's file.
class CatalogTransaction {
 public:
  CatalogTransaction(Transaction transaction, const std::string& shown) noexcept
      : transaction_{std::move(transaction)}, shown_{&shown} {}

  [[nodiscard]] Result<format::StoreRecord> store();
  [[nodiscard]] Status put(const format::StoreRecord& record);

  [[nodiscard]] Result<std::optional<format::WindowRecord>> window(std::uint64_t id);
  [[nodiscard]] Result<std::optional<format::AllocationRecord>> allocation(std::uint64_t id);
  [[nodiscard]] Result<std::optional<format::UseRecord>> use(std::uint64_t id);
  [[nodiscard]] Result<std::optional<format::ServiceRecord>> service(std::string_view name);
  [[nodiscard]] Result<std::optional<std::uint64_t>> window_called(std::string_view name);
  [[nodiscard]] Result<std::optional<std::uint64_t>> allocation_called(std::string_view name);
  /// All zeros for one who has nothing.
  [[nodiscard]] Result<format::UserRecord> user(std::uint32_t uid);
  [[nodiscard]] Result<std::optional<format::NamRecord>> nam(std::uint32_t index);
  [[nodiscard]] Result<std::vector<std::uint64_t>> uses_of(std::uint64_t object_id);
  [[nodiscard]] Result<bool> has_uses(std::uint64_t object_id);
  [[nodiscard]] Result<std::vector<std::uint64_t>> windows_referring_to(std::uint64_t allocation_id);
  [[nodiscard]] Result<std::optional<std::uint64_t>> a_window_referring_to(std::uint64_t allocation_id);
  [[nodiscard]] Result<std::vector<std::string>> services_of(std::uint64_t window_id);

  [[nodiscard]] Status put(const format::WindowRecord& record);
  [[nodiscard]] Status put(const format::AllocationRecord& record);
  [[nodiscard]] Status put(const format::UseRecord& record);
  /// One of zeros is removed.
  [[nodiscard]] Status put(const format::UserRecord& record);
  [[nodiscard]] Status put(const format::NamRecord& record);
  [[nodiscard]] Status put_service(std::string_view name, const format::ServiceRecord& record);
  [[nodiscard]] Status put_name(std::string_view name, std::uint64_t window_id);
  [[nodiscard]] Status put_allocation_name(std::string_view name, std::uint64_t allocation_id);
  [[nodiscard]] Status put_reference(std::uint64_t allocation_id, std::uint64_t window_id);

  [[nodiscard]] Status erase_window(std::uint64_t id);
  [[nodiscard]] Status erase_allocation(std::uint64_t id);
  [[nodiscard]] Status erase_nam(std::uint32_t index);
  [[nodiscard]] Status erase_use(const format::UseRecord& record);
  [[nodiscard]] Status erase_service(std::string_view name, std::uint64_t window_id);
  [[nodiscard]] Status erase_name(std::string_view name);
  [[nodiscard]] Status erase_allocation_name(std::string_view name);
  [[nodiscard]] Status erase_reference(std::uint64_t allocation_id, std::uint64_t window_id);

  [[nodiscard]] Result<std::vector<format::WindowRecord>> windows();
  [[nodiscard]] Result<std::vector<format::AllocationRecord>> allocations();
  [[nodiscard]] Result<std::vector<format::UseRecord>> uses();
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::uint64_t>>> names();
  [[nodiscard]] Result<std::vector<std::pair<std::string, format::ServiceRecord>>> services();
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::uint64_t>>> allocation_names();
  [[nodiscard]] Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> references();
  [[nodiscard]] Result<std::vector<format::UserRecord>> users();
  [[nodiscard]] Result<std::vector<format::NamRecord>> nams();
  /// The NAM with this store, whose address is `address` from now on; a new index if there is none yet.
  [[nodiscard]] Result<format::NamRecord> join(const format::Uuid& store, std::string address);
  [[nodiscard]] Result<std::vector<ExtentRow>> extents();
  [[nodiscard]] Result<std::vector<ExtentRow>> free_extents();
  [[nodiscard]] Result<std::uint64_t> entries(Table table);

  [[nodiscard]] Status commit() { return transaction_.commit(); }

 private:
  friend class CatalogExtents;
  friend class Catalog;
  template <class Record>
  [[nodiscard]] Result<Record> decoded(Result<Record> record) const;
  template <class Record, class Decode>
  [[nodiscard]] Result<std::optional<Record>> find(Table table, Bytes key, Decode decode);
  template <class Record, class Decode>
  [[nodiscard]] Result<std::vector<Record>> all(Table table, Decode decode);
  [[nodiscard]] Result<std::uint64_t> id_in(Bytes value) const;
  [[nodiscard]] Result<std::optional<std::uint64_t>> id_at(Table table, Bytes key);
  [[nodiscard]] Result<std::vector<std::uint64_t>> ids_at(Table table, std::uint64_t id);
  [[nodiscard]] Result<std::vector<std::pair<std::string, std::uint64_t>>> names_in(Table table);

  Transaction transaction_;
  const std::string* shown_;
};

/// The extents of a transaction's allocations. The transaction outlives it.
class CatalogExtents final : public segments::ExtentTable {
 public:
  explicit CatalogExtents(CatalogTransaction& catalog) noexcept : catalog_{catalog} {}
  Result<std::optional<segments::Extent>> at(std::uint64_t parent_id, std::uint64_t offset) override;
  Result<std::optional<segments::Extent>> next_free(std::uint64_t parent_id, std::uint64_t size,
                                                    std::uint64_t offset) override;
  Result<std::optional<segments::Extent>> largest_free(std::uint64_t parent_id) override;
  Status put(std::uint64_t parent_id, const segments::Extent& extent) override;
  Status erase(std::uint64_t parent_id, const segments::Extent& extent) override;

 private:
  CatalogTransaction& catalog_;
};

/// What a change is for. Where room is short, what is new is refused first, then the use of what is there, without
/// which much of it could not be removed; a removal is never refused.
enum class Purpose : std::uint8_t { creation, use, removal };

/// Thread-safe; see Environment for what a forked child may do.
class Catalog {
 public:
  /// Of records, by default: room for several million objects.
  static constexpr std::uint64_t kLimitBytes = std::uint64_t{8} << 30;
  static constexpr std::uint64_t kLeastLimitBytes = std::uint64_t{1} << 20;
  /// With what uses and removals take beyond the largest limit. It is address space; the file takes what its records
  /// need.
  static constexpr std::size_t kMapBytes = kLimitBytes + kLimitBytes / 8;

  [[nodiscard]] static Result<bool> exists(const Folder& folder);
  /// Makes the catalog of a new store; it appears whole or not at all. The caller holds the folder's lock.
  static Status make(const Folder& folder, const format::StoreRecord& record);
  /// The caller holds the folder's lock. A catalog of the former version is made one of this version, for ever: who has
  /// it open with a library of that version fails from then on.
  static Result<std::unique_ptr<Catalog>> open(const Folder& folder);

  [[nodiscard]] Result<CatalogTransaction> read();
  /// A change that makes up to `bytes` of new records. Unless it is a removal, there has to be room for it within the
  /// limit (for uses, within a sixteenth more, and 1 MiB at least), and the file system sets memory aside for it and
  /// for later removals. Looked at when all other writers have committed, so that no number of them uses up what
  /// removals need. Code::no_memory.
  [[nodiscard]] Result<CatalogTransaction> write(Purpose purpose, std::uint64_t bytes = 0);
  /// How much the records may take, of this Catalog from now on: kLeastLimitBytes to kLimitBytes. What is there stays,
  /// even if it is more.
  [[nodiscard]] Status set_limit(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t limit_bytes() const noexcept { return limit_bytes_.load(std::memory_order_relaxed); }
  /// What the records take, in whole pages.
  [[nodiscard]] Result<std::uint64_t> taken_bytes();
  /// Makes the last commit visible to readers where its writer was killed after the commit and before it could say so:
  /// LMDB leaves that to the next writer, and until then readers see the state before.
  [[nodiscard]] Status settle();
  [[nodiscard]] Status forget_dead_readers() { return environment_->forget_dead_readers(); }
  [[nodiscard]] const std::string& shown() const noexcept { return environment_->shown(); }

 private:
  [[nodiscard]] Result<bool> is_former();
  [[nodiscard]] Status upgrade();
  [[nodiscard]] Status require_room(Purpose purpose, std::uint64_t bytes);
  [[nodiscard]] Status set_aside(std::uint64_t end);
  explicit Catalog(std::unique_ptr<Environment> environment) noexcept : environment_{std::move(environment)} {}

  std::unique_ptr<Environment> environment_;
  std::atomic<std::uint64_t> limit_bytes_{kLimitBytes};
  std::atomic<std::uint64_t> set_aside_end_{0};  // of the data file, in bytes
};

}  // namespace psnam::nam
