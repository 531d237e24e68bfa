// What a handle of psnam_job.h stands for.
#pragma once

#include <memory>

#include "job/job.hpp"
#include "psnam_job_team.h"

namespace psnam::capi {

struct RunningJob {
  RunningJob(std::unique_ptr<job::Job> opened, psnam_checkpoint_t* checkpoint) noexcept
      : job{std::move(opened)}, checkpoints{checkpoint} {}

  std::unique_ptr<job::Job> job;
  psnam_checkpoint_t* checkpoints;  ///< may be null, or closed
  int last = PSNAM_JOB_GO_ON;       ///< of fences; see psnam_job_last()
  std::optional<Error> last_failure;
};

}  // namespace psnam::capi
