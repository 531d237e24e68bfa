// A PSNAM window as one process of the job holds it: the checks of an operation, the fast way of a contiguous put and
// get, and what the program may ask and set.
//
// Hot path: MPI_Put with one predefined type, equal on both sides, into a mapped region, in an open epoch, is a handful
// of loads and one copy; it allocates nothing, locks nothing and asks the MPI library nothing. Everything else (derived
// types, regions of other nodes, first touch, errors, histograms) takes put() and get().
#pragma once

#include <mpi.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "backends/copy.hpp"
#include "base/result.hpp"
#include "rma/type_table.hpp"
#include "sync/assertions.hpp"
#include "sync/epochs.hpp"
#include "sync/team.hpp"
#include "win/context.hpp"
#include "win/regions.hpp"
#include "win/seat.hpp"
#include "win/seat_locks.hpp"
#include "win/split_get.hpp"

namespace psnam::win {

/// Both sides of an operation, as MPI_Put and MPI_Get and their large-count twins name them.
struct Transfer {
  void* origin = nullptr;
  MPI_Count origin_count = 0;
  MPI_Datatype origin_type = MPI_DATATYPE_NULL;
  int target_rank = MPI_PROC_NULL;
  MPI_Aint target_displacement = 0;
  MPI_Count target_count = 0;
  MPI_Datatype target_type = MPI_DATATYPE_NULL;
};

/// What MPIX_Iget and its large-count twin name.
struct GetRequest {
  int target_rank = MPI_PROC_NULL;
  MPI_Aint target_displacement = 0;
  MPI_Count target_count = 0;
  MPI_Datatype target_type = MPI_DATATYPE_NULL;
};

/// The sides of an accumulating operation. The old values of the target go to `result` if it is one that fetches.
struct Accumulation {
  Transfer sides;
  MPI_Op op = MPI_OP_NULL;
  bool fetches = false;
  void* result = nullptr;
  MPI_Count result_count = 0;
  MPI_Datatype result_type = MPI_DATATYPE_NULL;
};

enum class Direction { put, get };

/// What a process may do at this moment; bits of Window's state (for all targets) and of each Target (for that one).
struct Permission {
  static constexpr std::uint32_t fast_put = 1;  ///< puts by the fast path
  static constexpr std::uint32_t fast_get = 2;  ///< gets by the fast path
  static constexpr std::uint32_t access = 4;    ///< any operation
  static constexpr std::uint32_t flush = 8;     ///< flushes: the epoch is a passive one
};

/// Everything a window is made of; see creation.hpp and connection.hpp, which fill it.
struct WindowParts {
  format::WindowRecord record;  ///< with the memory of the regions that this process has a seat for
  std::vector<Seat> seats;      ///< ascending by node
  int rank = 0;                 ///< in the communicator
  bool creator = true;          ///< of the job that made the window, so that the process has a region of its own
  bool spans_nodes = false;     ///< some regions are exposed by the native window
  bool relaxed_fence = false;   ///< on one node, and no rank is strict about epochs
  nam::AccessRight right = nam::AccessRight::read_write;
  Baseptr baseptr = Baseptr::null;
  std::unique_ptr<Regions> regions;
  std::unique_ptr<sync::Team> team;
  MPI_Win native = MPI_WIN_NULL;
};

class Window {
 public:
  Window(Context& context, std::unique_ptr<WindowParts> parts);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  [[nodiscard]] MPI_Win native() const noexcept { return parts_->native; }

  /// The hot path. False if this is not the simple case, and nothing is done.
  [[nodiscard]] bool try_put(const void* origin, std::uint64_t origin_count, MPI_Datatype origin_type, int target_rank,
                             MPI_Aint displacement, std::uint64_t target_count,
                             MPI_Datatype target_type) const noexcept {
    std::byte* target = nullptr;
    std::uint64_t bytes = 0;
    if (origin == nullptr || !resolve_simple(Permission::fast_put, origin_count, origin_type, target_rank, displacement,
                                             target_count, target_type, target, bytes))
      return false;
    backends::copy_bytes(target, static_cast<const std::byte*>(origin), bytes);
    return true;
  }
  [[nodiscard]] bool try_get(void* origin, std::uint64_t origin_count, MPI_Datatype origin_type, int target_rank,
                             MPI_Aint displacement, std::uint64_t target_count,
                             MPI_Datatype target_type) const noexcept {
    std::byte* target = nullptr;
    std::uint64_t bytes = 0;
    if (origin == nullptr || !resolve_simple(Permission::fast_get, origin_count, origin_type, target_rank, displacement,
                                             target_count, target_type, target, bytes))
      return false;
    backends::copy_bytes(static_cast<std::byte*>(origin), target, bytes, backends::NextReader::caller);
    return true;
  }

