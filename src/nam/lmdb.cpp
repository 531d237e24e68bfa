#include "nam/lmdb.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/system.hpp"

namespace psnam::nam {
namespace {

MDB_val value_of(Bytes bytes) noexcept {
  // LMDB's interface has no const; it does not write through keys and values that it is given.
  return {bytes.size(), const_cast<std::byte*>(bytes.data())};
}

Bytes span_of(const MDB_val& value) noexcept { return {static_cast<const std::byte*>(value.mv_data), value.mv_size}; }

}  // namespace

Error lmdb_error(std::string_view doing, std::string_view file, int rc) {
  const auto message = [&](std::string_view what) { return fmt::format("{}: {}: {}", file, doing, what); };
  switch (rc) {
    case MDB_MAP_FULL:
      return Error{Code::no_memory, message("the catalog is full")};
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
      return Error{Code::no_memory, message(::mdb_strerror(rc))};
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
    case MDB_NOTFOUND:
      return Error{Code::corrupt, message(::mdb_strerror(rc))};
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_MAP_RESIZED:
      return Error{Code::incompatible, message(::mdb_strerror(rc))};
    default:
      // A failed write on a full file system, a damaged disk, a missing file: the system's own numbers are positive.
      if (rc > 0) return system_error(fmt::format("{}: {}", file, doing), rc);
      return Error{Code::system, message(::mdb_strerror(rc))};
  }
}

Transaction::~Transaction() {
  if (environment_->process_ != ::getpid()) return;
  if (txn_ != nullptr) ::mdb_txn_abort(txn_);
  leave_queue();
}

void Transaction::leave_queue() noexcept {
  if (std::exchange(in_queue_, false)) environment_->leave_queue();
}

Error Transaction::error(std::string_view doing, int rc) const { return lmdb_error(doing, environment_->shown_, rc); }

MDB_dbi Transaction::table_handle(std::size_t table) const noexcept { return environment_->tables_[table]; }

Result<std::optional<Bytes>> Transaction::get(std::size_t table, Bytes key) {
  MDB_val wanted = value_of(key);
  MDB_val found{};
  const int rc = ::mdb_get(txn_, table_handle(table), &wanted, &found);
  if (rc == MDB_NOTFOUND) return std::optional<Bytes>{};
  if (rc != MDB_SUCCESS) return error("reading a record", rc);
  return std::optional{span_of(found)};
}

Status Transaction::put(std::size_t table, Bytes key, Bytes value) {
  MDB_val at = value_of(key);
  MDB_val data = value_of(value);
  const int rc = ::mdb_put(txn_, table_handle(table), &at, &data, 0);
  if (rc != MDB_SUCCESS) return error("writing a record", rc);
  return {};
}

Status Transaction::erase(std::size_t table, Bytes key, std::optional<Bytes> value) {
  MDB_val at = value_of(key);
  MDB_val data = value_of(value.value_or(Bytes{}));
  const int rc = ::mdb_del(txn_, table_handle(table), &at, value ? &data : nullptr);
  if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) return error("removing a record", rc);
  return {};
}

Result<std::vector<Bytes>> Transaction::values(std::size_t table, Bytes key) {
  Cursor cursor{*this};
  PSNAM_CHECK(cursor.open(table));
  std::vector<Bytes> found;
  Bytes value;
  PSNAM_TRY(bool more, cursor.move(MDB_SET, key, value));
  while (more) {
    // MDB_SET alone gives the key; the value is asked for in the same way as the following ones.
    PSNAM_TRY(more, cursor.move(found.empty() ? MDB_FIRST_DUP : MDB_NEXT_DUP, key, value));
    if (more) found.push_back(value);
  }
  return found;
}

Result<std::optional<Entry>> Transaction::first_from(std::size_t table, Bytes key) {
  Cursor cursor{*this};
  PSNAM_CHECK(cursor.open(table));
  Entry entry{.key = key, .value = {}};
  PSNAM_TRY(const bool found, cursor.move(MDB_SET_RANGE, entry.key, entry.value));
  return found ? std::optional{entry} : std::nullopt;
}

