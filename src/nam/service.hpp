// The NAM service: windows, allocations, their memory, their names, and who uses them. Two implementations: nam::Store,
// embedded in the process, and nam::Client, which asks a manager. Knows nothing of MPI: a collective caller lets one
// rank of each node ask and hands on the answers.
//
// Objects with a lifetime are windows and free-standing allocations. Either may be divided into segments, which belong
// to windows and go with them; a segment may be divided again. An object has a child while a segment is cut from its
// memory, or a window refers to it.
//
// Lifetime rule, the only one: an object is released, memory and record, when it is volatile, no live process uses it
// and it has no child. It is born volatile, with a use by the processes that make it; making it persistent is one
// catalog transaction, and the last step of the creation of a persistent one. So whatever dies half-way leaves a
// volatile object without a live user, and the next collect() releases it.
//
// What is persistent lies in persistent memory only: a window in segments of a volatile object cannot be made
// persistent, and an object with children cannot be made volatile or removed (Code::busy).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/remote_memory.hpp"
#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "nam/lock_kind.hpp"
#include "nam/parity_service.hpp"
#include "nam/statistics.hpp"

namespace psnam::backends {
struct IndivisibleRequest;
}

namespace psnam::nam {

/// A window that was just made or is being used: its record and the use to end.
struct WindowUse {
  format::WindowRecord window;
  std::uint64_t use_id = 0;
};

enum class AccessRight { read_only, read_write };

/// Where the memory of a draft allocation of a window comes from. A segment takes no capacity: its parent has.
struct AllocationSource {
  enum class Kind { fresh, existing, segment };
  Kind kind = Kind::fresh;
  std::uint64_t id = 0;  ///< existing: the allocation or segment; segment: the parent
  std::optional<std::uint64_t> offset_bytes =
      {};                              ///< of a segment, in its parent; absent: the next free place is found
  std::uint64_t alignment_bytes = 64;  ///< of a segment without an offset, in the file: a power of two
};

/// Windows. All functions are thread-safe; each is a few catalog transactions.
class WindowService {
 public:
  virtual ~WindowService() = default;

  /// Records a volatile window, its allocations in this store, and its use by `users`. Of `draft`, `id` and the
  /// `allocation_id` of each region are filled in here; regions with the same non-zero draft `allocation_id` share one
  /// allocation whose size is the largest `offset_bytes + size_bytes` among them; those of other stores carry 0. No
  /// memory file exists afterwards: see MemoryStore. A name, when not empty, is checked (Code::name_exists) but not yet
  /// found by find(). Code::no_memory when the capacity does not allow it (after a collect()).
  ///
  /// `sources[i]` says where the memory of draft allocation i+1 comes from; a new file where there is no entry.
  /// - segment: cut from `id`, of the size of the draft allocation. The regions get the root's file and their offset in
  ///   it, the segment as `segment_id`. Explicit offsets are cut first. Without bytes there is no segment, and the
  ///   regions have no memory.
  /// - existing: `id` itself, from its first byte on; its regions get its file and offset, and `id` as `segment_id`. It
  ///   is referred to, not owned, and cannot be freed meanwhile.
  /// The memory file exists already; see MemoryStore::reserve_range() and open_range(). Code::name_not_found for an
  /// unknown `id`, Code::access without the right to write to it, Code::info_value for an offset that is outside the
  /// parent or overlaps a taken part and for an alignment that is none, Code::no_memory when the parent has no free
  /// place of that size, Code::size when an existing allocation is too small. Nothing is changed then.
  virtual Result<WindowUse> create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                                   std::span<const format::ProcessIdentity> users) = 0;

  /// Makes the window persistent (and found by its name) or volatile (and not found any more) and, with `in_doubt`,
  /// leaves the decision to the home node. A window with an empty name gets `psnam-<uuid>`. Code::name_exists when the
  /// name was taken meanwhile; Code::info_value when it is to be persistent and lies in a volatile parent; Code::busy
  /// when it is to be volatile and has children. Returns the name.
  virtual Result<std::string> set_consistency(std::uint64_t window_id, format::Consistency consistency,
                                              bool in_doubt) = 0;

  /// The window called `name`, persistent or in doubt. Code::name_not_found.
  virtual Result<format::WindowRecord> find(std::string_view name) = 0;

