// The server's side of the fabric: endpoints, registered memory, and the thread that serves them.
#pragma once

#include <memory>

#include "backends/fabric.hpp"

namespace psnam::backends {

[[nodiscard]] Result<std::unique_ptr<FabricServer>> open_fabric_server(const FabricOptions& options);

}  // namespace psnam::backends
