#include "nam/parity_jobs.hpp"

#include <fmt/format.h>

#include <vector>

namespace psnam::nam {

Result<std::shared_ptr<ParityJob>> ParityJobs::job_of(const request::JoinParity& member, const Open& open) {
  const std::lock_guard lock{mutex_};
  const auto found = jobs_.find(member.allocation_id);
  if (found != jobs_.end()) {
    if (found->second->attempt() == member.attempt) return found->second;
    if (found->second->running())
      return Error{Code::busy,
                   fmt::format("parity in allocation {} is being worked on in another attempt", member.allocation_id)};
    found->second->abandon({Code::sync, "another attempt at the same parity was begun"});
  }
  PSNAM_TRY(auto job, open());
  jobs_.insert_or_assign(member.allocation_id, job);
  return job;
}

Status ParityJobs::join(std::uint64_t session, const request::JoinParity& member, const Open& open,
                        ParityJob::Connect connect) {
  PSNAM_TRY(auto job, job_of(member, open));
  PSNAM_TRY(const bool last, job->join(session, member, std::move(connect)));
  if (last) begin(std::move(job));
  return {};
}

void ParityJobs::begin(std::shared_ptr<ParityJob> job) {
  {
    const std::lock_guard lock{mutex_};
    if (running_ == kMostRunning) {
      waiting_.push_back(std::move(job));
      return;
    }
    ++running_;
  }
  Status given = helpers_.run([this, job] { work(job); });
  if (given) return;
  job->abandon(given.take_error());
  work(job);  // which finds that it is to stop
}

void ParityJobs::work(const std::shared_ptr<ParityJob>& first) {
  for (std::shared_ptr<ParityJob> job = first;;) {
    job->run();
    const std::lock_guard lock{mutex_};
    if (waiting_.empty()) {
      --running_;
      return;
    }
    job = std::move(waiting_.front());
    waiting_.pop_front();
  }
}

Result<std::shared_ptr<ParityJob>> ParityJobs::find(std::uint64_t allocation_id, std::uint64_t attempt) {
  const std::lock_guard lock{mutex_};
  const auto found = jobs_.find(allocation_id);
  if (found == jobs_.end() || found->second->attempt() != attempt)
    return Error{Code::name_not_found,
                 fmt::format("there is no attempt {} at parity in allocation {}", attempt, allocation_id)};
  return found->second;
}

void ParityJobs::forget(std::uint64_t allocation_id) {
  const std::lock_guard lock{mutex_};
  const auto found = jobs_.find(allocation_id);
  if (found != jobs_.end() && found->second->forgotten()) jobs_.erase(found);
}

void ParityJobs::leave(std::uint64_t session) {
  std::vector<std::shared_ptr<ParityJob>> all;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& job : jobs_) all.push_back(job.second);
  }
  for (const auto& job : all) job->leave(session, "has ended");
  const std::lock_guard lock{mutex_};
  std::erase_if(jobs_, [](const auto& job) { return job.second->forgotten(); });
}

}  // namespace psnam::nam