  /// The record of a window that the caller has in use. Code::name_not_found.
  virtual Result<format::WindowRecord> get(std::uint64_t window_id) = 0;

  /// Takes the window called `name` into use by `users`, if the calling user may (`mode`, as for a file: Code::access).
  virtual Result<WindowUse> open(std::string_view name, AccessRight right,
                                 std::span<const format::ProcessIdentity> users) = 0;

  /// Another use of the same window by the same processes, to be ended on its own; returns its id.
  virtual Result<std::uint64_t> duplicate(std::uint64_t use_id) = 0;

  /// Of a process that is in a use which another process has taken for both: as long as it keeps what is returned, it
  /// finds the window again after the service was lost, as the other one does.
  [[nodiscard]] virtual std::shared_ptr<const void> share(std::uint64_t window_id, AccessRight right) = 0;

  /// Ends a use; releases the window if it is volatile, this was the last one and it has no child. Idempotent.
  virtual Status close(std::uint64_t use_id) = 0;
};

/// What is asked for by AllocationService::allocate().
struct AllocationRequest {
  std::uint64_t size_bytes = 0;
  format::Reserve reserve = format::Reserve::full;
  format::Consistency consistency = format::Consistency::volatile_;
  format::AllocationKind kind = format::AllocationKind::memory;
  std::uint32_t mode = 0600;
  std::optional<std::uint32_t> uid = {};   ///< the owner, if not the caller; another one is for user 0 only
  std::optional<std::uint32_t> gid = {};   ///< likewise
  std::string name = {};                   ///< may be empty
  std::uint64_t expires_unix_seconds = 0;  ///< 0: never
};

/// An allocation that was just made or is being used, and the use to end.
struct AllocationUse {
  format::AllocationRecord allocation;
  std::uint64_t use_id = 0;
};

/// An allocation, or segment, as an administrator sees it.
struct AllocationReport {
  format::AllocationRecord allocation;
  std::vector<format::UseRecord> uses;           ///< of a free-standing one
  std::vector<std::uint64_t> referring_windows;  ///< windows over it
  std::uint64_t segments = 0;                    ///< cut directly from it
  std::uint64_t taken_bytes = 0;                 ///< by them
  std::uint64_t largest_free_bytes = 0;          ///< in one piece
};

/// Free-standing allocations: memory with a lifetime of its own. All functions are thread-safe.
class AllocationService {
 public:
  virtual ~AllocationService() = default;

  /// Makes an allocation, its memory included, in use by `users`; a persistent one may have none (use_id is 0 then).
  /// It is found by its name only when all is done. Code::no_memory, Code::name_exists, Code::access.
  virtual Result<AllocationUse> allocate(const AllocationRequest& request,
                                         std::span<const format::ProcessIdentity> users) = 0;

  /// Code::busy when it is to be volatile and has children.
  virtual Status set_allocation_consistency(std::uint64_t id, format::Consistency consistency) = 0;

  /// Takes an allocation into use by `users`. Code::access if the calling user may not (`mode`, as for a file) or
  /// `challenge`, when given, is not its own.
  virtual Result<AllocationUse> open_allocation(std::uint64_t id, std::optional<std::uint64_t> challenge,
                                                AccessRight right, std::span<const format::ProcessIdentity> users) = 0;

  /// Any allocation or segment, those of windows too. Code::name_not_found.
  virtual Result<format::AllocationRecord> find_allocation(std::uint64_t id) = 0;
  /// A persistent one, by its name. Code::name_not_found.
  virtual Result<format::AllocationRecord> find_allocation(std::string_view name) = 0;

  /// Removes a free-standing allocation: its name goes at once, its memory when the last job that uses it, or has
  /// something in it, has let go of that. True if it is gone already. With `recursive` the windows in it, and over it,
  /// lose their persistence and their names with it; else Code::busy as long as there are any, naming one. Code::access
  /// for another user's, Code::invalid_argument for one that belongs to a window.
  virtual Result<bool> free_allocation(std::uint64_t id, bool recursive) = 0;

  /// All allocations and segments.
  virtual Result<std::vector<AllocationReport>> allocations() = 0;

  /// Ends a use, as WindowService::close() does.
  virtual Status close(std::uint64_t use_id) = 0;
};

