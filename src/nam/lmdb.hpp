// Owned LMDB environments and transactions, and what their failures mean here. The only files that speak LMDB's C
// interface.
//
// An environment belongs to the process that opened it: LMDB keeps process ids in its reader table and POSIX locks on
// its lock file, and neither survives a fork. A child that uses its parent's environment is refused, and it never
// closes it (closing would clear the parent's readers).
#pragma once

#include <lmdb.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace psnam::nam {

using Bytes = std::span<const std::byte>;

inline Bytes bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span{text.data(), text.size()}); }

/// A table of an environment. With `several`, a key has a sorted set of values.
struct TableSpec {
  const char* name;
  bool several;
};

struct Entry {
  Bytes key;
  Bytes value;
};

/// What `rc` of an LMDB call on `file` means.
[[nodiscard]] Error lmdb_error(std::string_view doing, std::string_view file, int rc);

class Environment;

/// A transaction. Aborted unless committed. Spans that get() and the visitors give are valid until the next change or
/// the end. Belongs to one thread.
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept
      : environment_{other.environment_},
        txn_{std::exchange(other.txn_, nullptr)},
        in_queue_{std::exchange(other.in_queue_, false)} {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  [[nodiscard]] Result<std::optional<Bytes>> get(std::size_t table, Bytes key);
  /// Sets the value of `key`; in a table of several values, adds it.
  [[nodiscard]] Status put(std::size_t table, Bytes key, Bytes value);
  /// Removes `key`; with a value, only that one of several. Absent is fine.
  [[nodiscard]] Status erase(std::size_t table, Bytes key, std::optional<Bytes> value = std::nullopt);
  /// All values of `key` in a table of several.
  [[nodiscard]] Result<std::vector<Bytes>> values(std::size_t table, Bytes key);
  /// The first entry whose key is not before `key`.
  [[nodiscard]] Result<std::optional<Entry>> first_from(std::size_t table, Bytes key);
  /// The last entry whose key is not after `key`; not for a table of several values.
  [[nodiscard]] Result<std::optional<Entry>> last_to(std::size_t table, Bytes key);
  /// Calls `visit(key, value)`, which returns a Status, for each entry in key order; it must not change the table.
  template <class Visitor>
  [[nodiscard]] Status each(std::size_t table, Visitor visit);
  [[nodiscard]] Result<std::uint64_t> entries(std::size_t table);
  [[nodiscard]] Status commit();

 private:
  friend class Environment;
  Transaction(Environment& environment, MDB_txn* txn, bool in_queue) noexcept
      : environment_{&environment}, txn_{txn}, in_queue_{in_queue} {}
  void leave_queue() noexcept;
  [[nodiscard]] Error error(std::string_view doing, int rc) const;
  [[nodiscard]] MDB_dbi table_handle(std::size_t table) const noexcept;

  class Cursor {
   public:
    explicit Cursor(Transaction& transaction) noexcept : transaction_{transaction} {}
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    ~Cursor();
    [[nodiscard]] Status open(std::size_t table);
    [[nodiscard]] Status open_handle(MDB_dbi handle);
    /// False at the end.
    [[nodiscard]] Result<bool> move(MDB_cursor_op where, Bytes& key, Bytes& value);

   private:
    Transaction& transaction_;
    MDB_cursor* cursor_ = nullptr;
  };

  Environment* environment_;
  MDB_txn* txn_;
  bool in_queue_;  ///< of the writers
};

struct EnvironmentOptions {
  std::string path;   ///< where it is opened
  std::string shown;  ///< what messages call it
  std::span<const TableSpec> tables;
  bool locking = true;                           ///< false only for a file that nobody else can see
  bool durable = true;                           ///< commits reach the disk
  std::size_t map_bytes = std::size_t{1} << 30;  ///< the most that the file can have
};

/// Thread-safe.
class Environment {
 public:
  static constexpr unsigned kReaders = 1024;
  /// Enough for a lock file of kReaders with room to spare.
  static constexpr std::size_t kLockFileBytes = 128 << 10;
  static constexpr std::size_t kMaxTables = 14;

  /// Opens, or makes, the file and its tables. Tables that are missing are made only with `make_tables`. A table is
  /// named by its place among all that were opened.
  static Result<std::unique_ptr<Environment>> open(const EnvironmentOptions& options, bool make_tables);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment();

  /// Opens more tables of a file that is there, or makes them; before any thread uses it.
  [[nodiscard]] Status open_more(std::span<const TableSpec> tables, bool make) { return open_tables(tables, make); }

  [[nodiscard]] Result<Transaction> begin_read() { return begin(MDB_RDONLY); }
  /// Waits for other writers of all processes. A thread must not begin a second one.
  [[nodiscard]] Result<Transaction> begin_write() { return begin(0); }
  /// Frees the reader slots of dead processes, which would keep old pages from being used again.
  [[nodiscard]] Status forget_dead_readers();

  [[nodiscard]] const std::string& shown() const noexcept { return shown_; }
  /// The data file; owned by LMDB.
  [[nodiscard]] Result<int> descriptor() const;
  /// Bytes of the data file that hold pages, or held some once.
  [[nodiscard]] Result<std::uint64_t> used_bytes() const;
  /// Those of them that may be written again; looks at all of them.
  [[nodiscard]] Result<std::uint64_t> free_bytes();

 private:
  friend class Transaction;
  explicit Environment(std::string shown);
  [[nodiscard]] Result<Transaction> begin(unsigned flags);
  /// Writers of all processes line up at a lock that the system itself gives on when its holder dies. At LMDB's own
  /// mutex a waiter was seen to sleep on for good, when the holder and another waiter were killed at the same moment.
  [[nodiscard]] Status queue_up();
  void leave_queue() noexcept;
  [[nodiscard]] Status open_tables(std::span<const TableSpec> tables, bool make);
  [[nodiscard]] Status set_up(const EnvironmentOptions& options, bool make_tables);

  std::string shown_;
  pid_t process_;
  bool queues_ = true;  ///< false for a file that nobody else can see
  MDB_env* env_ = nullptr;
  std::array<MDB_dbi, kMaxTables> tables_{};
  std::size_t open_tables_ = 0;
};

template <class Visitor>
Status Transaction::each(std::size_t table, Visitor visit) {
  Cursor cursor{*this};
  PSNAM_CHECK(cursor.open(table));
  Bytes key;
  Bytes value;
  PSNAM_TRY(bool more, cursor.move(MDB_FIRST, key, value));
  while (more) {
    PSNAM_CHECK(visit(key, value));
    PSNAM_TRY(more, cursor.move(MDB_NEXT, key, value));
  }
  return {};
}

}  // namespace psnam::nam
