// The embedded store: a folder of one user on one node, with the catalog (LMDB) and one file for each allocation.
//
//   DIR/            mode 0700        DIR/catalog.mdb, DIR/catalog.mdb-lock
//   DIR/memory/ID   one allocation, ID as 16 hexadecimal digits
//   DIR/control/ID  shared page of a use, ID likewise; gone when all processes have mapped it
//   DIR/locks/ID    page of the locks of a window, ID that of the window; made when somebody needs it first
//   DIR/notifications/ID  page of the notifications of an allocation, likewise
//
// Order of steps, so that a process killed anywhere leaves no file without a record and no found window without its
// memory: record, then file; name away, then file away, then record away.
#pragma once

#include <filesystem>
#include <memory>

#include "nam/service.hpp"

namespace psnam::nam {

struct StoreOptions {
  std::filesystem::path folder;
  std::uint64_t capacity_bytes = 0;  ///< 0: kDefaultCapacityPercent of the file system, set when the store is made
  bool create = true;                ///< else a missing store is Code::name_not_found and nothing is made
};

inline constexpr unsigned kDefaultCapacityPercent = 80;

class Store final : public Service {
 public:
  /// Opens, or makes, the store, refuses a folder of another user or with a mode that lets others in (Code::access) and
  /// one on a network file system (Code::unsupported), and releases what dead processes left. One Store for a folder in
  /// a process.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  ~Store() override;

  Result<WindowUse> create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                           std::span<const format::ProcessIdentity> users) override;
  Result<std::string> set_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt) override;
  Result<format::WindowRecord> find(std::string_view name) override;
  Result<WindowUse> open(std::string_view name, AccessRight right,
                         std::span<const format::ProcessIdentity> users) override;
  Result<format::WindowRecord> get(std::uint64_t window_id) override;
  Result<std::uint64_t> duplicate(std::uint64_t use_id) override;
  Status close(std::uint64_t use_id) override;

  Result<AllocationUse> allocate(const AllocationRequest& request,
                                 std::span<const format::ProcessIdentity> users) override;
  Status set_allocation_consistency(std::uint64_t id, format::Consistency consistency) override;
  Result<AllocationUse> open_allocation(std::uint64_t id, std::optional<std::uint64_t> challenge, AccessRight right,
                                        std::span<const format::ProcessIdentity> users) override;
  Result<format::AllocationRecord> find_allocation(std::uint64_t id) override;
  Result<format::AllocationRecord> find_allocation(std::string_view name) override;
  Result<bool> free_allocation(std::uint64_t id, bool recursive) override;
  Result<std::vector<AllocationReport>> allocations() override;

  Status publish(std::string_view service, std::string_view port_name) override;
  Result<std::string> lookup(std::string_view service) override;
  Status unpublish(std::string_view service, std::string_view port_name) override;

  Result<Memory> create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) override;
  Result<Memory> open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                            Protection protection) override;
  Status reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) override;
  [[nodiscard]] bool maps() const noexcept override { return true; }
  Result<Mapping> create_control(std::uint64_t use_id, std::uint64_t bytes) override;
  Result<Mapping> open_control(std::uint64_t use_id, std::uint64_t bytes) override;
  Status drop_control(std::uint64_t use_id) override;
  Result<Mapping> open_locks(std::uint64_t window_id, std::uint32_t ranks) override;

  Result<std::unique_ptr<WindowAgent>> open_agent(std::uint64_t window_id) override;
  Result<std::unique_ptr<NotificationQueue>> open_notifications(std::uint64_t allocation_id) override;
  /// The page of the queue that open_notifications() gives, ready for Notifications::over().
  Result<Mapping> notification_page(std::uint64_t allocation_id);

  [[nodiscard]] format::NodeRecord node() const override;
  [[nodiscard]] Result<format::ProcessIdentity> user(std::uint32_t rank) override;
  Result<std::uint64_t> count_users(std::uint64_t object_id) override;

  Result<StoreSummary> summary() override;
  Result<std::vector<WindowReport>> list() override;
  Result<bool> remove(std::string_view name) override;
  Status set_capacity(std::uint64_t bytes) override;
  Result<Collected> collect() override;
  [[nodiscard]] Collected released_at_open() const override;
  Result<Findings> check() override;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The calling process.
[[nodiscard]] Result<format::ProcessIdentity> this_process(std::uint32_t rank);
[[nodiscard]] Result<format::Uuid> this_boot();
/// False only if it is certain that the process has ended (a zombie has).
[[nodiscard]] bool may_be_alive(const format::ProcessIdentity& process, const format::Uuid& boot);
/// `folder` if not empty, else `/dev/shm/psnam-<uid>`.
[[nodiscard]] std::filesystem::path store_folder(std::string_view folder);

}  // namespace psnam::nam
