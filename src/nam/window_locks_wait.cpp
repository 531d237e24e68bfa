// How a lock that is taken is waited for: the queue of a rank, the wait of a writer for readers, the back-off of
// lock_all, and the stripes. Every wait looks on, sleeps with a limit, polls between sleeps, and looks from time to
// time whether those in its way live.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <chrono>

#include "nam/window_locks.hpp"

namespace psnam::nam {
namespace {

using Clock = std::chrono::steady_clock;
using format::kLockBlocked;
using format::LockPlace;
using format::LockWake;

constexpr unsigned kSpins = 400;  // some microseconds: about what a short hold takes
constexpr unsigned kYields = 4;
constexpr long kFirstSleepNanoseconds = 250'000;
constexpr long kLongestSleepNanoseconds = 4'000'000;
constexpr auto kAliveCheckTime = std::chrono::milliseconds{25};
constexpr unsigned kMeekRounds = 3;
constexpr auto kFirstInsistence = std::chrono::microseconds{100};
constexpr unsigned kMostDoublings = 7;

}  // namespace

/// How one wait gets on: spin while processors are free, yield a little, then sleep, longer and longer up to a limit.
class WindowLocks::Patience {
 public:
  explicit Patience(bool crowded) noexcept : spins_{crowded ? 0 : kSpins} {}

  enum class Step { spin, yield, sleep };
  Step next() noexcept {
    if (spins_ != 0) return --spins_, Step::spin;
    if (yields_ != 0) return --yields_, Step::yield;
    return Step::sleep;
  }
  /// For the next sleep.
  long nanoseconds() noexcept {
    return std::exchange(nanoseconds_, std::min(2 * nanoseconds_, kLongestSleepNanoseconds));
  }
  /// Whether it is time to look who lives.
  bool check_due() noexcept {
    const auto now = Clock::now();
    if (now < next_check_) return false;
    next_check_ = now + kAliveCheckTime;
    return true;
  }

