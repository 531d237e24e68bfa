// The store itself: a folder of one user on one node, with the catalog (LMDB) and one file for each allocation. It is
// embedded in the processes that use it, or one server has it for itself and works for the sessions of many users and
// hosts: then each request is decided as its caller (as()), and sessions take the place of processes (StoreOptions::
// serving).
//
//   DIR/            mode 0700        DIR/catalog.mdb, DIR/catalog.mdb-lock
//   DIR/memory/ID   one allocation, ID as 16 hexadecimal digits
//   DIR/control/ID  shared page of a use, ID likewise; gone when all processes have mapped it
//   DIR/locks/ID    page of the locks of a window, ID that of the window; made when somebody needs it first
//   DIR/notifications/ID  page of the notifications of an allocation, likewise
//   DIR/serving     who has the folder: nam/serving.hpp
//
// Order of steps, so that a process killed anywhere leaves no file without a record and no found window without its
// memory: record, then file; name away, then file away, then record away.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "nam/access.hpp"
#include "nam/accounts.hpp"
#include "nam/identity.hpp"
#include "nam/placement.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

struct StoreOptions {
  std::filesystem::path folder;
  std::uint64_t capacity_bytes = 0;     ///< 0: kDefaultCapacityPercent of the file system, set when the store is made
  bool create = true;                   ///< else a missing store is Code::name_not_found and nothing is made
  std::optional<Serving> serving = {};  ///< for a server: the folder is its own then
  Placement placement = {};             ///< Code::unsupported for a durable one in memory
};

/// A use, and the window or the free-standing allocation that is used.
struct UsedObject {
  format::UseRecord use;
  std::optional<format::WindowRecord> window;
  std::optional<format::AllocationRecord> allocation;  ///< if it is no window
};

/// Whether bytes of the file of `root_id` are memory of the window, in this store.
[[nodiscard]] bool covers(const format::WindowRecord& window, std::uint64_t root_id, std::uint64_t offset_bytes,
                          std::uint64_t bytes);
[[nodiscard]] bool covers(const format::AllocationRecord& allocation, std::uint64_t root_id, std::uint64_t offset_bytes,
                          std::uint64_t bytes) noexcept;

inline constexpr unsigned kDefaultCapacityPercent = 80;

/// A store among the NAMs of a manager: of index 0 it is the manager.
struct NamPlace {
  std::uint32_t index = 0;
  format::Uuid manager;         ///< of its store
  std::string manager_address;  ///< empty for index 0
};

/// What the home of a window says of it to those that have a part of it.
enum class WindowFate : std::uint8_t { gone, undecided, kept };

class Store final : public Service {
 public:
  /// Opens, or makes, the store, refuses a folder of another user or with a mode that lets others in (Code::access) and
  /// one on a network file system (Code::unsupported), and releases what dead processes left. One Store for a folder in
  /// a process. Code::busy if a server has the folder, or, for a server, anybody.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  ~Store() override;

  /// The same store, open as long as one of them is, which decides all that it is asked as `caller`; without it that is
  /// this process. It has no rights of this process then: what is not the caller's by mode or ownership is
  /// Code::access, and what he may not read is not listed. A caller with a session names sessions that live as users,
  /// and ends, and asks for, only uses that his session is in. What is asked of memory is held against the catalog: see
  /// open_range().
  [[nodiscard]] std::unique_ptr<Store> as(Caller caller) const;

  /// For a server, when a session has ended: ends the uses that it was in, as far as none of their sessions lives.
  /// Looks at no others.
  Result<Collected> end_session(std::uint64_t session);
  /// Of `uses`, ends those whose processes and sessions have all ended.
  Result<Collected> end_uses(std::span<const std::uint64_t> uses);
  /// Code::name_not_found.
  Result<UsedObject> object_of_use(std::uint64_t use_id);

  /// From now on, for what is made; Code::access unless the caller administers the store. Limits are of this Store and
  /// all that as() gives, not of the folder; only the capacity is kept there.
  Status set_limits(Limits limits);
  /// What users have here; of others than himself, only an administrator learns it.
  Result<std::vector<format::UserRecord>> users();