  /// Fetch_and_op, and accumulates of one predefined type, in the simple case; `result` may be null.
  [[nodiscard]] bool try_accumulate(const void* origin, void* result, std::uint64_t count, MPI_Datatype type,
                                    int target_rank, MPI_Aint displacement, MPI_Op mpi_op) const noexcept;
  [[nodiscard]] bool try_compare_and_swap(const void* origin, const void* compare, void* result, MPI_Datatype type,
                                          int target_rank, MPI_Aint displacement) const noexcept;

  /// Put or get in full generality. With `request` the operation is one of those that give a request; it is complete,
  /// for regions of this node, when this returns.
  Status transfer(Direction direction, const Transfer& transfer, MPI_Request* request = nullptr);
  /// A get without a buffer of the program: the data is the region itself or a packed copy of it.
  Result<std::shared_ptr<SplitGet>> iget(const GetRequest& wanted);
  /// Accumulate, Get_accumulate, Fetch_and_op.
  Status accumulate(const Accumulation& accumulation, MPI_Request* request = nullptr);
  /// The three buffers hold one element of `type` each.
  Status compare_and_swap(const void* origin, const void* compare, void* result, MPI_Datatype type, int target_rank,
                          MPI_Aint displacement);

  // Synchronisation: active target ...
  Status fence(int assertions);
  Status post(MPI_Group group, int assertions);
  Status start(MPI_Group group, int assertions);
  Status complete();
  Status wait();
  Result<bool> test();
  // ... and passive target.
  Status lock(int type, int rank, int assertions);
  Status unlock(int rank);
  Status lock_all(int assertions);
  Status unlock_all();
  /// MPI_Win_flush and MPI_Win_flush_local: an operation on mapped memory is complete when it returns, and one on
  /// remote memory is complete at both sides at once.
  Status flush(int rank, bool local);
  Status flush_all(bool local);
  Status sync();

  /// Collective. Changes what MPI_Win_set_info can change.
  Status set_info(MPI_Info info);
  /// The keys in force, those of the MPI library included, in a new info object.
  Result<MPI_Info> get_info() const;

  struct RegionView {
    MPI_Aint size_bytes;
    MPI_Aint displacement_unit;
    void* base;
  };
  /// The region of `rank`, or for MPI_PROC_NULL the first that is not empty.
  Result<RegionView> query(int rank);

  /// The value of a predefined attribute as MPI_Win_get_attr gives it, or null if `keyval` is none of them.
  [[nodiscard]] void* attribute(int keyval) noexcept;

  /// Collective. On all ranks Code::sync if one of them has an epoch open, Code::request if one has gets that are not
  /// freed, `live_gets` of them here: the window stays as it is.
  Status agree_to_free(std::size_t live_gets);
  /// Collective, after agree_to_free(). Ends the use; the handle and the native window remain, for the caller to free.
  Status release();

  /// Base pointer for the program: null unless load_store.
  [[nodiscard]] void* base() const noexcept { return base_; }
  /// The window as it was when this process made or opened it.
  [[nodiscard]] const format::WindowRecord& record() const noexcept { return parts_->record; }

 private:
  [[nodiscard]] bool resolve_simple(std::uint32_t permission, std::uint64_t origin_count, MPI_Datatype origin_type,
                                    int target_rank, MPI_Aint displacement, std::uint64_t target_count,
                                    MPI_Datatype target_type, std::byte*& target, std::uint64_t& bytes) const noexcept {
    if (origin_type != target_type || origin_count != target_count) return false;
    const std::size_t type_bytes = types_.predefined_size(origin_type);
    if (type_bytes == 0 || static_cast<std::uint32_t>(target_rank) >= target_total_) return false;
    const Target& region = targets_[target_rank];
    if (((permissions_.load(std::memory_order_relaxed) | region.permissions.load(std::memory_order_relaxed)) &
         permission) == 0)
      return false;
    std::byte* const base = region.base.load(std::memory_order_acquire);
    std::uint64_t start = 0;
    if (base == nullptr ||
        __builtin_mul_overflow(static_cast<std::uint64_t>(displacement), region.displacement_unit, &start) ||
        __builtin_mul_overflow(origin_count, type_bytes, &bytes))
      return false;
    if (start > region.size_bytes || bytes > region.size_bytes - start) return false;
    target = base + start;
    return true;
  }

