// The locks of a window: a reader-writer lock for each rank, one shared lock on all ranks, and the stripes under which
// single elements are changed. They are kept in a page beside the window (format/lock_page.hpp), so they hold between
// threads, processes and jobs, and what a dead process held is free again.
//
// Why it works.
//
// Who holds what is written in the lock itself, by name: the owner word of a cell or stripe names the client that
// writes, and each reader is a bit of its own. There is no count that a death could leave wrong, and no moment between
// taking a lock and saying who took it: one atomic instruction does both. A client is an index into the slots; a slot
// names its process (number, start time, pid namespace, boot).
//
// Writers and readers of a rank exclude each other by announcing first and looking second. A writer puts itself into
// `owner`, then looks at the readers' bits (the cell's and the page's bits of those who hold all ranks) and waits until
// they are gone. A reader sets its bit, then looks at `owner`; if somebody is there it takes its bit away and queues.
// All these are sequentially consistent, so of two that announce at the same time at least one sees the other, and both
// waiting is excluded: the reader always gives way. Later readers see the owner, so a writer waits for the readers it
// found only.
//
// All ranks: the client sets its bit among the all-readers, then looks at every owner. If one is there it takes the bit
// away and queues for that rank like any reader, holding nothing, so whoever takes exclusive locks one after another is
// never kept from the next one by somebody who waits for the one before. After a few failures it insists: it keeps its
// bit while it waits for the owners, but for a bounded time, and an owner that has said `blocked` does not count: who
// is blocked looks at the bits once more before it goes in.
//
// The queue decides only who is next, never who may: safety does not depend on it. A waiter takes a ticket, writes it
// into a place of its slot, then sets its bit among the cell's waiters; it may try when no earlier ticket is in its way
// (a reader: no earlier writer). Newcomers who see a waiter queue behind. A ticket that was taken and not yet written
// lets one other pass, no more. Who unlocks looks for the first in the queue, and calls it. A waiter marks itself
// asleep, or looks again, after it has announced itself, and who unlocks looks after the lock is free, so a call is not
// lost; if the called one dies, or the caller before the call, the limit of each sleep makes up for it.
//
// Deaths. SIGKILL may come between any two instructions. What then stays is: an owner word, bits, places and tickets in
// them, a slot, the guard. Each names its client or process, each waiter looks from time to time whether those in its
// way live, and the first that finds one dead takes everything from it: under the guard, which is a word with its
// holder's identity and is itself taken over from the dead; the slot is freed last, so that whoever is killed while
// taking back leaves the slot as it was, and the next one starts again. Every step may be done twice. Nobody else
// changes the owner word of a client, so the one who takes back races with nobody. A slot is given to another client
// only under the guard and only when no word names the old one. Nothing is ever taken from a process that lives, nor
// from one that cannot be judged (another pid namespace): for them the wait goes on, as MPI has it. A stale read costs
// one more turn of a wait.
//
// What is protected may be half-written when its holder dies: that is told in the log, and is the program's business.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "nam/lock_clients.hpp"
#include "nam/lock_kind.hpp"
#include "nam/lock_page.hpp"

namespace psnam::nam {

/// One client of a window's locks: one use of the window by this process. Thread-safe: the holder is the client, so one
/// thread may lock and another unlock. Not to be used in a child after fork().
class WindowLocks {
 public:
  /// Enters the locks of a window of `ranks` ranks: `page` as from MemoryStore::open_locks.
  static Result<std::unique_ptr<WindowLocks>> attach(Mapping page, std::uint32_t ranks,
                                                     const format::ProcessIdentity& process, const format::Uuid& boot);
  /// Lets go of everything, and tells the log if that is the end of another client; see below.
  ~WindowLocks();
  WindowLocks(const WindowLocks&) = delete;
  WindowLocks& operator=(const WindowLocks&) = delete;

