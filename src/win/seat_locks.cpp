#include "win/seat_locks.hpp"

#include "nam/store.hpp"

namespace psnam::win {

Result<std::unique_ptr<SeatLocks>> SeatLocks::open(const Seat& seat, std::uint32_t ranks, int rank) {
  std::unique_ptr<SeatLocks> locks{new SeatLocks{seat}};
  if (!seat.service->maps()) {
    PSNAM_CHECK(locks->agent().status());
    return locks;
  }
  PSNAM_TRY(Mapping page, seat.service->open_locks(seat.window_id, ranks));
  PSNAM_TRY(const format::ProcessIdentity process, nam::this_process(static_cast<std::uint32_t>(rank)));
  PSNAM_TRY(const format::Uuid boot, nam::this_boot());
  PSNAM_TRY(locks->page_, nam::WindowLocks::attach(std::move(page), ranks, process, boot));
  locks->elements_ = std::make_unique<nam::ElementLocks>(*locks->page_);
  return locks;
}

Result<nam::WindowAgent*> SeatLocks::agent() {
  const std::lock_guard lock{mutex_};
  if (agent_ == nullptr) {
    PSNAM_TRY(agent_, seat_.service->open_agent(seat_.window_id));
  }
  return agent_.get();
}

Status SeatLocks::lock(std::uint32_t rank, nam::LockKind kind, nam::Waiter& waiter) {
  return page_ != nullptr ? page_->lock(rank, kind, waiter) : agent_->lock(rank, kind, waiter);
}

Status SeatLocks::unlock(std::uint32_t rank) { return page_ != nullptr ? page_->unlock(rank) : agent_->unlock(rank); }

Status SeatLocks::lock_all(nam::Waiter& waiter) {
  return page_ != nullptr ? page_->lock_all(waiter) : agent_->lock_all(waiter);
}

Status SeatLocks::unlock_all() { return page_ != nullptr ? page_->unlock_all() : agent_->unlock_all(); }

}  // namespace psnam::win
