// psnam_job.h: jobs that are asked from outside.
#include "capi/jobs.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "capi/failure.hpp"
#include "capi/process.hpp"

namespace psnam::capi {
namespace {

using checkpoint::Team;
using job::Job;
using job::Verdict;

static_assert(static_cast<int>(Verdict::end) == PSNAM_JOB_END &&
              static_cast<int>(Verdict::restarted) == PSNAM_JOB_RESTARTED &&
              static_cast<int>(Verdict::failed) == PSNAM_JOB_FAILED &&
              static_cast<int>(Verdict::saved) == PSNAM_JOB_SAVED);
static_assert(static_cast<int>(job::Phase::checkpoint) == PSNAM_JOB_CHECKPOINT &&
              static_cast<int>(job::Phase::proceed) == PSNAM_JOB_CONTINUE &&
              static_cast<int>(job::Phase::restart) == PSNAM_JOB_RESTART &&
              static_cast<int>(job::Phase::failure) == PSNAM_JOB_FAILURE);

Result<std::shared_ptr<ManagedCheckpoint>> checkpoints_of(const psnam_checkpoint_t* handle) {
  auto found = handle != nullptr ? process().managed().find(handle) : nullptr;
  if (found) return found;
  return Error{Code::invalid_argument, "the checkpoints that the job was opened with are closed"};
}

/// The job's checkpoints, as long as the program has not closed them.
class HandleVersions final : public job::Versions {
 public:
  explicit HandleVersions(const psnam_checkpoint_t* handle) noexcept : handle_{handle} {}
  Result<std::uint64_t> save() override {
    PSNAM_TRY(const auto one, checkpoints_of(handle_));
    return one->managed->save(0);
  }
  Result<std::uint64_t> restart() override {
    PSNAM_TRY(const auto one, checkpoints_of(handle_));
    PSNAM_TRY(one->restored, one->managed->restart(0));
    if (one->restored.version == 0)
      return Error{Code::name_not_found, "no version was saved that the job could go back to"};
    return one->restored.version;
  }

 private:
  const psnam_checkpoint_t* handle_;
};

Result<job::JobOptions> read(const psnam_job_options_t* given) {
  constexpr std::size_t kKnown = sizeof(psnam_job_options_t);
  if (given == nullptr) return Error{Code::invalid_argument, "psnam_job_open: the options are NULL; a name is needed"};
  if (given->bytes != kKnown)
    return Error{Code::incompatible,
                 fmt::format("psnam_job_open: options of {} bytes; this library knows {}", given->bytes, kKnown)};
  if (given->name == nullptr) return Error{Code::invalid_argument, "psnam_job_open: the name is NULL"};
  return job::JobOptions{.name = given->name, .mode = given->mode};
}

Result<psnam_job_t*> open(const Team& team, const psnam_job_options_t* given, psnam_checkpoint_t* checkpoint) {
  job::JobOptions options;
  ServicePointer nam;
  format::Uuid node;
  std::unique_ptr<job::Versions> versions;
  const Status reached = checkpoint::locally([&]() -> Status {
    PSNAM_TRY(options, read(given));
    PSNAM_TRY(nam, process().store());
    node = nam->node().store;
    if (checkpoint == nullptr) return {};
    PSNAM_TRY(const auto one, checkpoints_of(checkpoint));
    const Team& theirs = one->managed->team();
    if (theirs.size() != team.size() || theirs.rank() != team.rank())
      return Error{
          Code::invalid_argument,
          fmt::format("rank {} of {} of the job is rank {} of {} of its checkpoints: they are of the same ranks",
                      team.rank(), team.size(), theirs.rank(), theirs.size())};
    node = one->managed->node();
    versions = std::make_unique<HandleVersions>(checkpoint);
    return {};
  });
  PSNAM_CHECK(team.agree(reached));
  PSNAM_TRY(auto opened, Job::open(team, nam, node, options, std::move(versions)));
  psnam_job_t handle{};
  handle.ranks = team.size();
  handle.rank = team.rank();
  handle.private_count = opened->count();
  handle.private_asked = opened->asked();
  return process().jobs().add(handle, std::make_shared<RunningJob>(std::move(opened), checkpoint));
}

Result<std::shared_ptr<RunningJob>> find_job(const char* function, const psnam_job_t* handle) {
  auto found = handle != nullptr ? process().jobs().find(handle) : nullptr;
  if (found) return found;
  return Error{Code::invalid_argument,
               fmt::format("{}: {} is no handle of a job of this process", function,
                           handle == nullptr ? "NULL" : fmt::format("{}", static_cast<const void*>(handle)))};
}

/// The rank has come to a safe point, where something may be asked.
Status act(psnam_job_t* handle, int* what) {
  if (what != nullptr) *what = PSNAM_JOB_GO_ON;
  PSNAM_TRY(const auto one, find_job("psnam_job_safe_point", handle));
  PSNAM_TRY(const Verdict verdict, one->job->act());
  if (what != nullptr) *what = static_cast<int>(verdict);
  return {};
}

void come(const psnam_job_t* handle) {
  if (handle == nullptr || handle->private_count == nullptr) return;
  __atomic_store_n(handle->private_count, __atomic_load_n(handle->private_count, __ATOMIC_RELAXED) + 1,
                   __ATOMIC_RELAXED);
}

/// A fence has no way to say what its safe point told: that is kept.
Status fence(psnam_job_t* handle) {
  const auto one = process().jobs().find(handle);
  if (!one) return {};
  come(handle);
  if ((__atomic_load_n(handle->private_asked, __ATOMIC_RELAXED) & 1) == 0) return {};
  auto verdict = one->job->act();
  if (!verdict) {
    one->last_failure = verdict.error();
    return verdict.take_error();
  }
  if (*verdict != Verdict::go_on) one->last = static_cast<int>(*verdict);
  return {};
}

Status last(psnam_job_t* handle, int* what) {
  PSNAM_TRY(const auto one, find_job("psnam_job_last", handle));
  const int told = one->last;
  if (what != nullptr) *what = told;
  if (told != PSNAM_JOB_END) one->last = PSNAM_JOB_GO_ON;
  if (!one->last_failure) return {};
  Error failure = std::move(*one->last_failure);
  one->last_failure.reset();
  return failure;
}

Status restart(psnam_job_t* handle, std::uint64_t* version, int* source) {
  PSNAM_TRY(const auto one, find_job("psnam_job_restart", handle));
  std::uint64_t number = version == nullptr ? 0 : *version;
  // Its failure is the same on all ranks, and has been kept for nam_strerror().
  if (psnam_checkpoint_restart(one->checkpoints, &number, source) != 0)
    return Error{Code::system, last_failure(), errno};
  if (version != nullptr) *version = number;
  return number == 0 ? Status{} : one->job->came_back();
}

Status query(psnam_job_t* handle, psnam_job_info_t* info) {
  PSNAM_TRY(const auto one, find_job("psnam_job_query", handle));
  if (info == nullptr || info->bytes != sizeof *info)
    return Error{
        Code::invalid_argument,
        fmt::format("psnam_job_query: info {}",
                    info == nullptr ? "is NULL"
                                    : fmt::format("says {} bytes, this library knows {}", info->bytes, sizeof *info))};
  const job::JobInfo found = one->job->info();
  *info = {.bytes = sizeof *info,
           .mapped = found.mapped ? 1 : 0,
           .departure = static_cast<std::int32_t>(found.leaving),
           .requests = found.requests,
           .safe_points = found.safe_points};
  return {};
}

Status close(psnam_job_t* handle) {
  PSNAM_TRY(const auto one, find_job("psnam_job_close", handle));
  process().jobs().remove(handle, {});
  Status closed = one->job->close();
  one->job->team().release();
  return closed;
}

}  // namespace
}  // namespace psnam::capi

