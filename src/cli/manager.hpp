// What namctl shows of a manager: its sessions, users and memory nodes, for people and as JSON; the same words in top,
// sessions and nams.
#pragma once

#include <optional>
#include <string>

#include "cli/json.hpp"
#include "nam/statistics.hpp"

namespace psnam::cli {

/// How fast what, between two readings of the same manager. Nothing of a manager that was started anew between them.
struct Rates {
  double seconds = 0;
  double requests = 0;  ///< per second, like the rest
  double failures = 0;
  double received_bytes = 0;
  double sent_bytes = 0;
  double mean_latency_us = 0;  ///< of the requests in between
};
[[nodiscard]] std::optional<Rates> rates_between(const nam::Statistics& before, const nam::Statistics& after);

[[nodiscard]] std::string sessions_text(const nam::Statistics& statistics);
[[nodiscard]] std::string nams_text(const nam::Statistics& statistics);
/// One page of namctl top.
[[nodiscard]] std::string page_text(const std::string& place, const nam::Statistics& statistics,
                                    const std::optional<Rates>& rates);

/// Members "sessions", "users", "nams" of an object that the caller opens and closes.
void put_sessions(JsonWriter& json, const nam::Statistics& statistics);
void put_users(JsonWriter& json, const nam::Statistics& statistics);
void put_nams(JsonWriter& json, const nam::Statistics& statistics);
/// All of it, as an object.
[[nodiscard]] std::string page_json(const std::string& place, const nam::Statistics& statistics,
                                    const std::optional<Rates>& rates);

}  // namespace psnam::cli
