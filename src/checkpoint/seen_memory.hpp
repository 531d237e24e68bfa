// The memory of an allocation as somebody sees it who only looks: mapped, or brought here, as far as it is needed,
// where it is on another host.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "checkpoint/area_memory.hpp"

namespace psnam::checkpoint {

class SeenMemory {
 public:
  /// Code::access for another user's. With a manager the allocation is in use as long as this lives.
  static Result<SeenMemory> look(const ServicePointer& nam, const format::AllocationRecord& record);
  SeenMemory(SeenMemory&&) noexcept = default;
  SeenMemory& operator=(SeenMemory&&) noexcept = default;

  /// To be read only, and where it was asked for by need().
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  /// `bytes` from `at` on, as far as there are any, are as they are now.
  Status need(std::uint64_t at, std::uint64_t bytes) const;
  Status need_all() const { return need(0, bytes_.size()); }

 private:
  class Use;
  SeenMemory() = default;
  Status reach(nam::Service& nam, const format::AllocationRecord& record);

  std::shared_ptr<Use> use_;  ///< none of an embedded store
  nam::Memory memory_;
  std::shared_ptr<std::byte> room_;  ///< of remote memory
  std::span<std::byte> bytes_;
};

}  // namespace psnam::checkpoint
