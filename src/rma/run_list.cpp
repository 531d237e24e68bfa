#include "rma/run_list.hpp"

#include <fmt/format.h>

namespace psnam::rma {
namespace {

Checked signed_of(std::size_t number) noexcept {
  Checked result{static_cast<std::ptrdiff_t>(number)};
  result.ok = result.value >= 0;
  return result;
}

// Where the block after the last one of `run` would begin.
Checked next_block(const Run& run) noexcept { return Checked{run.offset} + signed_of(run.count) * run.stride; }

}  // namespace

std::ptrdiff_t RunList::use(Checked number) noexcept {
  if (!number.ok) overflow_ = true;
  return number.value;
}

void RunList::append(Run run) {
  if (run.length == 0 || run.count == 0 || failed()) return;
  if (run.count > 1 && std::cmp_equal(run.stride, run.length)) {
    run.length = static_cast<std::size_t>(use(signed_of(run.length) * signed_of(run.count)));
    run.count = 1;
  }
  if (run.count == 1) run.stride = 0;
  if (!follows_last_block(run)) return join(run);

  Run block = pop_last_block();
  block.length += run.length;
  join(block);
  if (run.count == 1) return;
  run.offset = use(Checked{run.offset} + run.stride);
  if (--run.count == 1) run.stride = 0;
  join(run);
}

void RunList::append(const RunList& list, Checked at) {
  overflow_ |= list.overflow_;
  too_many_ |= list.too_many_;
  const std::ptrdiff_t distance = use(at);
  for (Run run : list.runs_) {
    run.offset = use(Checked{run.offset} + distance);
    append(run);
  }
}

void RunList::repeat(std::int64_t n, Checked stride) {
  if (n <= 0) runs_.clear();
  if (n <= 1 || runs_.empty()) return;
  const std::ptrdiff_t distance = use(stride);
  if (failed()) return;
  if (runs_.size() > 1) return repeat_each(n, distance);

  Run run = runs_.front();
  const Checked length_of_all = signed_of(run.count) * run.stride;
  if (run.count == 1) {
    run.stride = distance;
    run.count = static_cast<std::size_t>(n);
  } else if (length_of_all.ok && length_of_all.value == distance) {
    run.count = static_cast<std::size_t>(use(signed_of(run.count) * n));
  } else {
    return repeat_each(n, distance);
  }
  use(next_block(run) - run.stride);
  runs_.clear();
  append(run);
}

void RunList::repeat_each(std::int64_t n, std::ptrdiff_t stride) {
  const std::vector<Run> body = std::exchange(runs_, {});
  for (std::int64_t i = 0; i < n && !failed(); ++i) {
    const std::ptrdiff_t distance = use(Checked{i} * stride);
    for (Run run : body) {
      run.offset = use(Checked{run.offset} + distance);
      append(run);
    }
  }
}

bool RunList::follows_last_block(const Run& run) const noexcept {
  if (runs_.empty()) return false;
  const Run& last = runs_.back();
  const Checked end = next_block(last) - last.stride + signed_of(last.length);
  return end.ok && end.value == run.offset;
}

Run RunList::pop_last_block() noexcept {
  Run& last = runs_.back();
  const Run block{use(next_block(last) - last.stride), last.length, 0, 1};
  --last.count;
  if (last.count == 1) last.stride = 0;
  if (last.count == 0) runs_.pop_back();
  return block;
}

void RunList::join(Run run) {
  if (!runs_.empty() && extend_last(run)) return;
  if (runs_.size() == max_runs_)
    too_many_ = true;
  else
    runs_.push_back(run);
}

bool RunList::extend_last(const Run& run) noexcept {
  Run& last = runs_.back();
  if (last.length != run.length) return false;
  const Checked step = last.count == 1 ? Checked{run.offset} - last.offset : Checked{last.stride};
  if (!step.ok || (run.count > 1 && run.stride != step.value)) return false;
  if (last.count > 1) {
    const Checked next = next_block(last);
    if (!next.ok || next.value != run.offset) return false;
  }
  last.stride = step.value;
  last.count += run.count;
  return true;
}

Status RunList::status() const {
  if (overflow_) return Error{Code::datatype, "the datatype reaches beyond the 64-bit address range"};
  if (too_many_)
    return Error{Code::no_memory, fmt::format("the datatype consists of more than {} irregular pieces", max_runs_)};
  return {};
}

}  // namespace psnam::rma
