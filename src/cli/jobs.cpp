// namctl job: asking running jobs.
#include "cli/jobs.hpp"

#include <fmt/format.h>

#include "cli/json.hpp"
#include "job/record.hpp"

namespace psnam::cli {
namespace {

using format::JobRequest;

constexpr double kLongestWait = 366.0 * 86400;

Error no_store(const Invocation& invocation, const std::string& name) {
  return Error{Code::name_not_found,
               fmt::format("there is no job \"{}\": there is no store in {}", name, invocation.place())};
}

Result<job::FoundRecord> find_living(nam::Service& service, const std::string& name) {
  PSNAM_TRY(job::FoundRecord found, job::find_record(service, name, nam::AccessRight::read_write));
  if (found.living != 0) return found;
  PSNAM_TRY(const format::JobControl last, found.control.word());
  const bool ended = last.state == format::JobState::ended || last.state == format::JobState::terminating;
  return Error{Code::peer_lost,
               fmt::format("the job \"{}\" does not run any more: it {}", name, ended ? "has ended" : "was killed")};
}

std::string done_text(const std::string& name, const job::Request& request, const job::Outcome& outcome) {
  std::string text = fmt::format("{}: ", name);
  if (request.what == JobRequest::restart)
    text += fmt::format("back at version {}", outcome.version);
  else if (outcome.version != 0)
    text += fmt::format("version {} saved", outcome.version);
  else
    text += "done";
  const bool ends = request.what == JobRequest::migrate || (request.options & format::kJobTerm) != 0;
  const bool stays = request.what == JobRequest::quiesce_start || request.what == JobRequest::quiesce_checkpoint ||
                     (request.options & format::kJobStop) != 0;
  if (ends) return text + ", the job ends\n";
  return text + (stays ? ", the job is stopped\n" : ", the job goes on\n");
}

std::string asked_json(const std::string& name, std::uint32_t sequence, const job::Outcome* outcome) {
  JsonWriter json;
  json.begin_object().member("job", name).member("request", sequence).member("done", outcome != nullptr);
  if (outcome != nullptr)
    json.member("failed", outcome->failed).member("version", outcome->version).member("error", outcome->text);
  return json.end_object().take();
}

}  // namespace

Result<Outcome> ask_job(const Invocation& invocation, const JobWish& wish) {
  if (!(wish.wait_seconds >= 0 && wish.wait_seconds <= kLongestWait))
    return Error{Code::invalid_argument,
                 fmt::format("--wait={}: a number of seconds from 0 to {} is right", wish.wait_seconds, kLongestWait)};
  job::Request request = wish.request;
  request.options = static_cast<std::uint8_t>((wish.term ? format::kJobTerm : 0) | (wish.stop ? format::kJobStop : 0));
  PSNAM_TRY(const auto service, open_existing(invocation));
  if (!service) return no_store(invocation, wish.name);
  PSNAM_TRY(const job::FoundRecord found, find_living(*service, wish.name));
  PSNAM_TRY(const std::uint32_t sequence, job::ask(found.control, request));
  if (wish.no_wait) {
    if (invocation.json) return Outcome{.output = asked_json(wish.name, sequence, nullptr)};
    return Outcome{.output = fmt::format("{}: asked; namctl job show {} tells how far it is\n", wish.name, wish.name)};
  }
  const std::uint64_t id = found.allocation.id;
  const auto lives = [&]() -> Result<bool> {
    const auto living = service->count_users(id);
    // A job that has ended takes its record along; the waiting finds what it said last.
    if (!living) return false;
    return *living != 0;
  };
  const std::chrono::milliseconds limit{static_cast<std::int64_t>(wish.wait_seconds * 1000)};
  PSNAM_TRY(const job::Outcome outcome, job::await_outcome(found.control, sequence, limit, lives));
  if (invocation.json) return Outcome{.output = asked_json(wish.name, sequence, &outcome), .failed = outcome.failed};
  if (outcome.failed)
    return Outcome{.failures = {fmt::format("job \"{}\" failed, and goes on: {}", wish.name, outcome.text)}};
  return Outcome{.output = done_text(wish.name, request, outcome)};
}

Result<Outcome> remove_jobs(const Invocation& invocation, const std::vector<std::string>& names) {
  PSNAM_TRY(const auto service, open_existing(invocation));
  Outcome outcome;
  for (const std::string& name : names) {
    const Status removed = [&]() -> Status {
      if (!service) return no_store(invocation, name);
      PSNAM_TRY(const job::FoundRecord found, job::find_record(*service, name, nam::AccessRight::read_only));
      if (found.living != 0)
        return Error{Code::busy, fmt::format("the job \"{}\" runs: {} of its processes live", name, found.living)};
      return service->free_allocation(found.allocation.id, false).status();
    }();
    if (removed)
      outcome.output += fmt::format("{} removed\n", name);
    else
      outcome.failures.push_back(removed.error().message);
  }
  return outcome;
}

}  // namespace psnam::cli