/// Service names (MPI_Publish_name), kept with the window they lead to: they are found while its name is, and go when
/// it goes.
class NameService {
 public:
  virtual ~NameService() = default;
  /// Code::name_not_found if `port_name` is no window's name, Code::service_exists if `service` is taken, by a window
  /// that is found.
  virtual Status publish(std::string_view service, std::string_view port_name) = 0;
  /// The port name. Code::service_not_found.
  virtual Result<std::string> lookup(std::string_view service) = 0;
  /// Also for a window that is not found any more but still in use. Code::service_not_found; Code::name_not_found if it
  /// leads to another port name.
  virtual Status unpublish(std::string_view service, std::string_view port_name) = 0;
};

/// A part of an allocation's memory as this process reaches it: mapped, or else remote.
struct Memory {
  Mapping mapping;
  std::shared_ptr<backends::RemoteMemory> remote;
};

/// What is indivisible, or waits for others, on the regions of one window: done by the service on request, for a
/// process that does not map them. It agrees with what processes do that map them. Thread-safe.
class WindowAgent {
 public:
  virtual ~WindowAgent() = default;
  /// As WindowLocks::lock() and the rest of it. Code::peer_lost when the service was lost, and the lock with it.
  virtual Status lock(std::uint32_t rank, LockKind kind, Waiter& waiter) = 0;
  virtual Status unlock(std::uint32_t rank) = 0;
  virtual Status lock_all(Waiter& waiter) = 0;
  virtual Status unlock_all() = 0;
  /// Carries out `request` on the region of `rank`; the old values, packed, if it asks for them. Complete on return.
  virtual Result<std::vector<std::byte>> execute(std::uint32_t rank, const backends::IndivisibleRequest& request) = 0;
};

/// A queue of values between the processes that use an allocation. Thread-safe.
class NotificationQueue {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~NotificationQueue() = default;
  /// Whether `value` found room until `deadline`.
  [[nodiscard]] virtual Result<bool> post(std::uint64_t value, Clock::time_point deadline) = 0;
  /// The oldest value, or nothing if there is none until `deadline`.
  [[nodiscard]] virtual Result<std::optional<std::uint64_t>> take(Clock::time_point deadline) = 0;
  /// Values in the queue.
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

/// The memory behind the records.
class MemoryStore {
 public:
  virtual ~MemoryStore() = default;
  /// Creates the file of a recorded allocation and, for Reserve::full, takes all its memory from the file system:
  /// Code::no_memory if that has not enough, and the file is gone again.
  virtual Result<Memory> create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) = 0;
  /// A part of an allocation's file; its first byte is that at `offset_bytes`, which may be any.
  virtual Result<Memory> open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                                    Protection protection) = 0;
  /// Has the file system set memory aside for a part of a file that was made with Reserve::lazy, so that a touch of it
  /// is never a SIGBUS; nothing to do for others. Code::no_memory.
  virtual Status reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) = 0;

  /// Has what was written to a part of an allocation's memory reach the disk: complete on return. Code::unsupported for
  /// a store in memory, whose bytes no reboot survives.
  virtual Status persist(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) = 0;

  [[nodiscard]] Result<Memory> open_memory(std::uint64_t allocation_id, std::uint64_t bytes, Protection protection) {
    return open_range(allocation_id, 0, bytes, protection);
  }

  /// Whether pages of control and of locks can be mapped here; what is there to be mapped is on this host then.
  [[nodiscard]] virtual bool maps() const noexcept = 0;

  /// The page through which the processes of one use synchronise: zeroed, all its memory taken. It belongs to the use
  /// and goes with it; drop_control() takes its file away as soon as every process has mapped it.
  virtual Result<Mapping> create_control(std::uint64_t use_id, std::uint64_t bytes) = 0;
  virtual Result<Mapping> open_control(std::uint64_t use_id, std::uint64_t bytes) = 0;
  virtual Status drop_control(std::uint64_t use_id) = 0;

  /// The page of the locks of a window of `ranks` ranks, for WindowLocks::attach: made by whoever comes first, all its
  /// memory taken (Code::no_memory). It belongs to the window and goes with it. The caller has the window in use.
  virtual Result<Mapping> open_locks(std::uint64_t window_id, std::uint32_t ranks) = 0;
  /// For a process that cannot map them, or has remote regions. The caller has the window in use as long as this lives.
  virtual Result<std::unique_ptr<WindowAgent>> open_agent(std::uint64_t window_id) = 0;

  /// The queue of an allocation's notifications, made by whoever comes first. It goes with the allocation, which the
  /// caller has in use.
  virtual Result<std::unique_ptr<NotificationQueue>> open_notifications(std::uint64_t allocation_id) = 0;
};

