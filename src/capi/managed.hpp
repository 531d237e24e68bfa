// What a handle of psnam_checkpoint.h stands for.
#pragma once

#include <memory>

#include "checkpoint/managed.hpp"

namespace psnam::capi {

struct ManagedCheckpoint {
  explicit ManagedCheckpoint(std::unique_ptr<checkpoint::Managed> opened) noexcept : managed{std::move(opened)} {}

  std::unique_ptr<checkpoint::Managed> managed;
  checkpoint::Restored restored;  ///< by the last restart
};

}  // namespace psnam::capi
