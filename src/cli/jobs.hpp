// What namctl job is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "job/requests.hpp"

namespace psnam::cli {

struct JobWish {
  std::string name{};
  job::Request request{};
  bool term = false;
  bool stop = false;
  bool no_wait = false;
  double wait_seconds = 300;
};

/// Asks the job, and waits for what becomes of it.
[[nodiscard]] Result<Outcome> ask_job(const Invocation& invocation, const JobWish& wish);
[[nodiscard]] Result<Outcome> list_jobs(const Invocation& invocation);
[[nodiscard]] Result<Outcome> show_job(const Invocation& invocation, const std::string& name);
/// Removes what jobs that have ended left.
[[nodiscard]] Result<Outcome> remove_jobs(const Invocation& invocation, const std::vector<std::string>& names);

}  // namespace psnam::cli
