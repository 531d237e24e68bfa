// Asking a job for something, from outside, and hearing what became of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "job/control.hpp"

namespace psnam::job {

struct Request {
  format::JobRequest what = format::JobRequest::nothing;
  std::uint8_t options = 0;
  std::vector<std::uint32_t> leaving = {};  ///< of migrate: the ranks
};

/// Why a job in that condition does not take `request`, or success. Code::busy while it is at another one.
[[nodiscard]] Status judge(const JobFacts& facts, const format::JobControl& now, const Request& request);

/// Puts the request into the record; its number. Those who ask take turns; one that died while it had its turn is
/// passed over. Precondition: control.mapped().
[[nodiscard]] Result<std::uint32_t> ask(const Control& control, const Request& request);

/// Waits until the request `sequence` is through. `lives` says whether the job lives: Code::peer_lost if it does not.
/// Code::busy when the time is over: the request stands.
[[nodiscard]] Result<Outcome> await_outcome(const Control& control, std::uint32_t sequence,
                                            std::chrono::milliseconds limit,
                                            const std::function<Result<bool>()>& lives);

/// "pending: checkpoint --term", for messages.
[[nodiscard]] std::string shown(const format::JobControl& control);

}  // namespace psnam::job