  [[nodiscard]] Status check_right(Direction direction) const;
  /// Code::sync unless an epoch allows operations on `target`, or, for null, on any.
  [[nodiscard]] Status check_epoch(const char* operation, const Target* target) const;
  /// What an open epoch allows.
  [[nodiscard]] std::uint32_t allowed() const noexcept;
  /// `more` are permissions beyond those of any epoch.
  void allow_all(std::uint32_t more = 0) noexcept {
    permissions_.store(allowed() | resting_ | more, std::memory_order_relaxed);
  }
  void forbid_all() noexcept { permissions_.store(resting_, std::memory_order_relaxed); }
  [[nodiscard]] bool is_relaxed() const noexcept { return resting_ != 0; }
  void allow(std::size_t target, std::uint32_t more = 0) noexcept;
  void forbid(std::size_t target) noexcept;
  /// The targets that the processes of `group` stand for.
  [[nodiscard]] Result<std::vector<std::size_t>> targets_of(MPI_Group group) const;
  /// The locks of the regions that are reached from `seat`.
  Result<SeatLocks*> locks(const Seat& seat);
  /// Locks all ranks, or unlocks them, at the seats in turn.
  Status lock_all_seats();
  [[nodiscard]] bool has_own_locks(const Seat& seat) const noexcept;
  Status unlock_all_seats();
  /// In calls by which a program may look again and again for what another process does: now and then the MPI library
  /// gets on, and the processor is offered to whoever is waited for.
  void look_around() noexcept;
  /// A target that an accumulating operation may work on, in an epoch that allows it; null for MPI_PROC_NULL.
  [[nodiscard]] Result<Target*> accumulation_target(const char* operation, int rank, bool writes);
  /// A request that is complete.
  Status complete_request(MPI_Request* request);
  [[nodiscard]] Status accumulate_exposed(const Accumulation& accumulation, const Target& target,
                                          MPI_Aint displacement_bytes, MPI_Request* request);
  [[nodiscard]] Result<Target*> check_rank(int rank);
  /// By the MPI library ...
  [[nodiscard]] Status transfer_exposed(Direction direction, const Transfer& transfer, const Target& target,
                                        MPI_Aint displacement_bytes, MPI_Request* request);
  /// ... or to and from remote memory.
  [[nodiscard]] static Status transfer_remote(Direction direction, const backends::Side& origin,
                                              const backends::Side& side, const Reach& reach);
  void count(std::uint64_t bytes, int target_rank, Carrier carrier) const noexcept;
  [[nodiscard]] Result<std::vector<KeyValue>> keys_in_force() const;
  [[nodiscard]] Status add_source(const format::RegionRecord& region, std::vector<KeyValue>& pairs) const;
  Status apply_consistency(format::Consistency consistency);

  const rma::TypeTable& types_;
  const Target* targets_;
  std::uint32_t target_total_;
  std::atomic<std::uint32_t> permissions_{0};
  std::uint32_t resting_ = 0;  ///< permissions_ outside all epochs: nothing, unless the checks of epochs are relaxed
  std::atomic<unsigned> looks_{0};

  Context& context_;
  std::unique_ptr<WindowParts> parts_;
  std::atomic<format::Consistency> consistency_;  ///< in force: one thread may change it while others ask
  sync::Epochs epochs_;
  std::vector<std::size_t> started_;  ///< targets of the start epoch
  std::mutex locks_mutex_;
  std::vector<std::unique_ptr<SeatLocks>> locks_;  ///< of each seat, made on first need
  void* base_ = nullptr;
  MPI_Aint attribute_size_ = 0;
  int attribute_displacement_unit_ = 1;
  int attribute_flavor_ = MPI_WIN_FLAVOR_ALLOCATE;
  int attribute_model_ = MPI_WIN_UNIFIED;
};

}  // namespace psnam::win