Result<std::optional<Entry>> Transaction::last_to(std::size_t table, Bytes key) {
  Cursor cursor{*this};
  PSNAM_CHECK(cursor.open(table));
  Entry entry{.key = key, .value = {}};
  PSNAM_TRY(bool found, cursor.move(MDB_SET_RANGE, entry.key, entry.value));
  if (found && std::equal(entry.key.begin(), entry.key.end(), key.begin(), key.end())) return std::optional{entry};
  PSNAM_TRY(found, cursor.move(found ? MDB_PREV : MDB_LAST, entry.key, entry.value));
  return found ? std::optional{entry} : std::nullopt;
}

Result<std::uint64_t> Transaction::entries(std::size_t table) {
  MDB_stat stat{};
  const int rc = ::mdb_stat(txn_, table_handle(table), &stat);
  if (rc != MDB_SUCCESS) return error("counting records", rc);
  return std::uint64_t{stat.ms_entries};
}

Status Transaction::commit() {
  const int rc = ::mdb_txn_commit(std::exchange(txn_, nullptr));
  leave_queue();
  if (rc != MDB_SUCCESS) return error("committing", rc);
  return {};
}

Transaction::Cursor::~Cursor() {
  if (cursor_ != nullptr) ::mdb_cursor_close(cursor_);
}

Status Transaction::Cursor::open(std::size_t table) { return open_handle(transaction_.table_handle(table)); }

Status Transaction::Cursor::open_handle(MDB_dbi handle) {
  const int rc = ::mdb_cursor_open(transaction_.txn_, handle, &cursor_);
  if (rc != MDB_SUCCESS) return transaction_.error("opening a cursor", rc);
  return {};
}

Result<bool> Transaction::Cursor::move(MDB_cursor_op where, Bytes& key, Bytes& value) {
  MDB_val at = value_of(key);
  MDB_val data{};
  const int rc = ::mdb_cursor_get(cursor_, &at, &data, where);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != MDB_SUCCESS) return transaction_.error("reading records", rc);
  // FIRST_DUP and NEXT_DUP leave the key alone.
  if (where != MDB_FIRST_DUP && where != MDB_NEXT_DUP && where != MDB_SET) key = span_of(at);
  value = span_of(data);
  return true;
}

Environment::Environment(std::string shown) : shown_{std::move(shown)}, process_{::getpid()} {}

Environment::~Environment() {
  if (env_ != nullptr && process_ == ::getpid()) ::mdb_env_close(env_);
}

Result<std::unique_ptr<Environment>> Environment::open(const EnvironmentOptions& options, bool make_tables) {
  std::unique_ptr<Environment> environment{new Environment{options.shown}};
  PSNAM_CHECK(environment->set_up(options, make_tables));
  return environment;
}

Status Environment::set_up(const EnvironmentOptions& options, bool make_tables) {
  if (const int rc = ::mdb_env_create(&env_); rc != MDB_SUCCESS) return lmdb_error("opening", shown_, rc);
  int rc = ::mdb_env_set_mapsize(env_, options.map_bytes);
  if (rc == MDB_SUCCESS) rc = ::mdb_env_set_maxreaders(env_, kReaders);
  if (rc == MDB_SUCCESS) rc = ::mdb_env_set_maxdbs(env_, kMaxTables);
  if (rc != MDB_SUCCESS) return lmdb_error("setting limits", shown_, rc);
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
  queues_ = options.locking;
  if (!options.locking) flags |= MDB_NOLOCK;
  if (!options.durable) flags |= MDB_NOSYNC;
  rc = ::mdb_env_open(env_, options.path.c_str(), flags, 0600);
  if (rc != MDB_SUCCESS) return lmdb_error("opening", shown_, rc);
  PSNAM_TRY(const int fd, descriptor());
  // LMDB leaves this descriptor open across exec.
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return system_error(shown_, errno);
  return open_tables(options.tables, make_tables);
}