  /// This was a client on behalf of `client`, who has died: what he still held when this ends is worth a line in the
  /// log, as that of a process is which used the page by itself. Called last.
  void mourn(std::string client) { mourned_ = std::move(client); }

  /// Waits for as long as a living process holds the lock. Code::rank; Code::sync if this client holds, or waits for,
  /// this lock or holds all; Code::peer_lost when `waiter` gave up.
  Status lock(std::uint32_t rank, LockKind kind, Waiter& waiter);
  /// Whether the lock could be had at once.
  Result<bool> try_lock(std::uint32_t rank, LockKind kind);
  /// Code::sync if this client does not hold it.
  Status unlock(std::uint32_t rank);

  /// A shared lock on every rank. Code::sync if this client holds it already, or has locked a rank that is in the way;
  /// Code::peer_lost as above.
  Status lock_all(Waiter& waiter);
  Status unlock_all();

  /// For a few instructions only, nested in nothing but rank locks. Threads of this client exclude each other too.
  void lock_stripe(std::size_t stripe) noexcept {
    std::uint32_t nobody = 0;
    if (!page_.stripe(stripe).compare_exchange_strong(nobody, me_, std::memory_order_acquire)) wait_for_stripe(stripe);
  }
  void unlock_stripe(std::size_t stripe) noexcept {
    auto& word = page_.stripe(stripe);
    if ((word.exchange(0, std::memory_order_release) & format::kLockStripeWaiters) != 0) futex_wake(word, 1);
  }
  static constexpr std::size_t kStripes = format::kLockStripes;

 private:
  /// What this client has, or is about to have, of a rank, or of all; not in the page.
  enum class Hold : std::uint8_t { none, busy, shared, exclusive };
  class Place;
  class Patience;

  WindowLocks(LockPage page, LockClients clients, std::uint32_t client);
  [[nodiscard]] Status begin(std::uint32_t rank);
  [[nodiscard]] static Hold hold_of(LockKind kind) noexcept {
    return kind == LockKind::shared ? Hold::shared : Hold::exclusive;
  }
  [[nodiscard]] static bool change(std::atomic<Hold>& hold, Hold from, Hold to) noexcept {
    return hold.compare_exchange_strong(from, to);
  }

  [[nodiscard]] bool try_announce(const RankCell& cell, LockKind kind) noexcept;
  [[nodiscard]] bool somebody_reads(const RankCell& cell) const noexcept {
    return cell.readers.any() || page_.all_readers().any();
  }
  void leave_shared(const RankCell& cell) noexcept;
  void leave_exclusive(const RankCell& cell) noexcept;
  void leave_all() noexcept;

  // False: given up, and nothing of the wait is left.
  [[nodiscard]] bool wait_for(const RankCell& cell, LockKind kind, Waiter& waiter);
  [[nodiscard]] bool queue_for(const RankCell& cell, LockKind kind, Waiter& waiter);
  [[nodiscard]] bool stand_in_queue(const RankCell& cell, LockKind kind, Waiter& waiter);
  [[nodiscard]] bool is_my_turn(const RankCell& cell, const Place& place) const noexcept;
  [[nodiscard]] bool wait_for_readers(const RankCell& cell, Waiter& waiter);
  void take_back_from_dead(const RankCell& cell);
  enum class Manner { meek, insistent };
  [[nodiscard]] std::uint32_t first_in_the_way(Manner manner, unsigned round, Waiter& waiter) const noexcept;
  void wait_for_stripe(std::size_t stripe) noexcept;

  LockPage page_;
  LockClients clients_;
  std::uint32_t client_;
  std::string mourned_;
  format::LockOwner me_;  ///< client_ as the page's words name it
  unsigned processors_;
  std::unique_ptr<std::atomic<Hold>[]> holds_;  ///< by rank
  std::atomic<Hold> all_{Hold::none};
  std::atomic<std::uint32_t> places_taken_{0};  ///< bitmap of the places of the slot
};

}  // namespace psnam::nam
