// The NAM service: windows, their memory, their names, and who uses them. One implementation (nam::Store), embedded in
// the process. Knows nothing of MPI: a collective caller lets one rank of each node ask and hands on the answers.
//
// Lifetime rule, the only one: a window is released, memory and record, when it is volatile and no live process uses
// it. A window is born volatile, with a use by the processes that make it; making it persistent is one catalog
// transaction, and for a persistent window that is the last step of its creation. So whatever dies half-way leaves a
// volatile window without a live user, and the next collect() releases it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"

namespace psnam::nam {

/// A window that was just made or is being used: its record and the use to end.
struct WindowUse {
  format::WindowRecord window;
  std::uint64_t use_id = 0;
};

enum class AccessRight { read_only, read_write };

/// Windows. All functions are thread-safe; each is at most two catalog transactions.
class WindowService {
 public:
  virtual ~WindowService() = default;

  /// Records a volatile window, its allocations in this store, and its use by `users`. Of `draft`, `id` and the
  /// `allocation_id` of each region are filled in here; regions with the same non-zero draft `allocation_id` share one
  /// allocation whose size is the largest `offset_bytes + size_bytes` among them; those of other stores carry 0. No
  /// memory file exists afterwards: see MemoryStore. A name, when not empty, is checked (Code::name_exists) but not yet
  /// found by find(). Code::no_memory when the capacity does not allow it (after a collect()).
  virtual Result<WindowUse> create(format::WindowRecord draft, std::span<const format::ProcessIdentity> users) = 0;

  /// Makes the window persistent (and found by its name) or volatile (and not found any more) and, with `in_doubt`,
  /// leaves the decision to the home node. A window with an empty name gets `psnam-<uuid>`. Code::name_exists when the
  /// name was taken meanwhile. Returns the name.
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

  /// Ends a use; releases the window if it is volatile and this was the last one. Idempotent.
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

/// Memory shared between processes: files of the store, mapped. These functions do not open the catalog.
class MemoryStore {
 public:
  virtual ~MemoryStore() = default;
  /// Creates the file of a recorded allocation and, for Reserve::full, takes all its memory from the file system:
  /// Code::no_memory if that has not enough, and the file is gone again.
  virtual Result<Mapping> create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) = 0;
  virtual Result<Mapping> open_memory(std::uint64_t allocation_id, std::uint64_t bytes, Protection protection) = 0;

  /// The page through which the processes of one use synchronise: zeroed, all its memory taken. It belongs to the use
  /// and goes with it; drop_control() takes its file away as soon as every process has mapped it.
  virtual Result<Mapping> create_control(std::uint64_t use_id, std::uint64_t bytes) = 0;
  virtual Result<Mapping> open_control(std::uint64_t use_id, std::uint64_t bytes) = 0;
  virtual Status drop_control(std::uint64_t use_id) = 0;

  /// The page of the locks of a window of `ranks` ranks, for WindowLocks::attach: made by whoever comes first, all its
  /// memory taken (Code::no_memory). It belongs to the window and goes with it. The caller has the window in use.
  virtual Result<Mapping> open_locks(std::uint64_t window_id, std::uint32_t ranks) = 0;
};

}  // namespace psnam::nam
