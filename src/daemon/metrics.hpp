// The numbers of a service as the text that Prometheus reads (its exposition format, version 0.0.4).
#pragma once

#include <string>

#include "nam/statistics.hpp"

namespace psnam::daemon {

/// Every metric with a line of help and one of its type; values in base units (bytes, seconds).
[[nodiscard]] std::string metrics_text(const nam::Statistics& statistics);

}  // namespace psnam::daemon
