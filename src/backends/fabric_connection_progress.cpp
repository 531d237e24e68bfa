// How a connection waits, and what ends a wait.
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "backends/fabric_connection.hpp"

namespace psnam::backends {
namespace {

constexpr std::chrono::microseconds kSpin{100};     // then a waiting thread sleeps, unless bytes are moving
constexpr std::chrono::microseconds kSpinAlone{2};  // then it offers its processor to others between two looks

}  // namespace

Status Connection::step(Lock& lock, Patience& patience, std::chrono::milliseconds longest_sleep) {
  const auto begin = Clock::now();
  progress();
  if (failure_) return failure();
  if (completed_ != patience.seen) {
    patience = begin_waiting();
    return {};
  }
  const auto now = Clock::now();
  const auto waited = now - patience.since;
  if (waited >= options_.timeout) {
    fail({Code::unreachable,
          fmt::format("nothing has moved on the fabric connection to {} for {} ms", peer_, options_.timeout.count())});
    return failure();
  }
  const bool moved = pace_.moved(now - begin);
  if (waited < kSpin || moved) {
    lock.unlock();
    if (waited > kSpinAlone && !moved) ::sched_yield();
    lock.lock();
  } else {
    block(lock, std::min(patience.since + options_.timeout, now + longest_sleep));
  }
  return failure_ ? Status{failure()} : Status{};
}

void Connection::block(Lock& lock, Clock::time_point until) {
  if (sleeping_) {
    changed_.wait_until(lock, until);
    return;
  }
  if (domain_.wait_fd < 0) until = std::min(until, Clock::now() + kRetrySleep);
  if (domain_.wait_fd >= 0 && !domain_.may_sleep()) return;
  sleeping_ = true;
  lock.unlock();
  std::array<pollfd, 2> events{{{wake_.get(), POLLIN, 0}, {domain_.wait_fd, POLLIN, 0}}};
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  ::poll(events.data(), events.size(), static_cast<int>(std::max<long>(rest, 0)));
  if ((events[0].revents & POLLIN) != 0) {
    std::uint64_t wakes = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &wakes, sizeof wakes);
  }
  lock.lock();
  sleeping_ = false;
  changed_.notify_all();
}

void Connection::progress() {
  if (failure_) return;
  unseen_bytes_ = 0;
  const std::uint64_t before = completed_;
  std::array<fi_cq_entry, 32> entries{};
  for (;;) {
    const auto count = fi_cq_read(domain_.completions.get(), entries.data(), entries.size());
    if (count == -FI_EAVAIL) return read_failure();
    if (count == -FI_EAGAIN) break;
    if (count < 0)
      return fail({Code::unreachable, fmt::format("reading completions of the fabric connection to {}: {}", peer_,
                                                  fi_strerror(static_cast<int>(-count)))});
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      complete(*static_cast<Operation*>(entries[i].op_context));
    if (static_cast<std::size_t>(count) < entries.size()) break;
  }
  if (completed_ == before || !sleeping_) return;
  // The thread that sleeps does not see a completion that was read by this one.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  changed_.notify_all();
}

void Connection::complete(Operation& operation) {
  ++completed_;
  operation.complete = true;
  if (operation.stage != nullptr) {
    operation.stage->unpack();
    staging_.give_back(std::exchange(operation.stage, nullptr));
  }
  while (tail_ != head_ && at(tail_).complete) ++tail_;
}

void Connection::read_failure() {
  fi_cq_err_entry entry{};
  if (fi_cq_readerr(domain_.completions.get(), &entry, 0) < 0) entry.err = FI_EIO;
  fail({Code::unreachable,
        fmt::format(
            "an operation on the fabric connection to {} failed: {} (the server is gone, or refuses key, range or "
            "right)",
            peer_, fi_strerror(entry.err)),
        entry.err});
}

void Connection::fail(Error error) {
  if (failure_) return;
  failure_ = std::make_unique<Error>(std::move(error));
  alive_.store(false, std::memory_order_release);
  // Only now the provider lets go of the buffers of what was under way.
  endpoint_.reset();
  held_back_.clear();
  changed_.notify_all();
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void Connection::abandon(std::string_view reason) {
  const Lock lock{mutex_};
  fail({Code::unreachable, fmt::format("the fabric connection to {} was given up: {}", peer_, reason)});
}

}  // namespace psnam::backends
