// An allocation that the processes of a communicator use together, as one of them has it.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "capi/allocation.hpp"
#include "capi/records.hpp"
#include "checkpoint/team.hpp"
#include "nam_team.h"

namespace psnam::capi {

using checkpoint::Arguments;
using checkpoint::locally;
using checkpoint::Team;

class Set {
 public:
  Set(const Team& team, std::shared_ptr<Allocation> allocation, nam_allocation_t* handle, SetRecord record,
      int root) noexcept
      : team_{team}, allocation_{std::move(allocation)}, handle_{handle}, record_{std::move(record)}, root_{root} {}

  [[nodiscard]] const Team& team() const noexcept { return team_; }
  [[nodiscard]] Allocation& allocation() const noexcept { return *allocation_; }
  /// This process's handle of the allocation.
  [[nodiscard]] nam_allocation_t* handle() const noexcept { return handle_; }
  [[nodiscard]] const SetRecord& record() const noexcept { return record_; }
  /// Who made it, or connected first.
  [[nodiscard]] int root() const noexcept { return root_; }

 private:
  Team team_;
  std::shared_ptr<Allocation> allocation_;
  nam_allocation_t* handle_;
  SetRecord record_;
  int root_;
};

}  // namespace psnam::capi
