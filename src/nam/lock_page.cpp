#include "nam/lock_page.hpp"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <optional>

namespace psnam::nam {
namespace {

using format::LockHeader;
using format::LockPlace;
using format::LockShape;
using format::LockWake;

/// Puts `wanted` where 0 is; the word that is there then.
std::uint64_t settle(std::atomic<std::uint64_t>& word, std::uint64_t wanted) noexcept {
  std::uint64_t found = 0;
  return word.compare_exchange_strong(found, wanted) ? wanted : found;
}

constexpr std::uint64_t pair(std::uint32_t low, std::uint32_t high) noexcept { return low | std::uint64_t{high} << 32; }

void call(format::LockSlot& slot, std::size_t place) noexcept {
  const auto before = static_cast<LockWake>(slot.wake[place].exchange(static_cast<std::uint32_t>(LockWake::called)));
  if (before == LockWake::asleep) futex_wake(slot.wake[place], 1);
}

}  // namespace

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, long nanoseconds) noexcept {
  const timespec limit{0, nanoseconds};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, &limit, nullptr, 0);
}

void futex_wake(const std::atomic<std::uint32_t>& word, int waiters) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, waiters, nullptr, nullptr, 0);
}

LockPage::LockPage(Mapping mapping, LockShape shape) noexcept
    : mapping_{std::move(mapping)},
      shape_{shape},
      base_{mapping_.data()},
      cells_{base_ + shape.cells_offset()},
      cell_bytes_{shape.cell_bytes()},
      bitmap_bytes_{8 * shape.bitmap_words()},
      slots_{reinterpret_cast<format::LockSlot*>(base_ + shape.slots_offset())} {}

Result<LockPage> LockPage::over(Mapping mapping, std::uint32_t ranks) {
  const LockShape shape = LockShape::of(ranks);
  if (mapping.bytes() < sizeof(LockHeader))
    return Error{Code::corrupt, fmt::format("the page of the window's locks has {} bytes only", mapping.bytes())};
  auto& header = *reinterpret_cast<LockHeader*>(mapping.data());
  const std::uint64_t version = settle(header.version, pair(format::kLockMagic, format::kLockVersion));
  if (static_cast<std::uint32_t>(version) != format::kLockMagic)
    return Error{Code::corrupt, fmt::format("the page of the window's locks begins with {:#x} instead of {:#x}",
                                            static_cast<std::uint32_t>(version), format::kLockMagic)};
  if (version >> 32 != format::kLockVersion)
    return Error{Code::incompatible,
                 fmt::format("the page of the window's locks has version {}, this library speaks version {}",
                             version >> 32, format::kLockVersion)};
  if (mapping.bytes() < shape.bytes())
    return Error{Code::corrupt, fmt::format("the page of the window's locks has {} bytes, locks of {} ranks take {}",
                                            mapping.bytes(), ranks, shape.bytes())};
  const std::uint64_t found = settle(header.shape, pair(shape.ranks, shape.clients));
  if (found != pair(shape.ranks, shape.clients))
    return Error{Code::corrupt,
                 fmt::format("the page of the window's locks is for {} ranks and {} users instead of {} and {}",
                             static_cast<std::uint32_t>(found), found >> 32, shape.ranks, shape.clients)};
  if (const std::uint32_t used = header.clients_used.load(); used > shape.clients)
    return Error{Code::corrupt,
                 fmt::format("the page of the window's locks says that {} of {} users came", used, shape.clients)};
  return LockPage{std::move(mapping), shape};
}

void LockPage::call_next(const RankCell& cell) const noexcept {
  if (!cell.waiters.any()) return;
  std::optional<LockPlace> first;
  std::optional<std::uint32_t> first_writer;
  for_each_waiting(*this, cell, [&](std::uint32_t, std::size_t, const LockPlace& place) {
    if (!first || is_before(place.ticket, first->ticket)) first = place;
    if (place.exclusive && (!first_writer || is_before(place.ticket, *first_writer))) first_writer = place.ticket;
  });
  if (!first) return;
  for_each_waiting(*this, cell, [&](std::uint32_t client, std::size_t index, const LockPlace& place) {
    const bool next = first->exclusive ? place.ticket == first->ticket
                                       : !place.exclusive && (!first_writer || is_before(place.ticket, *first_writer));
    if (next) call(slot(client), index);
  });
}

void LockPage::call_owner(const RankCell& cell) const noexcept {
  if ((cell.head.owner.load() & format::kLockBlocked) == 0) return;
  cell.head.drained.fetch_add(1);
  futex_wake(cell.head.drained, 1);
}

}  // namespace psnam::nam