Status Environment::open_tables(std::span<const TableSpec> tables, bool make) {
  PSNAM_TRY(Transaction transaction, begin(make ? 0U : MDB_RDONLY));
  for (const TableSpec& table : tables) {
    const unsigned flags = (make ? MDB_CREATE : 0U) | (table.several ? MDB_DUPSORT : 0U);
    const int rc = ::mdb_dbi_open(transaction.txn_, table.name, flags, &tables_.at(open_tables_));
    if (rc != MDB_SUCCESS) return lmdb_error(fmt::format("opening the table \"{}\"", table.name), shown_, rc);
    ++open_tables_;
  }
  return transaction.commit();
}

Result<Transaction> Environment::begin(unsigned flags) {
  if (const pid_t here = ::getpid(); here != process_)
    return Error{Code::unsupported, fmt::format("{} was opened by process {}; its child {} has to open it itself",
                                                shown_, process_, here)};
  const bool writes = queues_ && (flags & MDB_RDONLY) == 0;
  if (writes) PSNAM_CHECK(queue_up());
  MDB_txn* txn = nullptr;
  int rc = ::mdb_txn_begin(env_, nullptr, flags, &txn);
  if (rc == MDB_READERS_FULL) {
    PSNAM_CHECK(forget_dead_readers());
    rc = ::mdb_txn_begin(env_, nullptr, flags, &txn);
  }
  if (rc != MDB_SUCCESS) {
    if (writes) leave_queue();
    return lmdb_error("beginning a transaction", shown_, rc);
  }
  return Transaction{*this, txn, writes};
}

Status Environment::queue_up() {
  PSNAM_TRY(const int fd, descriptor());
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  while (::fcntl(fd, F_SETLKW, &whole) != 0)
    if (errno != EINTR) return system_error(fmt::format("{}: waiting for other writers", shown_), errno);
  return {};
}

void Environment::leave_queue() noexcept {
  const auto fd = descriptor();
  struct flock whole {};
  whole.l_type = F_UNLCK;
  whole.l_whence = SEEK_SET;
  if (fd) static_cast<void>(::fcntl(*fd, F_SETLK, &whole));
}

Status Environment::forget_dead_readers() {
  int dead = 0;
  const int rc = ::mdb_reader_check(env_, &dead);
  if (rc != MDB_SUCCESS) return lmdb_error("looking for dead readers", shown_, rc);
  return {};
}

Result<int> Environment::descriptor() const {
  int fd = -1;
  const int rc = ::mdb_env_get_fd(env_, &fd);
  if (rc != MDB_SUCCESS) return lmdb_error("asking for the descriptor", shown_, rc);
  return fd;
}

Result<std::uint64_t> Environment::used_bytes() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  int rc = ::mdb_env_info(env_, &info);
  if (rc == MDB_SUCCESS) rc = ::mdb_env_stat(env_, &stat);
  if (rc != MDB_SUCCESS) return lmdb_error("asking for the size", shown_, rc);
  return (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize;
}

Result<std::uint64_t> Environment::free_bytes() {
  // LMDB keeps its free pages in a table of its own, by the transaction that freed them: their number, then their
  // names.
  constexpr MDB_dbi kFreePages = 0;
  MDB_stat stat{};
  if (const int rc = ::mdb_env_stat(env_, &stat); rc != MDB_SUCCESS)
    return lmdb_error("asking for the size", shown_, rc);
  PSNAM_TRY(Transaction transaction, begin_read());
  Transaction::Cursor cursor{transaction};
  PSNAM_CHECK(cursor.open_handle(kFreePages));
  std::uint64_t pages = 0;
  Bytes key;
  Bytes value;
  PSNAM_TRY(bool more, cursor.move(MDB_FIRST, key, value));
  while (more) {
    std::size_t count = 0;
    if (value.size() >= sizeof count) std::memcpy(&count, value.data(), sizeof count);
    pages += count;
    PSNAM_TRY(more, cursor.move(MDB_NEXT, key, value));
  }
  return pages * stat.ms_psize;
}

}  // namespace psnam::nam
