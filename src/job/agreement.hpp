// How the ranks of a job agree, without a message, at which safe point all of them act on a request. They count their
// safe points in the record, and call them equally often; at a safe point nobody may wait for somebody who is before
// it, because that one may need a message of a rank that would wait.
//
// Why it works. A rank that sees the request announces it and goes on. When all have, `closing` is set. As long as a
// rank has not announced it nobody can act, so where nothing is seen to be asked a safe point needs no order: a plain
// store of the count, a plain load. From the announcement on a rank first stores its count, then looks at `closing`,
// both sequentially consistent. One that sees it stays there until there is a target, and makes one itself if nobody
// has: the largest of all counts, and one. A rank that had passed a safe point without seeing `closing` had stored its
// count before, so that is in the largest; one that sees it stands at most at the target. Whoever makes it may die: the
// next one makes it. Targets of different ranks may differ by one, since counts grow meanwhile; each is right, and the
// first is taken. Nobody waits for anybody before the target, where the job acts together.
//
// A stale read costs one safe point. A rank that died leaves at worst a request that nobody acts on.
#pragma once

#include <cstdint>

#include "format/job_page.hpp"
#include "job/control.hpp"

namespace psnam::job {

/// Of one rank, on a record that is mapped.
class Agreement {
 public:
  Agreement(const Control& control, std::uint32_t rank) noexcept : control_{&control}, rank_{rank} {}

  /// The rank comes to its next safe point: whether something is asked. What programs do inline.
  [[nodiscard]] bool arrive() const noexcept;
  /// After arrive() returned true: whether this is the safe point at which all act. `acted` is the number of the last
  /// request that this rank has acted on: other ranks may be at work on the next one already, and on that one still.
  /// Code::sync for a rank that is past it: not all come to safe points equally often.
  [[nodiscard]] Result<bool> act_here(std::uint32_t acted) const;
  /// Safe points that this rank has come to.
  [[nodiscard]] std::uint64_t count() const noexcept { return control_->seat(rank_).count.load(); }

 private:
  [[nodiscard]] bool all_have_seen(std::uint32_t sequence) const noexcept;
  [[nodiscard]] std::uint64_t target(std::uint32_t sequence) const noexcept;

  const Control* control_;
  std::uint32_t rank_;
};

}  // namespace psnam::job
