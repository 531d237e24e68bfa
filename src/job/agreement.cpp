#include "job/agreement.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::job {

using format::JobControl;
using format::JobPage;
using format::JobState;
using format::JobTarget;

bool Agreement::arrive() const noexcept {
  auto& count = control_->seat(rank_).count;
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return (control_->page().control.load(std::memory_order_relaxed) & 1) != 0;
}

bool Agreement::all_have_seen(std::uint32_t sequence) const noexcept {
  for (std::uint32_t rank = 0; rank < control_->ranks(); ++rank)
    if (control_->seat(rank).announced.load() != sequence) return false;
  return true;
}

std::uint64_t Agreement::target(std::uint32_t sequence) const noexcept {
  auto& word = control_->page().target;
  const auto tag = static_cast<std::uint16_t>(sequence);
  std::uint64_t now = word.load();
  if (JobTarget::decode(now).tag == tag) return JobTarget::decode(now).number;
  std::uint64_t largest = 0;
  for (std::uint32_t rank = 0; rank < control_->ranks(); ++rank)
    largest = std::max(largest, control_->seat(rank).count.load());
  const JobTarget mine{tag, largest + 1};
  return word.compare_exchange_strong(now, mine.encode()) ? mine.number : JobTarget::decode(now).number;
}

Result<bool> Agreement::act_here(std::uint32_t acted) const {
  JobPage& page = control_->page();
  const JobControl asked = JobControl::decode(page.control.load());
  if (!asked.asked || asked.sequence == acted) return false;
  if (asked.state == JobState::requested) {
    JobControl pending = asked;
    pending.state = JobState::pending;
    static_cast<void>(control_->exchange(asked, pending));  // or another rank was first
  }
  // Again, in the order that counts from here on.
  const std::uint64_t here = count();
  control_->seat(rank_).count.store(here);
  control_->seat(rank_).announced.store(asked.sequence);
  if (page.closing.load() != asked.sequence) {
    if (!all_have_seen(asked.sequence)) return false;
    page.closing.store(asked.sequence);
  }
  const std::uint64_t there = target(asked.sequence);
  if (here > there)
    return Error{Code::sync,
                 fmt::format("rank {} is at its safe point {}, and all act at {}: all ranks have to come to "
                             "safe points equally often",
                             rank_, here, there)};
  return here == there;
}

}  // namespace psnam::job
