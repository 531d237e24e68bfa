#include "nam/store.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>

#include "base/log.hpp"
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

Store::Store(std::shared_ptr<Impl> impl, std::optional<Caller> caller)
    : impl_{std::move(impl)}, caller_{std::move(caller)} {}
Store::~Store() = default;

Status Store::Impl::open_files(const StoreOptions& options) {
  PSNAM_TRY(const bool there, Catalog::exists(folder));
  if (!there && !options.create)
    return Error{Code::name_not_found, fmt::format("there is no NAM store in {}", folder.path().string())};
  if (options.placement.durable && folder.in_memory())
    return Error{Code::unsupported, fmt::format("the store {} is in memory, which no reboot survives; a durable store "
                                                "needs a folder on a disk",
                                                folder.path().string())};
  PSNAM_TRY(lock, options.serving ? ServingLock::own(folder, options.serving->address) : ServingLock::share(folder));
  PSNAM_TRY(const FolderLock making, FolderLock::take(folder));
  PSNAM_TRY(memory, FileArea::open(folder.path(), folder.fd(), "memory", true));
  memory.set_placement(options.placement);
  PSNAM_TRY(control, FileArea::open(folder.path(), folder.fd(), "control", true));
  PSNAM_TRY(locks, FileArea::open(folder.path(), folder.fd(), "locks", true));
  PSNAM_TRY(notifications, FileArea::open(folder.path(), folder.fd(), "notifications", true));
  PSNAM_CHECK(make_if_missing(folder, options.capacity_bytes));
  PSNAM_TRY(catalog, Catalog::open(folder));
  return {};
}

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  auto impl = std::make_shared<Impl>();
  PSNAM_TRY(impl->folder, Folder::open(options.folder, options.create));
  impl->uid = ::geteuid();  // which is the folder's, or it would not have been opened
  impl->serving = options.serving;
  PSNAM_CHECK(impl->open_files(options));
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

std::unique_ptr<Store> Store::as(Caller caller) const {
  return std::unique_ptr<Store>{new Store{impl_, std::move(caller)}};
}

Result<Rights> Store::rights() const {
  if (caller_) return Rights{*caller_, impl_->uid};
  PSNAM_TRY(Caller caller, this_caller());
  return Rights{std::move(caller), impl_->uid};
}

format::NodeRecord Store::node() const {
  return {.store = impl_->identity.store, .host = impl_->identity.host, .path = impl_->folder.path().string()};
}

Collected Store::released_at_open() const { return impl_->released_at_open; }

Result<StoreSummary> Store::summary() {
  PSNAM_TRY(const FileSystemRoom room, impl_->folder.room());
  PSNAM_TRY(const std::uint64_t catalog_bytes, impl_->catalog->taken_bytes());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(const format::StoreRecord record, transaction.store());
  StoreSummary summary;
  summary.catalog_bytes = catalog_bytes;
  summary.catalog_limit_bytes = impl_->catalog->limit_bytes();
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

Status Store::Impl::set_capacity(std::uint64_t bytes) {
  PSNAM_TRY(const FileSystemRoom room, folder.room());
  if (bytes == 0 || bytes > room.total_bytes)
    return Error{Code::invalid_argument,
                 fmt::format("a capacity of {} bytes: the file system of {} has {}, the capacity is between 1 and that",
                             bytes, folder.path().string(), room.total_bytes)};
  PSNAM_TRY(CatalogTransaction transaction, catalog->write(Purpose::removal));
  PSNAM_TRY(format::StoreRecord record, transaction.store());
  record.capacity_bytes = bytes;
  PSNAM_CHECK(transaction.put(record));
  return transaction.commit();
}

Status Store::set_capacity(std::uint64_t bytes) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("set the capacity of", impl_->folder.path().string()));
  return impl_->set_capacity(bytes);
}

Status Store::set_limits(Limits limits) {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("set limits for", impl_->folder.path().string()));
  PSNAM_CHECK(impl_->catalog->set_limit(limits.catalog_bytes.value_or(Catalog::kLimitBytes)));
  if (limits.capacity_bytes != 0) PSNAM_CHECK(impl_->set_capacity(limits.capacity_bytes));
  auto next = std::make_shared<const Limits>(std::move(limits));
  const std::lock_guard guard{impl_->limits_mutex};
  impl_->current_limits.swap(next);
  return {};
}

Result<std::vector<format::UserRecord>> Store::users() {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto users, transaction.users());
  if (!rights.administers()) std::erase_if(users, [&](const auto& user) { return user.uid != rights.caller().uid; });
  return users;
}

Result<std::vector<WindowReport>> Store::list() {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto windows, transaction.windows());
  std::vector<WindowReport> reports;
  reports.reserve(windows.size());
  for (auto& window : windows) {
    if (!rights.may_see(window)) continue;
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

Result<format::ProcessIdentity> Store::user(std::uint32_t rank) {
  if (!caller_ || caller_->session == 0) return this_process(rank);
  return session_user(caller_->pid, rank, caller_->session);
}

}  // namespace psnam::nam