using psnam::Code;
using psnam::Error;
using psnam::Result;
using psnam::Status;
using psnam::capi::boundary;
using psnam::capi::find_job;

extern "C" {

psnam_job_t* psnam_job_private_open(const nam_private_team_t* team, const psnam_job_options_t* options,
                                    psnam_checkpoint_t* checkpoint) {
  return boundary(static_cast<psnam_job_t*>(nullptr), [&]() -> Result<psnam_job_t*> {
    PSNAM_CHECK(psnam::checkpoint::Team::check(team));
    auto opened = psnam::capi::open(psnam::checkpoint::Team{*team}, options, checkpoint);
    if (!opened) team->release(team->communicator);
    return opened;
  });
}

int psnam_job_add_handler(psnam_job_t* job, psnam_job_handler_t handler, void* user) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find_job("psnam_job_add_handler", job));
    if (handler == nullptr) return Error{Code::invalid_argument, "psnam_job_add_handler: the handler is NULL"};
    return one->job->add_handler(
        [handler, user](psnam::job::Phase phase) { return handler(static_cast<int>(phase), user); });
  });
}

int psnam_job_private_act(psnam_job_t* job, int* what) {
  return boundary(-1, [&] { return psnam::capi::act(job, what); });
}

int psnam_job_private_safe_point(psnam_job_t* job, int* what) {
  return boundary(-1, [&]() -> Status {
    PSNAM_CHECK(find_job("psnam_job_safe_point", job).status());
    psnam::capi::come(job);
    return psnam::capi::act(job, what);
  });
}

void psnam_job_private_fence(void* job) {
  static_cast<void>(boundary(-1, [&] { return psnam::capi::fence(static_cast<psnam_job_t*>(job)); }));
}

int psnam_job_private_refuse(const psnam_job_t* job, const char* function, const char* why) {
  return boundary(-1, [&]() -> Status {
    PSNAM_CHECK(find_job(function, job).status());
    return Error{Code::unsupported, fmt::format("{}: {}", function, why)};
  });
}

int psnam_job_last(psnam_job_t* job, int* what) {
  return boundary(-1, [&] { return psnam::capi::last(job, what); });
}

int psnam_job_restart(psnam_job_t* job, uint64_t* version, int* source) {
  return boundary(-1, [&] { return psnam::capi::restart(job, version, source); });
}

int psnam_job_query(psnam_job_t* job, psnam_job_info_t* info) {
  return boundary(-1, [&] { return psnam::capi::query(job, info); });
}

int psnam_job_close(psnam_job_t* job) {
  return boundary(-1, [&] { return psnam::capi::close(job); });
}

}  // extern "C"
