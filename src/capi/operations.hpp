// Which collective function a process is in: the first thing that the processes tell each other.
#pragma once

#include <cstdint>

namespace psnam::capi {

enum class Operation : std::int32_t {
  make = 1,
  sync,
  free,
  gather,
  scatter,
  broadcast,
  make_checkpoints,
  checkpoint,
  restart
};

}  // namespace psnam::capi
