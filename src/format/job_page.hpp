// The control record of a running job: what it is asked from outside, how far it has come with that, and where each of
// its ranks stands. It is an allocation of the NAM; the ranks of the job and those who ask map it, and may run
// different builds of this library.
//
//   JobPage | JobSeat[ranks]
//
// docs/formats/job-page.md has the same in words, src/job/agreement.hpp says why it works. Bump kJobVersion when a
// field moves or its meaning changes.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/choice.hpp"

namespace psnam::format {

inline constexpr std::uint32_t kJobMagic = 0x424f4a4e;  // "NJOB"
inline constexpr std::uint32_t kJobVersion = 1;
inline constexpr std::size_t kJobNameBytes = 128;
inline constexpr std::size_t kJobTextBytes = 232;
inline constexpr std::size_t kJobOutcomes = 8;

enum class JobState : std::uint8_t {
  none = 0,
  requested = 1,
  pending = 2,
  running = 3,
  in_checkpoint = 4,
  proceeding = 5,
  restart = 6,
  terminating = 7,
  error = 8,
  stopped = 9,
  ended = 10
};
inline constexpr std::array<Choice<JobState>, 11> kJobStates{{
    {"none", "nothing is asked", JobState::none},
    {"requested", "a request waits to be seen", JobState::requested},
    {"pending", "a rank has seen it; the ranks agree on a safe point", JobState::pending},
    {"running", "all ranks stand at the safe point", JobState::running},
    {"in checkpoint", "a version is saved", JobState::in_checkpoint},
    {"continue", "the job is told to go on", JobState::proceeding},
    {"restart", "the data become those of a version", JobState::restart},
    {"terminating", "what was asked is done, and the job ends", JobState::terminating},
    {"error", "the last request failed, and the job goes on", JobState::error},
    {"stopped", "all ranks stand at the safe point, until they are told to go on", JobState::stopped},
    {"ended", "the job has let go of its record", JobState::ended},
}};

enum class JobRequest : std::uint8_t {
  nothing = 0,
  checkpoint = 1,
  quiesce_start = 2,
  quiesce_checkpoint = 3,
  quiesce_end = 4,
  proceed = 5,
  restart = 6,
  migrate = 7
};
inline constexpr std::array<Choice<JobRequest>, 8> kJobRequests{{
    {"-", "none yet", JobRequest::nothing},
    {"checkpoint", "save a version", JobRequest::checkpoint},
    {"quiesce start", "stop at the safe point", JobRequest::quiesce_start},
    {"quiesce checkpoint", "save a version and stay", JobRequest::quiesce_checkpoint},
    {"quiesce end", "go on", JobRequest::quiesce_end},
    {"continue", "go on", JobRequest::proceed},
    {"restart", "back to the newest version", JobRequest::restart},
    {"migrate", "save a version and end; ranks leave their nodes", JobRequest::migrate},
}};

/// Options of a request.
inline constexpr std::uint8_t kJobTerm = 1;  ///< the job ends after it
inline constexpr std::uint8_t kJobStop = 2;  ///< the job stays at the safe point after it

/// What a job has registered; bits of JobPage::abilities.
inline constexpr std::uint32_t kJobSaves = 1;    ///< data that the library saves
inline constexpr std::uint32_t kJobHandles = 2;  ///< handlers

/// The word that says what is asked, as a value.
struct JobControl {
  bool asked = false;  ///< safe points have something to do
  JobState state = JobState::none;
  JobRequest request = JobRequest::nothing;
  std::uint8_t options = 0;
  std::uint32_t sequence = 0;  ///< requests that were ever made
  bool operator==(const JobControl&) const = default;

