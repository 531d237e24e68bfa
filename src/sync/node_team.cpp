// Why the barrier works. It is a dissemination barrier: in round k each process signals the one 2^k places on and waits
// for the one 2^k places back; after ceil(log2 n) rounds everybody has heard, directly or not, of everybody. Writers:
// word arrived[k] of a cell has exactly one, the process 2^k places back, and it only grows (by wrap-around
// arithmetic), so no reset and no race of two barriers. Readers: the cell's owner. Ordering: the signal is a
// sequentially consistent exchange, hence a release of everything written before, and the owner's load an acquire. A
// waiter that is going to sleep sets `sleeping`, then looks at the word once more (inside the futex call); a signaller
// writes the word, then looks at `sleeping`: one of the two sees the other. A stale read costs one more look. A dead
// writer is found by the waiter, which looks from time to time whether that process still exists.
#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <span>

#include "base/process.hpp"
#include "format/control_page.hpp"
#include "sync/progress.hpp"
#include "sync/team.hpp"

namespace psnam::sync {
namespace {

using format::ControlCell;
using format::ControlHeader;
using Clock = std::chrono::steady_clock;

constexpr unsigned kSpinsBetweenPolls = 16;
constexpr auto kSpinTime = std::chrono::microseconds{200};
constexpr auto kYieldTime = std::chrono::milliseconds{5};
constexpr long kSleepNanoseconds = 500'000;
constexpr auto kAliveCheckTime = std::chrono::milliseconds{200};

ControlCell* cells_of(const Mapping& page) noexcept {
  return std::launder(reinterpret_cast<ControlCell*>(page.data() + sizeof(ControlHeader)));
}

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  const timespec limit{0, kSleepNanoseconds};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &limit, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

bool has_come(const std::atomic<std::uint32_t>& word, std::uint32_t generation) noexcept {
  return static_cast<std::int32_t>(word.load(std::memory_order_acquire) - generation) >= 0;
}

class NodeTeam final : public Team {
 public:
  NodeTeam(const Real& real, Mapping page, std::uint32_t rank, std::uint32_t size) noexcept
      : real_{real},
        page_{std::move(page)},
        cells_{cells_of(page_)},
        rank_{rank},
        size_{size},
        crowded_{::sysconf(_SC_NPROCESSORS_ONLN) < static_cast<long>(size)} {}

  Status barrier() override {
    const std::uint32_t generation = ++generation_;
    for (std::uint32_t round = 0, distance = 1; distance < size_; ++round, distance *= 2) {
      ControlCell& next = cells_[(rank_ + distance) % size_];
      next.arrived[round].exchange(generation, std::memory_order_seq_cst);
      if (next.sleeping.load(std::memory_order_seq_cst) != 0) futex_wake(next.arrived[round]);
      if (has_come(cells_[rank_].arrived[round], generation)) continue;
      PSNAM_CHECK(wait(cells_[rank_].arrived[round], generation, (rank_ + size_ - distance % size_) % size_));
    }
    return {};
  }

  Result<std::vector<std::uint64_t>> gather(std::uint64_t word) override {
    cells_[rank_].word = word;
    PSNAM_CHECK(barrier());
    std::vector<std::uint64_t> words(size_);
    for (std::uint32_t i = 0; i < size_; ++i) words[i] = cells_[i].word;
    PSNAM_CHECK(barrier());
    return words;
  }

  Status agree(Status mine) override {
    say(cells_[rank_], mine);
    PSNAM_CHECK(barrier());
    const auto* const failed =
        std::find_if(cells_, cells_ + size_, [](const ControlCell& cell) { return cell.code >= 0; });
    Status agreed;
    if (failed != cells_ + size_)
      agreed =
          Error{static_cast<Code>(failed->code), std::string{failed->message, failed->message_bytes}, failed->detail};
    PSNAM_CHECK(barrier());
    return agreed;
  }

