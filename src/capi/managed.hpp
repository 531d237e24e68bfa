// What a handle of psnam_checkpoint.h stands for.
#pragma once

#include <memory>

#include "checkpoint/managed.hpp"
#include "psnam_checkpoint_team.h"

namespace psnam::capi {

struct ManagedCheckpoint {
  explicit ManagedCheckpoint(std::unique_ptr<checkpoint::Managed> opened) noexcept : managed{std::move(opened)} {}

  std::unique_ptr<checkpoint::Managed> managed;
  checkpoint::Restored restored;  ///< by the last restart
};

/// Code::invalid_argument, naming the function, for what is no handle.
Result<std::shared_ptr<ManagedCheckpoint>> find(const char* function, const psnam_checkpoint_t* handle);

}  // namespace psnam::capi
