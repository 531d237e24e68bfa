// What the settings mean to the host.
#pragma once

#include "daemon/settings.hpp"
#include "nam/host.hpp"

namespace psnam::daemon {

/// Code::invalid_argument for NUMA nodes that this host has not.
[[nodiscard]] Result<nam::HostOptions> host_options(const Settings& settings);
/// What SIGHUP changes. The capacity is not among them: namctl capacity may have changed it meanwhile.
[[nodiscard]] nam::Limits limits(const Settings& settings);

}  // namespace psnam::daemon
