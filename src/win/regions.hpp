// The regions of a window as this process reaches them: mapped or by the fabric, when their service can be asked from
// here, else through the MPI library.
//
// Regions of other ranks are reached on first use: a window of many ranks costs only what is touched. `base` goes once
// from null to its final value, published with release; a reader that still sees null takes the slow way, which maps
// under the mutex and finds the work done. The base of a region that is remote stays null; its `remote` is published
// alike.
#pragma once

#include <mpi.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <tuple>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "manifestations/manifestation.hpp"
#include "nam/element_locks.hpp"
#include "win/seat.hpp"

namespace psnam::win {

struct Target {
  std::atomic<std::byte*> base{nullptr};              ///< first byte of the region in this process, once it is mapped
  std::atomic<nam::ElementLocks*> elements{nullptr};  ///< for indivisible operations here, once they are there
  std::atomic<std::uint32_t> permissions{0};          ///< what an epoch on this target alone allows: win::Permission
  std::uint64_t size_bytes = 0;
  std::uint64_t displacement_unit = 1;
  std::atomic<backends::RemoteMemory*> remote{nullptr};  ///< where the region lies, once it is known to be remote, ...
  std::uint64_t remote_offset_bytes = 0;                 ///< ... and where it begins there
  const Seat* seat = nullptr;                            ///< null: only the MPI library leads there
  int host = -1;              ///< the rank whose native window exposes the region, if one does, ...
  MPI_Aint host_address = 0;  ///< ... and where

  [[nodiscard]] bool local() const noexcept { return seat != nullptr; }
  /// Locks and indivisible operations are the MPI library's: ranks of several nodes reach the region.
  [[nodiscard]] bool exposed() const noexcept { return host >= 0; }
};

/// How a region of this process's services is reached: `base` is its first byte, or else it begins at `offset_bytes` of
/// `remote`; neither for a region of no bytes.
struct Reach {
  std::byte* base = nullptr;
  backends::RemoteMemory* remote = nullptr;
  std::uint64_t offset_bytes = 0;
};

class Regions {
 public:
  /// `record` and `seats` outlive this. Regions without a seat are the MPI library's to reach.
  Regions(const format::WindowRecord& record, std::span<const Seat> seats, Protection protection);

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] Target& operator[](std::size_t rank) noexcept { return targets_[rank]; }
  [[nodiscard]] const Target* data() const noexcept { return targets_.get(); }

  /// Takes the memory of the allocation that the region of `rank` lies in.
  Status create(std::size_t rank);
  /// How the region of `rank` is reached; maps it if need be.
  Result<Reach> reach(std::size_t rank);
  /// The first byte of the region of `rank`; null for a region of no bytes, and for one that cannot be mapped.
  Result<std::byte*> map(std::size_t rank);
  /// Sets where the native window exposes a region.
  void place(std::size_t rank, int host, MPI_Aint address) noexcept;
  /// What the process has mapped of the allocation of `rank`: to be exposed to other nodes.
  [[nodiscard]] std::span<std::byte> allocation(std::size_t rank) noexcept;
  /// Completes what was begun on remote regions.
  Status flush();

 private:
  /// What is reached at once: an allocation of the window, whose regions lie in it.
  struct Part {
    std::tuple<std::uint32_t, std::uint64_t, std::uint64_t> key;  ///< node of the record, file and segment
    manifestations::FilePart where;
  };
  [[nodiscard]] Part part_of(std::size_t rank) const noexcept;
  Result<std::unique_ptr<manifestations::Manifestation>> manifestation(std::size_t rank) const;
  [[nodiscard]] static Reach published(const Target& target) noexcept;
  [[nodiscard]] Reach publish(std::size_t rank, const Part& part, const nam::Memory& memory) noexcept;

  const format::WindowRecord& record_;
  Protection protection_;
  std::vector<std::shared_ptr<const void>> shares_;  ///< of the uses that others have taken for this process
  std::size_t count_;
  std::unique_ptr<Target[]> targets_;
  std::shared_mutex mutex_;
  std::map<decltype(Part::key), nam::Memory> memories_;  ///< by Part::key
  std::atomic<bool> any_remote_{false};
};

}  // namespace psnam::win
