// What a job does when all its ranks stand at the safe point: the handlers are told, a version is saved or restored,
// the handlers are told how it ended, and rank 0 says so in the record. A failure is told too, and the job goes on.
#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/log.hpp"
#include "format/job_page.hpp"
#include "job/job.hpp"

namespace psnam::job {
namespace {

using checkpoint::locally;
using format::JobControl;
using format::JobRequest;
using format::JobState;

constexpr std::chrono::milliseconds kLook{500};
/// Of the looks at whether what is waited for can come at all.
constexpr std::chrono::seconds kWatch{2};
/// A service that was lost counts a rank again only when that has asked it for something.
constexpr int kMissedLooks = 3;

bool saves(JobRequest request) {
  return request == JobRequest::checkpoint || request == JobRequest::quiesce_checkpoint ||
         request == JobRequest::migrate;
}

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::checkpoint:
      return "checkpoint";
    case Phase::proceed:
      return "continue";
    case Phase::restart:
      return "restart";
    case Phase::failure:
      break;
  }
  return "failure";
}

}  // namespace

Result<Verdict> Job::serve() {
  for (;;) {
    PSNAM_TRY(const Order order, hear());
    requests_ = order.sequence;
    PSNAM_TRY(const Verdict verdict, carry_out(order));
    if (!stopped_) return verdict;
    PSNAM_CHECK(await_next(order));
  }
}

Result<Job::Order> Job::hear() {
  Order order;
  const Status heard = locally([&]() -> Status {
    if (!leads()) return {};
    PSNAM_TRY(const JobControl now, control().word());
    order.sequence = now.sequence;
    order.request = now.request;
    order.options = now.options;
    return {};
  });
  PSNAM_CHECK(team_.agree(heard));
  PSNAM_CHECK(team_.broadcast(order, 0));
  say(order, JobState::running, true);
  return order;
}

Result<Verdict> Job::carry_out(const Order& order) {
  auto done = work_on(order);
  if (!done) {
    // What the MPI library could not do it cannot tell the others either.
    if (done.error().code == Code::mpi) return done.take_error();
    return fail(order, std::move(done).status());
  }
  return conclude(order, *done);
}

/// The number of the version; 0 where there is none.
Result<std::uint64_t> Job::work_on(const Order& order) {
  if (!stopped_) PSNAM_CHECK(tell(Phase::checkpoint));
  if (order.request == JobRequest::restart) {
    if (!versions_) return Error{Code::unsupported, "the job has no data that the library saves"};
    say(order, JobState::restart, true);
    return versions_->restart();
  }
  if (!saves(order.request) || !versions_) return std::uint64_t{0};
  say(order, JobState::in_checkpoint, true);
  return versions_->save();
}

Result<Verdict> Job::conclude(const Order& order, std::uint64_t version) {
  const bool ends = order.request == JobRequest::migrate ||
                    (order.request == JobRequest::checkpoint && (order.options & format::kJobTerm) != 0);
  const bool stays = order.request == JobRequest::quiesce_start || order.request == JobRequest::quiesce_checkpoint ||
                     (order.request == JobRequest::checkpoint && (stopped_ || (order.options & format::kJobStop) != 0));
  stopped_ = false;
  if (ends) {
    ended_ = true;
    keeps_record_ = order.request == JobRequest::migrate;
    publish(order, version, {});
    say(order, JobState::terminating, true);
    return Verdict::end;
  }
  if (stays) {
    stopped_ = true;
    publish(order, version, {});
    say(order, JobState::stopped, true);
    return Verdict::go_on;
  }
  const bool restarts = order.request == JobRequest::restart;
  say(order, restarts ? JobState::restart : JobState::proceeding, true);
  const Status told = tell(restarts ? Phase::restart : Phase::proceed);
  publish(order, version, told);
  say(order, told ? JobState::none : JobState::error, false);
  if (restarts) return Verdict::restarted;
  return saves(order.request) ? Verdict::saved : Verdict::go_on;
}

Verdict Job::fail(const Order& order, const Status& why) {
  stopped_ = false;
  if (leads()) log::warn("the request that came from outside failed: {}", why.error().message);
  if (const Status told = tell(Phase::failure); !told) log::warn("{}", told.error().message);
  forget_departures(order);
  publish(order, 0, why);
  say(order, JobState::error, false);
  return Verdict::failed;
}

