// The regions of a window as this process reaches them: mapped, when they are on its node, else through the MPI
// library.
//
// Regions of other ranks are mapped on first use: a window of many ranks costs only what is touched. `base` goes once
// from null to its final value, published with release; a reader that still sees null takes the slow way, which maps
// under the mutex and finds the work done.
#pragma once

#include <mpi.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "manifestations/manifestation.hpp"

namespace psnam::win {

struct Target {
  std::atomic<std::byte*> base{nullptr};      ///< first byte of the region in this process, once it is mapped
  std::atomic<std::uint32_t> permissions{0};  ///< what an epoch on this target alone allows: bits of win::Permission
  std::uint64_t size_bytes = 0;
  std::uint64_t displacement_unit = 1;
  int host = -1;              ///< for a region of another node: the rank whose native window exposes it, ...
  MPI_Aint host_address = 0;  ///< ... and where
  bool local = true;
};

class Regions {
 public:
  /// `record` outlives this. Regions of nodes other than `node` are remote; `memory` may be null if all are.
  Regions(const format::WindowRecord& record, std::uint32_t node, nam::MemoryStore* memory, Protection protection);

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] Target& operator[](std::size_t rank) noexcept { return targets_[rank]; }
  [[nodiscard]] const Target* data() const noexcept { return targets_.get(); }

  /// Takes the memory of the allocation that the region of `rank` lies in; the region is mapped afterwards.
  Status create(std::size_t rank);
  /// The first byte of the region of `rank`, mapping it if need be; null for a region of no bytes.
  Result<std::byte*> map(std::size_t rank);
  /// Sets where a remote region is.
  void place(std::size_t rank, int host, MPI_Aint address) noexcept;
  /// What the process has mapped of the allocation of `rank`: to be exposed to other nodes.
  [[nodiscard]] std::span<std::byte> allocation(std::size_t rank) noexcept;

 private:
  /// What is mapped at once: an allocation of the window, whose regions lie in it.
  struct Part {
    std::pair<std::uint64_t, std::uint64_t> key;  ///< file and segment
    manifestations::FilePart where;
  };
  [[nodiscard]] Part part_of(std::size_t rank) const noexcept;
  Result<std::unique_ptr<manifestations::Manifestation>> manifestation(std::size_t rank) const;
  void publish(std::size_t rank, const Part& part, std::byte* part_base) noexcept;

  const format::WindowRecord& record_;
  nam::MemoryStore* memory_;  ///< null where no region is local
  Protection protection_;
  std::size_t count_;
  std::unique_ptr<Target[]> targets_;
  std::mutex mutex_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Mapping> mappings_;  ///< by Part::key
};

}  // namespace psnam::win
