#include "job/requests.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "base/system.hpp"

namespace psnam::job {
namespace {

using format::JobControl;
using format::JobPage;
using format::JobRequest;
using format::JobState;

/// The turn of one who asks. Nobody has it longer than it takes to write a few words; who does, has been stopped.
class Turn {
 public:
  static Result<Turn> take(JobPage& page) {
    auto* const mutex = reinterpret_cast<pthread_mutex_t*>(page.mutex);
    int error = ::pthread_mutex_trylock(mutex);
    if (error == EBUSY) error = wait_for(mutex);
    // Its holder died: the request was put by one exchange, or was not.
    if (error == EOWNERDEAD) error = ::pthread_mutex_consistent(mutex);
    if (error != 0) return system_error("waiting for others who ask the same job", error);
    return Turn{mutex};
  }
  Turn(Turn&& other) noexcept : mutex_{std::exchange(other.mutex_, nullptr)} {}
  Turn& operator=(Turn&&) = delete;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (mutex_ != nullptr) ::pthread_mutex_unlock(mutex_);
  }

 private:
  explicit Turn(pthread_mutex_t* mutex) noexcept : mutex_{mutex} {}
  static int wait_for(pthread_mutex_t* mutex) {
    constexpr time_t kLimitSeconds = 10;
    timespec limit{};
    ::clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += kLimitSeconds;
    return ::pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &limit);
  }
  pthread_mutex_t* mutex_;
};

bool goes_on_only(JobRequest what) {
  return what == JobRequest::proceed || what == JobRequest::quiesce_end || what == JobRequest::quiesce_checkpoint;
}

bool has_settled(const JobControl& now) {
  return !now.asked || now.state == JobState::stopped || now.state == JobState::terminating ||
         now.state == JobState::ended;
}

Error refused(const JobFacts& facts, const Request& request, Code code, std::string_view why) {
  return Error{code, fmt::format("job \"{}\" refuses {}: {}", facts.name,
                                 shown({.request = request.what, .options = request.options}), why)};
}

Status judge_ranks(const JobFacts& facts, const Request& request) {
  if (request.what != JobRequest::migrate) return {};
  if (request.leaving.empty())
    return refused(facts, request, Code::invalid_argument, "the ranks that are to leave their nodes are not named");
  const std::uint32_t largest = std::ranges::max(request.leaving);
  if (largest >= facts.ranks)
    return refused(facts, request, Code::invalid_argument,
                   fmt::format("there is no rank {}, its ranks are 0 to {}", largest, facts.ranks - 1));
  return {};
}

}  // namespace

std::string shown(const JobControl& control) {
  std::string text{name_of(control.request, format::kJobRequests)};
  if ((control.options & format::kJobTerm) != 0) text += " --term";
  if ((control.options & format::kJobStop) != 0) text += " --stop";
  if (control.state == JobState::none) return text;
  return fmt::format("{}: {}", name_of(control.state, format::kJobStates), text);
}

Status judge(const JobFacts& facts, const JobControl& now, const Request& request) {
  if (now.state == JobState::ended) return refused(facts, request, Code::name_not_found, "the job has ended");
  if (now.state == JobState::terminating)
    return refused(facts, request, Code::busy, fmt::format("the job is ending ({})", shown(now)));
  if (now.asked && now.state != JobState::stopped)
    return refused(facts, request, Code::busy, fmt::format("another request is under way ({})", shown(now)));
  if (facts.abilities == 0)
    return refused(facts, request, Code::unsupported, "it has registered neither data nor a handler");
  const bool needs_data = request.what == JobRequest::restart || request.what == JobRequest::migrate;
  if (needs_data && (facts.abilities & format::kJobSaves) == 0)
    return refused(facts, request, Code::unsupported, "it has handlers, but no data that the library saves");
  if (!now.asked && goes_on_only(request.what)) return refused(facts, request, Code::sync, "it is not stopped");
  if (now.asked && request.what == JobRequest::quiesce_start)
    return refused(facts, request, Code::sync, fmt::format("it is stopped already ({})", shown(now)));
  return judge_ranks(facts, request);
}

Result<std::uint32_t> ask(const Control& control, const Request& request) {
  PSNAM_TRY(const Turn turn, Turn::take(control.page()));
  for (;;) {
    PSNAM_TRY(const JobFacts facts, control.facts());
    PSNAM_TRY(const JobControl now, control.word());
    PSNAM_CHECK(judge(facts, now, request));
    if (request.what == JobRequest::migrate)
      for (std::uint32_t rank = 0; rank < facts.ranks; ++rank) {
        const bool leaves = std::ranges::find(request.leaving, rank) != request.leaving.end();
        PSNAM_CHECK(control.set_leaving(rank, leaves ? format::kJobLeaves : format::kJobStays));
      }
    const JobControl next{.asked = true,
                          .state = JobState::requested,
                          .request = request.what,
                          .options = request.options,
                          .sequence = now.sequence + 1};
    if (control.exchange(now, next)) return next.sequence;
  }
}

Result<Outcome> await_outcome(const Control& control, std::uint32_t sequence, std::chrono::milliseconds limit,
                              const std::function<Result<bool>()>& lives) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kLook{500};
  const auto end = Clock::now() + limit;
  for (;;) {
    PSNAM_TRY(const JobControl now, control.word());
    // Read only when the job has said that it is written; then it takes the next request, too.
    if (now.sequence != sequence || has_settled(now)) {
      PSNAM_TRY(auto outcome, control.outcome(sequence));
      if (outcome) return std::move(*outcome);
      return Error{Code::peer_lost, "the job has ended without coming to a safe point"};
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0)
      return Error{Code::busy, fmt::format("after {} s the job is still at it ({}); the request stands",
                                           limit.count() / 1000, shown(now))};
    PSNAM_TRY(const JobControl later, control.await_other_than(now, std::min(left, kLook)));
    if (later != now) continue;
    PSNAM_TRY(const bool alive, lives());
    if (!alive) return Error{Code::peer_lost, fmt::format("the job was killed ({})", shown(now))};
  }
}

}  // namespace psnam::job
