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

#include "base/result.hpp"
#include "rma/copy.hpp"
#include "rma/type_table.hpp"
#include "sync/assertions.hpp"
#include "sync/team.hpp"
#include "win/context.hpp"
#include "win/regions.hpp"

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

enum class Direction { put, get };

/// Everything a window is made of; see creation.hpp and connection.hpp, which fill it.
struct WindowParts {
  nam::WindowUse use;
  std::uint32_t node = 0;  ///< index of this process's node in the record, or one past the last
  bool use_owner = false;  ///< this process ends the use of its node
  int rank = 0;            ///< in the communicator
  bool creator = true;     ///< of the job that made the window, so that the process has a region of its own
  bool spans_nodes = false;
  nam::AccessRight right = nam::AccessRight::read_write;
  Baseptr baseptr = Baseptr::null;
  nam::Store* store = nullptr;
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
    if (origin == nullptr || !resolve_simple(kFastPut, origin_count, origin_type, target_rank, displacement,
                                             target_count, target_type, target, bytes))
      return false;
    rma::copy_bytes(target, static_cast<const std::byte*>(origin), bytes);
    return true;
  }
  [[nodiscard]] bool try_get(void* origin, std::uint64_t origin_count, MPI_Datatype origin_type, int target_rank,
                             MPI_Aint displacement, std::uint64_t target_count,
                             MPI_Datatype target_type) const noexcept {
    std::byte* target = nullptr;
    std::uint64_t bytes = 0;
    if (origin == nullptr || !resolve_simple(kFastGet, origin_count, origin_type, target_rank, displacement,
                                             target_count, target_type, target, bytes))
      return false;
    rma::copy_bytes(static_cast<std::byte*>(origin), target, bytes, rma::NextReader::caller);
    return true;
  }

  /// Put or get in full generality.
  Status transfer(Direction direction, const Transfer& transfer);

  Status fence(int assertions);

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

  /// Collective. Ends the use; the handle and the native window remain, for the caller to free.
  Status release();

  /// Base pointer for the program: null unless load_store.
  [[nodiscard]] void* base() const noexcept { return base_; }
  [[nodiscard]] const format::WindowRecord& record() const noexcept { return parts_->use.window; }

 private:
  static constexpr std::uint32_t kFastPut = 1;
  static constexpr std::uint32_t kFastGet = 2;
  static constexpr std::uint32_t kFenceEpoch = 4;

  [[nodiscard]] bool resolve_simple(std::uint32_t permission, std::uint64_t origin_count, MPI_Datatype origin_type,
                                    int target_rank, MPI_Aint displacement, std::uint64_t target_count,
                                    MPI_Datatype target_type, std::byte*& target, std::uint64_t& bytes) const noexcept {
    if ((state_.load(std::memory_order_relaxed) & permission) == 0) return false;
    if (origin_type != target_type || origin_count != target_count) return false;
    const std::size_t type_bytes = types_.predefined_size(origin_type);
    if (type_bytes == 0 || static_cast<std::uint32_t>(target_rank) >= target_total_) return false;
    const Target& region = targets_[target_rank];
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

  [[nodiscard]] Status check_epoch(Direction direction) const;
  [[nodiscard]] Result<Target*> check_rank(int rank);
  [[nodiscard]] Status transfer_remote(Direction direction, const Transfer& transfer, const Target& target,
                                       MPI_Aint displacement_bytes);
  void count(std::uint64_t bytes, int target_rank, bool mapped) const noexcept;
  void set_epoch(bool open) noexcept;
  [[nodiscard]] std::vector<KeyValue> keys_in_force() const;
  Status apply_consistency(format::Consistency consistency);

  const rma::TypeTable& types_;
  const Target* targets_;
  std::uint32_t target_total_;
  std::atomic<std::uint32_t> state_{0};

  Context& context_;
  std::unique_ptr<WindowParts> parts_;
  void* base_ = nullptr;
  MPI_Aint attribute_size_ = 0;
  int attribute_displacement_unit_ = 1;
  int attribute_flavor_ = MPI_WIN_FLAVOR_ALLOCATE;
  int attribute_model_ = MPI_WIN_UNIFIED;
};

}  // namespace psnam::win
