// The memory of a parity area: a free-standing allocation of a NAM, of the kind for checkpoints. Mapped; or reached
// over the fabric, and then what is seen of it is a copy of its header, its tables and its commit records, without
// parity.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "nam/service.hpp"
#include "parity/area.hpp"

namespace psnam::checkpoint {

using ServicePointer = std::shared_ptr<nam::Service>;

/// By which another process finds the allocation. Plain bytes.
struct AreaTicket {
  std::uint64_t allocation_id = 0;
  std::uint64_t challenge = 0;
};

class AreaMemory {
 public:
  /// A new one with an area of no version, volatile until keep(), found by `allocation_name` from then on.
  static Result<std::shared_ptr<AreaMemory>> allocate(ServicePointer nam, const parity::AreaSpec& spec,
                                                      std::string allocation_name);
  /// Code::access for a wrong challenge or user; Code::corrupt if what lies there is no area.
  static Result<std::shared_ptr<AreaMemory>> connect(ServicePointer nam, const AreaTicket& ticket);
  AreaMemory(const AreaMemory&) = delete;
  AreaMemory& operator=(const AreaMemory&) = delete;
  /// Ends the use; what is persistent stays.
  ~AreaMemory();

  /// From here on it outlives the processes.
  Status keep();
  /// The allocation goes when its last user has let go of it.
  Status release();

  /// Whether area() is the memory itself. If it is not, area() is only looked at.
  [[nodiscard]] bool mapped() const noexcept { return !memory_.remote; }
  [[nodiscard]] parity::Area& area() noexcept { return area_; }
  /// What area() shows is as it is now. Mapped memory always is.
  Status refresh();
  /// The version is none any more.
  Status drop(const parity::Version& version);
  [[nodiscard]] nam::Service& service() const noexcept { return *nam_; }
  [[nodiscard]] const format::AllocationRecord& record() const noexcept { return use_.allocation; }
  [[nodiscard]] AreaTicket ticket() const noexcept { return {use_.allocation.id, use_.allocation.challenge}; }

 private:
  AreaMemory(ServicePointer nam, nam::AllocationUse use, nam::Memory memory, parity::Area area)
      : nam_{std::move(nam)}, use_{std::move(use)}, memory_{std::move(memory)}, area_{std::move(area)} {}
  template <class Place>
  static Result<std::shared_ptr<AreaMemory>> over(ServicePointer nam, nam::AllocationUse use, Place place);

  ServicePointer nam_;
  nam::AllocationUse use_;
  nam::Memory memory_;
  parity::Area area_;
};

}  // namespace psnam::checkpoint