 private:
  static void say(ControlCell& cell, const Status& status) noexcept {
    cell.code = -1;
    if (status) return;
    const Error& error = status.error();
    cell.code = static_cast<std::int32_t>(error.code);
    cell.detail = error.detail;
    cell.message_bytes = static_cast<std::uint32_t>(std::min(error.message.size(), format::kMessageBytes));
    std::memcpy(cell.message, error.message.data(), cell.message_bytes);
  }

  Status wait(std::atomic<std::uint32_t>& word, std::uint32_t generation, std::uint32_t awaited) {
    const auto start = Clock::now();
    auto next_check = start + kAliveCheckTime;
    for (unsigned turn = 1;; ++turn) {
      if (!crowded_)
        for (unsigned i = 0; i < kSpinsBetweenPolls; ++i) {
          if (has_come(word, generation)) return {};
          __builtin_ia32_pause();
        }
      if (has_come(word, generation)) return {};
      make_progress(real_);
      if (!crowded_ && turn % 8 != 0) continue;
      const auto now = Clock::now();
      if (!crowded_ && now - start < kSpinTime) continue;
      if (now - start < kYieldTime) {
        ::sched_yield();
        continue;
      }
      sleep_on(word, generation);
      if (now < next_check) continue;
      next_check = now + kAliveCheckTime;
      PSNAM_CHECK(check_alive(awaited, word, generation));
    }
  }

  void sleep_on(std::atomic<std::uint32_t>& word, std::uint32_t generation) noexcept {
    ControlCell& own = cells_[rank_];
    own.sleeping.store(1, std::memory_order_seq_cst);
    const std::uint32_t seen = word.load(std::memory_order_seq_cst);
    if (static_cast<std::int32_t>(seen - generation) < 0) futex_wait(word, seen);
    own.sleeping.store(0, std::memory_order_relaxed);
  }

  Status check_alive(std::uint32_t awaited, const std::atomic<std::uint32_t>& word, std::uint32_t generation) const {
    const ControlCell& cell = cells_[awaited];
    if (process_runs(cell.pid, cell.start_time_ticks) || has_come(word, generation)) return {};
    return Error{Code::peer_lost,
                 fmt::format("rank {} of the window (process {}) has ended without taking part", awaited, cell.pid)};
  }

  const Real& real_;
  Mapping page_;
  ControlCell* cells_;
  std::uint32_t rank_;
  std::uint32_t size_;
  std::uint32_t generation_ = 0;
  bool crowded_;  ///< more processes than processors: spinning would keep the awaited one from running
};

}  // namespace

void format_control_page(const Mapping& page, std::span<const format::ProcessIdentity> processes) noexcept {
  ControlCell* const cells = cells_of(page);
  for (std::size_t i = 0; i < processes.size(); ++i) {
    cells[i].pid = processes[i].pid;
    cells[i].start_time_ticks = processes[i].start_time_ticks;
    cells[i].code = -1;
  }
  *reinterpret_cast<ControlHeader*>(page.data()) = {format::kControlMagic, format::kControlVersion,
                                                    static_cast<std::uint32_t>(page.bytes()),
                                                    static_cast<std::uint32_t>(processes.size())};
}

Status check_control_page(const Mapping& page, std::size_t processes) {
  const auto* const header = reinterpret_cast<const ControlHeader*>(page.data());
  if (header->magic != format::kControlMagic || header->version != format::kControlVersion)
    return Error{
        Code::incompatible,
        fmt::format("the shared page of the window has version {}, this library speaks version {}: do all ranks load "
                    "the same libpsnam.so?",
                    header->version, format::kControlVersion)};
  if (header->processes != processes)
    return Error{Code::corrupt, fmt::format("the shared page of the window is for {} processes instead of {}",
                                            header->processes, processes)};
  return {};
}

std::unique_ptr<Team> make_node_team(const Real& real, Mapping page, std::uint32_t rank, std::uint32_t size) {
  return std::make_unique<NodeTeam>(real, std::move(page), rank, size);
}

}  // namespace psnam::sync
