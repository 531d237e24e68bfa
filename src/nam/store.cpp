#include "nam/store.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "base/log.hpp"
#include "format/lock_page.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

Result<std::string> host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return system_error("asking for the host's name", errno);
  return std::string{buffer.data()};
}

/// Has a catalog made where there is none. The caller holds the folder's lock.
Status make_if_missing(const Folder& folder, std::uint64_t capacity_bytes) {
  PSNAM_TRY(const bool there, Catalog::exists(folder));
  if (there) return {};
  PSNAM_TRY(const FileSystemRoom room, folder.room());
  PSNAM_TRY(std::string host, host_name());
  format::StoreRecord record;
  record.store = format::random_uuid();
  record.capacity_bytes = capacity_bytes != 0 ? capacity_bytes : room.total_bytes / 100 * kDefaultCapacityPercent;
  record.created_unix_seconds = static_cast<std::uint64_t>(std::time(nullptr));
  record.host = std::move(host);
  return Catalog::make(folder, record);
}

}  // namespace

std::filesystem::path store_folder(std::string_view folder) {
  if (!folder.empty()) return folder;
  return fmt::format("/dev/shm/psnam-{}", ::geteuid());
}

Store::Store(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  auto impl = std::make_unique<Impl>();
  PSNAM_TRY(impl->folder, Folder::open(options.folder, options.create));
  PSNAM_TRY(const bool there, Catalog::exists(impl->folder));
  if (!there && !options.create)
    return Error{Code::name_not_found, fmt::format("there is no NAM store in {}", impl->folder.path().string())};
  {
    PSNAM_TRY(const FolderLock lock, FolderLock::take(impl->folder));
    PSNAM_TRY(impl->memory, FileArea::open(impl->folder.path(), impl->folder.fd(), "memory", true));
    PSNAM_TRY(impl->control, FileArea::open(impl->folder.path(), impl->folder.fd(), "control", true));
    PSNAM_TRY(impl->locks, FileArea::open(impl->folder.path(), impl->folder.fd(), "locks", true));
    PSNAM_TRY(impl->notifications, FileArea::open(impl->folder.path(), impl->folder.fd(), "notifications", true));
    PSNAM_CHECK(make_if_missing(impl->folder, options.capacity_bytes));
    PSNAM_TRY(impl->catalog, Catalog::open(impl->folder));
  }
  {
    PSNAM_TRY(CatalogTransaction transaction, impl->catalog->read());
    PSNAM_TRY(impl->identity, transaction.store());
  }
  PSNAM_TRY(impl->boot, this_boot());
  PSNAM_TRY(impl->pid_namespace, this_pid_namespace());
  PSNAM_CHECK(impl->catalog->forget_dead_readers());
  auto collected = impl->collect();
  // A store too full to be tidied can be read, and what is in it removed.
  if (!collected && collected.error().code != Code::no_memory) return collected.take_error();
  if (collected)
    impl->released_at_open = *collected;
  else
    log::warn("what dead processes left in {} stays: {}", impl->folder.path().string(), collected.error().message);
  return std::unique_ptr<Store>{new Store{std::move(impl)}};
}

format::NodeRecord Store::node() const {
  return {.store = impl_->identity.store, .host = impl_->identity.host, .path = impl_->folder.path().string()};
}

Collected Store::released_at_open() const { return impl_->released_at_open; }

Result<StoreSummary> Store::summary() {
  PSNAM_TRY(const FileSystemRoom room, impl_->folder.room());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const format::StoreRecord record, transaction.store());
  StoreSummary summary;
  summary.id = record.store;
  summary.host = record.host;
  summary.folder = impl_->folder.path();
  summary.capacity_bytes = record.capacity_bytes;
  summary.reserved_bytes = record.reserved_bytes;
  summary.file_system_bytes = room.total_bytes;
  summary.file_system_free_bytes = room.free_bytes;
  PSNAM_TRY(summary.windows, transaction.entries(Table::windows));
  PSNAM_TRY(summary.allocations, transaction.entries(Table::allocations));
  PSNAM_TRY(summary.uses, transaction.entries(Table::uses));
  PSNAM_TRY(summary.services, transaction.entries(Table::services));
  return summary;
}

Status Store::set_capacity(std::uint64_t bytes) {
  PSNAM_TRY(const FileSystemRoom room, impl_->folder.room());
  if (bytes == 0 || bytes > room.total_bytes)
    return Error{Code::invalid_argument,
                 fmt::format("a capacity of {} bytes: the file system of {} has {}, the capacity is between 1 and that",
                             bytes, impl_->folder.path().string(), room.total_bytes)};
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write());
  PSNAM_TRY(format::StoreRecord record, transaction.store());
  record.capacity_bytes = bytes;
  PSNAM_CHECK(transaction.put(record));
  return transaction.commit();
}

Result<std::vector<WindowReport>> Store::list() {
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto windows, transaction.windows());
  std::vector<WindowReport> reports;
  reports.reserve(windows.size());
  for (auto& window : windows) {
    WindowReport report{.window = std::move(window), .uses = {}, .services = {}};
    PSNAM_TRY(const auto uses, transaction.uses_of(report.window.id));
    for (const std::uint64_t id : uses) {
      PSNAM_TRY(auto use, transaction.use(id));
      if (use) report.uses.push_back(std::move(*use));
    }
    PSNAM_TRY(report.services, transaction.services_of(report.window.id));
    reports.push_back(std::move(report));
  }
  return reports;
}

Result<Memory> Store::create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) {
  PSNAM_TRY(Mapping mapping, impl_->memory.create(allocation_id, bytes, reserve));
  return Memory{.mapping = std::move(mapping), .remote = nullptr};
}

Result<Memory> Store::open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                                 Protection protection) {
  PSNAM_TRY(Mapping mapping, impl_->memory.map(root_id, offset_bytes, bytes, protection));
  return Memory{.mapping = std::move(mapping), .remote = nullptr};
}

Status Store::reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) {
  return impl_->memory.reserve(root_id, offset_bytes, bytes);
}

Result<Mapping> Store::create_control(std::uint64_t use_id, std::uint64_t bytes) {
  return impl_->control.create(use_id, bytes, format::Reserve::full);
}

Result<Mapping> Store::open_control(std::uint64_t use_id, std::uint64_t bytes) {
  return impl_->control.map(use_id, 0, bytes, Protection::read_write);
}

Result<Mapping> Store::open_locks(std::uint64_t window_id, std::uint32_t ranks) {
  return impl_->locks.share(window_id, format::LockShape::of(ranks).bytes());
}

Result<std::unique_ptr<WindowAgent>> Store::open_agent(std::uint64_t window_id) {
  return Error{Code::unsupported, fmt::format("the store {} is mapped here: nobody acts for this process on window {}",
                                              impl_->folder.path().string(), window_id)};
}

Result<format::ProcessIdentity> Store::user(std::uint32_t rank) { return this_process(rank); }

Status Store::drop_control(std::uint64_t use_id) { return impl_->control.remove(use_id); }

}  // namespace psnam::nam