  /// The stores that have joined this one. One that joins again keeps its index. Code::access unless the caller
  /// administers the store, but for looking.
  Result<std::vector<format::NamRecord>> joined();
  Result<format::NamRecord> join(const format::Uuid& joining, std::string address);
  /// Its index is not given again. Code::name_not_found.
  Status forget_joined(std::uint32_t index);
  /// What this store is among the NAMs; nothing if it was never served, or nothing was ever in it.
  Result<std::optional<NamPlace>> nam_place();
  /// For a server, before it serves: from now on this store is the NAM `place`, and gives the ids of that one only.
  /// Code::incompatible if it has been another one, whose ids it has given.
  Status serve_as(const NamPlace& place);
  /// What is known here of windows that have parts in other NAMs.
  Result<std::vector<WindowFate>> fates_of(std::span<const format::Uuid> windows);
  /// Windows that are found here, that nobody who lives uses here, and whose home is the store `home`.
  Result<std::vector<format::WindowRecord>> idle_parts_of(const format::Uuid& home);

  /// What a client on this host maps for itself: the files of create_memory() and open_range(), create_control() and
  /// open_control(), open_locks(), open_notifications(), with the same conditions. A descriptor for reading does not
  /// let its holder write, whatever he does with it, unless he is the user of the store or user 0.
  Result<Fd> memory_descriptor(std::uint64_t root_id, Protection protection);
  Result<Fd> control_descriptor(std::uint64_t use_id, std::uint64_t bytes, bool create);
  Result<Fd> locks_descriptor(std::uint64_t window_id, std::uint32_t ranks);
  Result<Fd> notifications_descriptor(std::uint64_t allocation_id);

  Result<WindowUse> create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                           std::span<const format::ProcessIdentity> users) override;
  Result<std::string> set_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt) override;
  Result<format::WindowRecord> find(std::string_view name) override;
  Result<WindowUse> open(std::string_view name, AccessRight right,
                         std::span<const format::ProcessIdentity> users) override;
  Result<format::WindowRecord> get(std::uint64_t window_id) override;
  Result<std::uint64_t> duplicate(std::uint64_t use_id) override;
  /// It is never lost.
  [[nodiscard]] std::shared_ptr<const void> share(std::uint64_t, AccessRight) override { return nullptr; }
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

  /// As a caller (as()): of his own allocation, with the size and the reserve that it was recorded with.
  Result<Memory> create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) override;
  /// As a caller (as()): if the mode of the whole root gives him the right. Whoever has a part of it in use, but not
  /// the root, is for the server to judge, by object_of_use() and covers().
  Result<Memory> open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                            Protection protection) override;
  Status reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) override;
  Status persist(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) override;
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
  /// Itself, with the index that it has served as.
  Result<std::vector<NamReport>> nams() override;
  Result<Findings> check() override;

 private:
  struct Impl;
  explicit Store(std::shared_ptr<Impl> impl, std::optional<Caller> caller = {});
  [[nodiscard]] Result<Rights> rights() const;
  /// For a caller of as(): Code::access unless he may ask for this use; Code::name_not_found if there is none.
  [[nodiscard]] Result<format::UseRecord> own_use(std::uint64_t use_id) const;
  [[nodiscard]] Status require_created(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) const;
  [[nodiscard]] Status require_root(std::uint64_t root_id, AccessRight right) const;
  [[nodiscard]] Status require_control(std::uint64_t use_id, std::uint64_t bytes) const;
  [[nodiscard]] Status require_locks(std::uint64_t window_id, std::uint32_t ranks);
  [[nodiscard]] Status require_notifications(std::uint64_t allocation_id);

  std::shared_ptr<Impl> impl_;
  std::optional<Caller> caller_;
};

/// The calling process.
[[nodiscard]] Result<format::ProcessIdentity> this_process(std::uint32_t rank);
[[nodiscard]] Result<format::Uuid> this_boot();
/// False only if it is certain that the process has ended (a zombie has).
[[nodiscard]] bool may_be_alive(const format::ProcessIdentity& process, const format::Uuid& boot);
/// `folder` if not empty, else `/dev/shm/psnam-<uid>`.
[[nodiscard]] std::filesystem::path store_folder(std::string_view folder);

}  // namespace psnam::nam