struct StoreSummary {
  format::Uuid id;
  std::string host;
  std::filesystem::path folder;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t reserved_bytes = 0;  ///< sum of the files with Reserve::full
  std::uint64_t file_system_bytes = 0;
  std::uint64_t file_system_free_bytes = 0;
  std::uint64_t windows = 0, allocations = 0, uses = 0, services = 0;
  std::uint64_t catalog_bytes = 0;  ///< of the records of all these
  std::uint64_t catalog_limit_bytes = 0;
};

struct Collected {
  std::uint64_t uses = 0, windows = 0, allocations = 0, bytes = 0;  ///< allocations: free-standing ones
};

/// One window as an administrator sees it.
struct WindowReport {
  format::WindowRecord window;
  std::vector<format::UseRecord> uses;
  std::vector<std::string> services;
};

/// A disagreement between catalog and files, in one sentence each; empty when all is well.
using Findings = std::vector<std::string>;

/// What people ask for.
class AdministrationService {
 public:
  virtual ~AdministrationService() = default;
  virtual Result<StoreSummary> summary() = 0;
  virtual Result<std::vector<WindowReport>> list() = 0;
  /// Removes a persistent window: its name goes at once, its memory when the last job that uses it has let go. True if
  /// it is gone already. Code::busy when it has children.
  virtual Result<bool> remove(std::string_view name) = 0;
  /// The sum of the fully reserved files shall not exceed `bytes` from now on. What is there already stays, even
  /// if it is more. Code::invalid_argument for 0 and for more than the file system has.
  virtual Status set_capacity(std::uint64_t bytes) = 0;
  /// Releases what is volatile, or has expired, and has neither a live user nor a child.
  virtual Result<Collected> collect() = 0;
  /// What opening the service here released.
  [[nodiscard]] virtual Collected released_at_open() const = 0;
  /// Compares catalog and files.
  virtual Result<Findings> check() = 0;
  /// Of a manager: sessions, requests, users. Other sessions than his own are told to its own user and user 0 only.
  /// Code::unsupported of a store that nobody serves.
  virtual Result<Statistics> statistics() {
    return Error{Code::unsupported, "a store without a manager has no sessions, and counts nothing"};
  }
};

/// A NAM: the service itself, or a memory node that has joined it.
struct NamReport {
  std::uint32_t index = 0;  ///< 0: the one that is asked
  format::Uuid store;
  std::string address = {};  ///< empty: that of the one that is asked
  std::string socket = {};   ///< its Unix socket, for processes of its host; may be empty
  std::uint64_t capacity_bytes = 0;
  std::uint64_t free_bytes = 0;
  bool reachable = true;
};

/// All of it.
class Service : public WindowService,
                public AllocationService,
                public NameService,
                public MemoryStore,
                public AdministrationService,
                public ParityService {
 public:
  /// Who this service is, for the record of a window.
  [[nodiscard]] virtual format::NodeRecord node() const = 0;
  /// The calling process as the service knows it: a user, as in create() and open().
  [[nodiscard]] virtual Result<format::ProcessIdentity> user(std::uint32_t rank) = 0;
  /// Processes that use a window or an allocation, and may be alive.
  virtual Result<std::uint64_t> count_users(std::uint64_t object_id) = 0;
  /// Ends a use, of whatever.
  Status close(std::uint64_t use_id) override = 0;

  /// The NAMs, by index. Who has none beside itself need not say more than this does.
  virtual Result<std::vector<NamReport>> nams();
  /// The service of the NAM `index`, other than 0, connected on first use; it lives as long as this one.
  /// Code::name_not_found if there is none.
  virtual Result<Service*> nam(std::uint32_t index);
  /// Forgets a memory node that will not come back. Code::busy while it is connected and, without `force`, while
  /// windows lie in it, naming them. Returns the names of those that are lost.
  virtual Result<std::vector<std::string>> remove_nam(std::uint32_t index, bool force);
};

}  // namespace psnam::nam
