// The client's side of the fabric: a connection, and parts of the server's memory over it.
#pragma once

#include <memory>

#include "backends/fabric.hpp"

namespace psnam::backends {

[[nodiscard]] Result<std::shared_ptr<FabricClient>> connect_fabric(const FabricOptions& options,
                                                                   std::string_view provider, std::string_view address,
                                                                   const std::stop_token& stop);

}  // namespace psnam::backends