/// Nobody has to leave for a request that was not carried out.
void Job::forget_departures(const Order& order) const {
  if (!leads() || order.request != JobRequest::migrate) return;
  for (std::uint32_t one = 0; one < control().ranks(); ++one)
    if (const Status forgotten = control().set_leaving(one, format::kJobStays); !forgotten)
      log::warn("the control record of the job cannot be written: {}", forgotten.error().message);
}

Status Job::tell(Phase phase) {
  const Status mine = locally([&]() -> Status {
    const auto call = [&](const Handler& handler) -> Status {
      const int answer = handler(phase);
      if (answer == 0) return {};
      return Error{Code::system, fmt::format("a handler answered {} to the phase {}", answer, name_of(phase))};
    };
    Status first;
    const auto call_all = [&](auto&& handlers) {
      for (const Handler& handler : handlers) {
        Status answered = call(handler);
        if (!answered && first) first = std::move(answered);
      }
    };
    // Every handler hears every phase, so that each can undo what it did.
    if (phase == Phase::checkpoint)
      call_all(handlers_);
    else
      call_all(std::views::reverse(handlers_));
    return first;
  });
  return team_.agree(mine);
}

Status Job::came_back() { return tell(Phase::restart); }

void Job::say(const Order& order, JobState state, bool asked) const {
  if (!leads()) return;
  const Status said = control().say(
      {.asked = asked, .state = state, .request = order.request, .options = order.options, .sequence = order.sequence});
  if (!said) log::warn("the control record of the job cannot be written: {}", said.error().message);
}

void Job::publish(const Order& order, std::uint64_t version, const Status& status) const {
  if (!leads()) return;
  const Status published = control().publish({.sequence = order.sequence,
                                              .failed = !status.ok(),
                                              .version = version,
                                              .safe_point = info().safe_points,
                                              .text = status ? std::string{} : status.error().message});
  if (!published) log::warn("the control record of the job cannot be written: {}", published.error().message);
}

/// Stopped: all wait for the next request, each by itself and asleep.
Status Job::await_next(const Order& order) {
  bool complete = true;
  const Status mine = locally([&]() -> Status {
    PSNAM_TRY(complete, leads() ? watch_as_first(order) : watch_as_other(order));
    return {};
  });
  // Each rank finds this out by itself: no message could tell it to all.
  if (!complete) {
    stopped_ = false;
    return Error{Code::peer_lost,
                 fmt::format("of the {} ranks of the job some ended while it was stopped", control().ranks())};
  }
  Status all = team_.agree(mine);
  if (!all) static_cast<void>(fail(order, all));
  return all;
}

/// Whether there is still everybody who has to be. A look that fails says nothing.
bool Job::Watch::complete(const Record& record) {
  next = Clock::now() + kWatch;
  const auto living = record.living();
  missed = living && *living < record.control().ranks() ? missed + 1 : 0;
  return missed < kMissedLooks;
}

/// Of rank 0: a request can come only as long as the record is there to be found. False if ranks have ended.
Result<bool> Job::watch_as_first(const Order& order) const {
  Watch watch;
  for (;;) {
    PSNAM_TRY(const JobControl seen, control().word());
    if (seen.sequence != order.sequence) return true;
    PSNAM_TRY(const JobControl now, control().await_other_than(seen, kLook));
    if (now != seen || Clock::now() < watch.next) continue;
    if (!watch.complete(*record_)) return false;
    const Status there = record_->check_there();
    if (there) continue;
    JobControl failed = seen;
    failed.state = JobState::error;
    failed.asked = false;
    // Unless a request came at the last moment.
    if (control().mapped() ? control().exchange(seen, failed) : control().say(failed).ok())
      return Error{there.error().code,
                   fmt::format("the job was stopped, and nobody can tell it to go on: {}", there.error().message)};
  }
}

/// Of the others: until rank 0 has heard something. False if ranks have ended.
Result<bool> Job::watch_as_other(const Order& order) const {
  Watch watch;
  for (;;) {
    PSNAM_TRY(const JobControl seen, control().word());
    if (seen.sequence != order.sequence || seen.state == JobState::error) return true;
    PSNAM_TRY(const JobControl now, control().await_other_than(seen, kLook));
    if (now == seen && Clock::now() >= watch.next && !watch.complete(*record_)) return false;
  }
}

}  // namespace psnam::job
