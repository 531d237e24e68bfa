// Objects behind tickets that a program keeps and gives back: a ticket that was given back, or was never one, is told
// from those that are good.
//
// A ticket is the number of a slot and how often the slot has been given out: an object that comes into a used slot has
// another ticket than the one before, until the count of a slot wraps after 2^32 - 1 uses. Tickets are never 0, and no
// number below 2^32 is one. Thread-safe, by one mutex; whoever has found an object keeps it alive, even if another
// thread takes it out of the table. Nothing here is shared between processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace psnam {

template <class T>
class TicketTable {
 public:
  using Ticket = std::uint64_t;

  constexpr TicketTable() noexcept = default;
  TicketTable(const TicketTable&) = delete;
  TicketTable& operator=(const TicketTable&) = delete;

  /// `object` is not null.
  Ticket insert(std::shared_ptr<T> object) {
    const std::lock_guard lock{mutex_};
    if (free_.empty()) {
      slots_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    Slot& slot = slots_[index];
    free_.reserve(slots_.size());  // so that erase() allocates nothing
    free_.pop_back();
    slot.object = std::move(object);
    return Ticket{slot.uses} << 32 | index;
  }

  /// The object, or null for a ticket that leads to none.
  [[nodiscard]] std::shared_ptr<T> find(Ticket ticket) const noexcept {
    const std::lock_guard lock{mutex_};
    const Slot* const slot = slot_of(ticket);
    return slot == nullptr ? nullptr : slot->object;
  }

  /// The same, and the ticket leads nowhere from now on.
  std::shared_ptr<T> erase(Ticket ticket) noexcept {
    const std::lock_guard lock{mutex_};
    const Slot* const slot = slot_of(ticket);
    if (slot == nullptr) return nullptr;
    const auto index = static_cast<std::uint32_t>(slot - slots_.data());
    if (++slots_[index].uses == 0) slots_[index].uses = 1;
    free_.push_back(index);
    return std::exchange(slots_[index].object, nullptr);
  }

  /// The objects that are there now.
  [[nodiscard]] std::vector<std::shared_ptr<T>> all() const {
    const std::lock_guard lock{mutex_};
    std::vector<std::shared_ptr<T>> objects;
    for (const Slot& slot : slots_)
      if (slot.object != nullptr) objects.push_back(slot.object);
    return objects;
  }

 private:
  struct Slot {
    std::shared_ptr<T> object;
    std::uint32_t uses = 1;
  };

  [[nodiscard]] const Slot* slot_of(Ticket ticket) const noexcept {
    const auto index = static_cast<std::uint32_t>(ticket);
    if (index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[index];
    return slot.object != nullptr && slot.uses == ticket >> 32 ? &slot : nullptr;
  }

  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace psnam