  [[nodiscard]] constexpr std::uint64_t encode() const noexcept {
    return (asked ? 1U : 0U) | std::uint64_t{static_cast<std::uint8_t>(state)} << 8 |
           std::uint64_t{static_cast<std::uint8_t>(request)} << 16 | std::uint64_t{options} << 24 |
           std::uint64_t{sequence} << 32;
  }
  /// Unknown values become `ended` and `nothing`, for which there is nothing to do.
  [[nodiscard]] static constexpr JobControl decode(std::uint64_t word) noexcept {
    const auto state = static_cast<std::uint8_t>(word >> 8);
    const auto request = static_cast<std::uint8_t>(word >> 16);
    return {.asked = (word & 1) != 0,
            .state = state < kJobStates.size() ? static_cast<JobState>(state) : JobState::ended,
            .request = request < kJobRequests.size() ? static_cast<JobRequest>(request) : JobRequest::nothing,
            .options = static_cast<std::uint8_t>(word >> 24),
            .sequence = static_cast<std::uint32_t>(word >> 32)};
  }
};

/// At which safe point the ranks act on a request, in a word that is compared and exchanged: 16 bits tell the request.
struct JobTarget {
  static constexpr std::uint64_t kNumberMask = (std::uint64_t{1} << 48) - 1;
  std::uint16_t tag = 0;
  std::uint64_t number = 0;
  [[nodiscard]] constexpr std::uint64_t encode() const noexcept {
    return std::uint64_t{tag} << 48 | (number & kNumberMask);
  }
  [[nodiscard]] static constexpr JobTarget decode(std::uint64_t word) noexcept {
    return {static_cast<std::uint16_t>(word >> 48), word & kNumberMask};
  }
};

/// What became of a request. That of number n is at n % kJobOutcomes.
struct JobOutcome {
  std::uint32_t sequence;
  std::uint32_t failed;
  std::uint64_t version;     ///< that was saved or restored; 0: none
  std::uint64_t safe_point;  ///< its number
  char text[kJobTextBytes];  ///< why it failed; ends with a zero
};
static_assert(sizeof(JobOutcome) == 256 && offsetof(JobOutcome, text) == 24);

struct JobPage {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t ranks;
  std::atomic<std::uint32_t> abilities;
  std::uint8_t id[16];  ///< of this run of the job
  std::uint64_t started_unix_seconds;
  std::uint8_t reserved0[24];
  char name[kJobNameBytes];            ///< padded with zeros
  alignas(64) std::uint8_t mutex[64];  ///< pthread_mutex_t, robust, shared: of those who ask, not of the job
  alignas(64) std::atomic<std::uint64_t> control;  ///< JobControl
  alignas(64) std::atomic<std::uint32_t> bell;     ///< counts changes of `control`; who waits sleeps on it
  alignas(64) std::atomic<std::uint32_t> closing;  ///< number of the request that all ranks have seen
  std::atomic<std::uint64_t> target;               ///< JobTarget
  alignas(64) JobOutcome outcomes[kJobOutcomes];
};
static_assert(offsetof(JobPage, name) == 64 && offsetof(JobPage, mutex) == 192 && offsetof(JobPage, control) == 256 &&
              offsetof(JobPage, bell) == 320 && offsetof(JobPage, closing) == 384 && offsetof(JobPage, target) == 392 &&
              offsetof(JobPage, outcomes) == 448 && sizeof(JobPage) == 448 + 256 * kJobOutcomes);
static_assert(sizeof(pthread_mutex_t) <= sizeof(JobPage::mutex));
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8);

/// Values of JobSeat::leaving.
inline constexpr std::uint32_t kJobStays = 0;
inline constexpr std::uint32_t kJobLeaves = 1;  ///< it is to be on another node at the next start
inline constexpr std::uint32_t kJobStayed = 2;  ///< it was to leave before this start, and is on the same node

/// One rank; written by it alone, but for `leaving`.
struct alignas(64) JobSeat {
  std::atomic<std::uint64_t> count;      ///< safe points that it has come to
  std::atomic<std::uint32_t> announced;  ///< number of the last request that it has seen
  std::atomic<std::uint32_t> leaving;
  std::uint8_t node[16];  ///< id of the store of its node
  std::uint32_t pid;
  std::uint8_t reserved[28];
};
static_assert(sizeof(JobSeat) == 64 && offsetof(JobSeat, announced) == 8 && offsetof(JobSeat, node) == 16 &&
              offsetof(JobSeat, pid) == 32);

[[nodiscard]] constexpr std::uint64_t job_page_bytes(std::uint32_t ranks) noexcept {
  return sizeof(JobPage) + std::uint64_t{ranks} * sizeof(JobSeat);
}

}  // namespace psnam::format