 private:
  unsigned spins_;
  unsigned yields_ = kYields;
  long nanoseconds_ = kFirstSleepNanoseconds;
  Clock::time_point next_check_ = Clock::now() + kAliveCheckTime;
};

/// A place in the queue of a rank. A client has only a few; without one it waits as well, but others pass it.
class WindowLocks::Place {
 public:
  Place(WindowLocks& locks, const RankCell& cell, LockKind kind) noexcept
      : locks_{locks},
        cell_{cell},
        slot_{locks.page_.slot(locks.client_)},
        mine_{0, kind == LockKind::exclusive, cell.rank} {
    std::uint32_t taken = locks.places_taken_.load();
    do {
      index_ = static_cast<std::size_t>(std::countr_one(taken));
    } while (index_ < format::kLockPlaces && !locks.places_taken_.compare_exchange_weak(taken, taken | 1U << index_));
    // The place before the bit: a bit without a place is in nobody's way.
    mine_.ticket = cell.head.next_ticket.fetch_add(1);
    if (has_place()) slot_.places[index_].store(mine_.encode());
    cell.waiters.set(locks.client_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    cell_.waiters.clear(locks_.client_);
    if (!has_place()) return;
    slot_.places[index_].store(0);
    locks_.places_taken_.fetch_and(~(1U << index_));
  }

  [[nodiscard]] const LockPlace& mine() const noexcept { return mine_; }
  /// From here on a call is remembered.
  void listen() noexcept {
    if (has_place()) wake().store(static_cast<std::uint32_t>(LockWake::awake));
  }
  [[nodiscard]] bool called() const noexcept {
    return has_place() && wake().load(std::memory_order_relaxed) == static_cast<std::uint32_t>(LockWake::called);
  }
  void rest(long nanoseconds) noexcept {
    if (!has_place()) return futex_wait(cell_.head.owner, cell_.head.owner.load(), kFirstSleepNanoseconds);
    auto awake = static_cast<std::uint32_t>(LockWake::awake);
    const auto asleep = static_cast<std::uint32_t>(LockWake::asleep);
    if (wake().compare_exchange_strong(awake, asleep)) futex_wait(wake(), asleep, nanoseconds);
  }

 private:
  [[nodiscard]] bool has_place() const noexcept { return index_ < format::kLockPlaces; }
  [[nodiscard]] std::atomic<std::uint32_t>& wake() const noexcept { return slot_.wake[index_]; }

  WindowLocks& locks_;
  const RankCell& cell_;
  format::LockSlot& slot_;
  LockPlace mine_;
  std::size_t index_ = 0;
};

bool WindowLocks::is_my_turn(const RankCell& cell, const Place& place) const noexcept {
  bool mine = true;
  for_each_waiting(page_, cell, [&](std::uint32_t client, std::size_t, const LockPlace& other) {
    if (client == client_ || !is_before(other.ticket, place.mine().ticket)) return;
    if (other.exclusive || place.mine().exclusive) mine = false;
  });
  return mine;
}

/// Returns with the lock announced, as by try_announce().
bool WindowLocks::queue_for(const RankCell& cell, LockKind kind, Waiter& waiter) {
  const bool announced = stand_in_queue(cell, kind, waiter);
  // Behind a reader who has gone in stands a writer, perhaps, who may own the rank from now on; nobody else tells it.
  // Behind one who has given up stands perhaps the next, who was not called because of it.
  if (kind == LockKind::shared || !announced) page_.call_next(cell);
  return announced;
}

bool WindowLocks::stand_in_queue(const RankCell& cell, LockKind kind, Waiter& waiter) {
  Place place{*this, cell, kind};
  Patience patience{page_.clients_used() > processors_};
  for (;;) {
    place.listen();
    if (is_my_turn(cell, place) && try_announce(cell, kind)) return true;
    auto step = patience.next();
    for (; step == Patience::Step::spin && !place.called(); step = patience.next()) __builtin_ia32_pause();
    if (step == Patience::Step::spin) continue;
    if (step == Patience::Step::yield)
      ::sched_yield();
    else
      place.rest(patience.nanoseconds());
    waiter.poll();
    if (waiter.gives_up()) return false;
    if (patience.check_due()) take_back_from_dead(cell);
  }
}

/// The owner waits until those who read are gone. Nobody comes in meanwhile.
bool WindowLocks::wait_for_readers(const RankCell& cell, Waiter& waiter) {
  Patience patience{page_.clients_used() > processors_};
  while (somebody_reads(cell)) {
    cell.head.owner.store(me_ | kLockBlocked);
    if (page_.all_readers().any()) page_.header().all_blocked.store(1);
    const std::uint32_t seen = cell.head.drained.load();
    for (auto step = patience.next(); somebody_reads(cell); step = patience.next()) {
      if (step == Patience::Step::spin) {
        __builtin_ia32_pause();
        continue;
      }
      if (step == Patience::Step::yield)
        ::sched_yield();
      else
        futex_wait(cell.head.drained, seen, patience.nanoseconds());
      waiter.poll();
      if (waiter.gives_up()) {
        leave_exclusive(cell);
        return false;
      }
      if (patience.check_due()) take_back_from_dead(cell);
      break;
    }
    // From here on the readers' bits count again, and they are looked at once more.
    cell.head.owner.store(me_);
  }
  return true;
}

/// Frees the rank of the dead among those who hold it or stand in its queue.
void WindowLocks::take_back_from_dead(const RankCell& cell) {
  const auto look = [&](std::uint32_t client) {
    if (client != client_) clients_.take_back_if_dead(page_, client);
  };
  if (const auto owner = cell.head.owner.load() & format::kLockOwnerMask; owner != 0) look(owner - 1);
  cell.readers.for_each(look);
  page_.all_readers().for_each(look);
  cell.waiters.for_each(look);
}

/// The first rank that somebody owns; the number of ranks if there is none. Insistent: waits a while for each owner to
/// leave, or to be blocked by this client's own bit.
std::uint32_t WindowLocks::first_in_the_way(Manner manner, unsigned round, Waiter& waiter) const noexcept {
  const auto deadline = Clock::now() + kFirstInsistence * (1U << std::min(round, kMostDoublings));
  const std::uint32_t ranks = page_.shape().ranks;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    const auto& owner = page_.cell(rank).head.owner;
    if (owner.load() == 0) continue;
    if (manner == Manner::meek) return rank;
    for (format::LockOwner now = owner.load(); now != 0 && (now & kLockBlocked) == 0; now = owner.load()) {
      if ((now & format::kLockOwnerMask) == me_ || Clock::now() > deadline) return rank;
      ::sched_yield();
      waiter.poll();
    }
  }
  return ranks;
}

Status WindowLocks::lock_all(Waiter& waiter) {
  if (!change(all_, Hold::none, Hold::busy))
    return Error{Code::sync, "all ranks are locked, or about to be, by this process already"};
  const std::uint32_t ranks = page_.shape().ranks;
  std::uint32_t waited_for = ranks;
  for (unsigned round = 0;; ++round) {
    page_.all_readers().set(client_);
    if (waited_for != ranks) leave_shared(page_.cell(waited_for));
    waited_for = first_in_the_way(round < kMeekRounds ? Manner::meek : Manner::insistent, round, waiter);
    if (waited_for == ranks) break;
    leave_all();
    const RankCell cell = page_.cell(waited_for);
    if (holds_[waited_for].load() != Hold::none) {
      all_.store(Hold::none);
      return Error{Code::sync, fmt::format("all ranks cannot be locked: this process has locked rank {}", waited_for)};
    }
    if (!wait_for(cell, LockKind::shared, waiter)) {
      all_.store(Hold::none);
      return Error{Code::peer_lost, "the wait for the locks of all ranks was given up"};
    }
    if (waiter.gives_up()) {
      leave_shared(cell);
      all_.store(Hold::none);
      return Error{Code::peer_lost, "the wait for the locks of all ranks was given up"};
    }
  }
  all_.store(Hold::shared, std::memory_order_release);
  return {};
}

/// Sets kLockStripeWaiters before it sleeps and keeps it set when it gets the stripe: others may be asleep still.
void WindowLocks::wait_for_stripe(std::size_t stripe) noexcept {
  auto& word = page_.stripe(stripe);
  Patience patience{page_.clients_used() > processors_};
  format::LockOwner waiters = 0;
  for (;;) {
    format::LockOwner found = word.load(std::memory_order_relaxed);
    if (found == 0 && word.compare_exchange_strong(found, me_ | waiters, std::memory_order_acquire)) return;
    switch (patience.next()) {
      case Patience::Step::spin:
        __builtin_ia32_pause();
        continue;
      case Patience::Step::yield:
        ::sched_yield();
        continue;
      case Patience::Step::sleep:
        break;
    }
    waiters = format::kLockStripeWaiters;
    if (found == 0) continue;
    if ((found & waiters) == 0 && !word.compare_exchange_strong(found, found | waiters)) continue;
    futex_wait(word, found | waiters, patience.nanoseconds());
    if (const auto owner = word.load() & format::kLockOwnerMask; owner != 0 && owner != me_ && patience.check_due())
      clients_.take_back_if_dead(page_, owner - 1);
  }
}

}  // namespace psnam::nam
