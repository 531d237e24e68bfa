// Locks that are free are had here, in a few instructions; nam/window_locks_wait.cpp has the others.
#include "nam/window_locks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"

namespace psnam::nam {

Result<std::unique_ptr<WindowLocks>> WindowLocks::attach(Mapping page, std::uint32_t ranks,
                                                         const format::ProcessIdentity& process,
                                                         const format::Uuid& boot) {
  PSNAM_TRY(LockPage opened, LockPage::over(std::move(page), ranks));
  PSNAM_TRY(const LockClients clients, LockClients::of(opened, process, boot));
  PSNAM_TRY(const std::uint32_t client, clients.enter(opened));
  return std::unique_ptr<WindowLocks>{new WindowLocks{std::move(opened), clients, client}};
}

WindowLocks::WindowLocks(LockPage page, LockClients clients, std::uint32_t client)
    : page_{std::move(page)},
      clients_{clients},
      client_{client},
      me_{client + 1},
      processors_{static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)))},
      holds_{std::make_unique<std::atomic<Hold>[]>(page_.shape().ranks)} {}

WindowLocks::~WindowLocks() {
  const std::string held = clients_.leave(page_, client_);
  if (!mourned_.empty() && !held.empty())
    log::warn("{} has ended while it held of a window's locks: {}; they are free again", mourned_, held);
}

/// The checks of a lock, and the rank marked busy.
Status WindowLocks::begin(std::uint32_t rank) {
  if (rank >= page_.shape().ranks)
    return Error{Code::rank,
                 fmt::format("there is no rank {} to lock in a window of {} ranks", rank, page_.shape().ranks)};
  if (all_.load(std::memory_order_relaxed) != Hold::none)
    return Error{Code::sync,
                 fmt::format("rank {} cannot be locked: all ranks are locked by this process already", rank)};
  // No read-modify-write: of two threads that come at once, which MPI does not allow, one waits for the other in the
  // page.
  if (holds_[rank].load(std::memory_order_relaxed) != Hold::none)
    return Error{Code::sync, fmt::format("rank {} is locked, or about to be, by this process already", rank)};
  holds_[rank].store(Hold::busy, std::memory_order_relaxed);
  return {};
}

Status WindowLocks::lock(std::uint32_t rank, LockKind kind, Waiter& waiter) {
  PSNAM_CHECK(begin(rank));
  const bool had = wait_for(page_.cell(rank), kind, waiter);
  holds_[rank].store(had ? hold_of(kind) : Hold::none, std::memory_order_release);
  if (had) return {};
  return Error{Code::peer_lost, fmt::format("the wait for the lock of rank {} was given up", rank)};
}

bool WindowLocks::wait_for(const RankCell& cell, LockKind kind, Waiter& waiter) {
  if ((cell.waiters.any() || !try_announce(cell, kind)) && !queue_for(cell, kind, waiter)) return false;
  return kind == LockKind::shared || !somebody_reads(cell) || wait_for_readers(cell, waiter);
}

Result<bool> WindowLocks::try_lock(std::uint32_t rank, LockKind kind) {
  PSNAM_CHECK(begin(rank));
  const RankCell cell = page_.cell(rank);
  bool had = !cell.waiters.any() && try_announce(cell, kind);
  if (had && kind == LockKind::exclusive && somebody_reads(cell)) {
    leave_exclusive(cell);
    had = false;
  }
  holds_[rank].store(had ? hold_of(kind) : Hold::none, std::memory_order_release);
  return had;
}

Status WindowLocks::unlock(std::uint32_t rank) {
  if (rank >= page_.shape().ranks)
    return Error{Code::rank,
                 fmt::format("there is no rank {} to unlock in a window of {} ranks", rank, page_.shape().ranks)};
  const Hold hold = holds_[rank].load(std::memory_order_acquire);
  if (hold != Hold::shared && hold != Hold::exclusive)
    return Error{Code::sync, fmt::format("rank {} cannot be unlocked: this process has not locked it", rank)};
  const RankCell cell = page_.cell(rank);
  if (hold == Hold::shared)
    leave_shared(cell);
  else
    leave_exclusive(cell);
  holds_[rank].store(Hold::none, std::memory_order_release);
  return {};
}

/// For a writer: it is the owner, but readers may be inside. For a reader: it is inside.
bool WindowLocks::try_announce(const RankCell& cell, LockKind kind) noexcept {
  if (kind == LockKind::exclusive) {
    format::LockOwner nobody = 0;
    return cell.head.owner.compare_exchange_strong(nobody, me_);
  }
  // A look before saves a writer who waits for readers the sight of one that gives way at once.
  if (cell.head.owner.load() != 0) return false;
  if (!cell.readers.set(client_)) return false;
  if (cell.head.owner.load() == 0) return true;
  leave_shared(cell);
  return false;
}

void WindowLocks::leave_shared(const RankCell& cell) noexcept {
  cell.readers.clear(client_);
  page_.call_owner(cell);
}

void WindowLocks::leave_exclusive(const RankCell& cell) noexcept {
  cell.head.owner.exchange(0);
  page_.call_next(cell);
}

Status WindowLocks::unlock_all() {
  if (!change(all_, Hold::shared, Hold::busy))
    return Error{Code::sync, "the ranks cannot be unlocked: this process has not locked all"};
  leave_all();
  all_.store(Hold::none, std::memory_order_release);
  return {};
}

void WindowLocks::leave_all() noexcept {
  page_.all_readers().clear(client_);
  if (page_.header().all_blocked.load() == 0) return;
  page_.header().all_blocked.store(0);
  for (std::uint32_t rank = 0; rank < page_.shape().ranks; ++rank) page_.call_owner(page_.cell(rank));
}

}  // namespace psnam::nam
