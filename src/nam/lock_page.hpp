// A window's page of locks as the code sees it: its parts by name, its bitmaps, and the words that processes sleep on.
// Whoever may touch what, and why it works: nam/window_locks.hpp.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/lock_page.hpp"

namespace psnam::nam {

/// Bits of clients. Only the words of slots that were ever taken are looked at: `used` is loaded after the caller's own
/// announcement, so a client it misses has not announced itself yet and will see the caller's.
class ClientBits {
 public:
  ClientBits(std::atomic<std::uint64_t>* words, const std::atomic<std::uint32_t>& used) noexcept
      : words_{words}, used_{&used} {}

  /// False if it was set already.
  bool set(std::uint32_t client) const noexcept {
    return (words_[client / 64].fetch_or(bit(client)) & bit(client)) == 0;
  }
  void clear(std::uint32_t client) const noexcept { words_[client / 64].fetch_and(~bit(client)); }
  [[nodiscard]] bool test(std::uint32_t client) const noexcept {
    return (words_[client / 64].load() & bit(client)) != 0;
  }
  [[nodiscard]] bool any() const noexcept {
    const std::size_t count = words();
    for (std::size_t i = 0; i < count; ++i)
      if (words_[i].load() != 0) return true;
    return false;
  }
  template <class Function>
  void for_each(Function function) const {
    const std::size_t count = words();
    for (std::size_t i = 0; i < count; ++i)
      for (std::uint64_t word = words_[i].load(); word != 0; word &= word - 1)
        function(static_cast<std::uint32_t>(i * 64) + static_cast<std::uint32_t>(std::countr_zero(word)));
  }

 private:
  [[nodiscard]] static std::uint64_t bit(std::uint32_t client) noexcept { return std::uint64_t{1} << (client % 64); }
  [[nodiscard]] std::size_t words() const noexcept { return (used_->load() + 63) / 64; }

  std::atomic<std::uint64_t>* words_;
  const std::atomic<std::uint32_t>* used_;
};

/// The lock of one rank.
struct RankCell {
  std::uint32_t rank;
  format::LockCell& head;
  ClientBits readers;
  ClientBits waiters;
};

class LockPage {
 public:
  /// Takes a page for `ranks` ranks into service. Code::incompatible when it is of another version, Code::corrupt when
  /// it is no such page.
  static Result<LockPage> over(Mapping mapping, std::uint32_t ranks);

  [[nodiscard]] const format::LockShape& shape() const noexcept { return shape_; }
  [[nodiscard]] format::LockHeader& header() const noexcept { return *reinterpret_cast<format::LockHeader*>(base_); }
  [[nodiscard]] std::atomic<std::uint32_t>& stripe(std::size_t index) const noexcept {
    return reinterpret_cast<format::LockStripe*>(base_ + shape_.stripes_offset())[index].owner;
  }
  [[nodiscard]] ClientBits all_readers() const noexcept { return bits(base_ + shape_.all_readers_offset()); }
  [[nodiscard]] RankCell cell(std::uint32_t rank) const noexcept {
    std::byte* const at = cells_ + rank * cell_bytes_;
    std::byte* const readers = at + sizeof(format::LockCell);
    return {rank, *reinterpret_cast<format::LockCell*>(at), bits(readers), bits(readers + bitmap_bytes_)};
  }
  [[nodiscard]] format::LockSlot& slot(std::uint32_t client) const noexcept { return slots_[client]; }
  [[nodiscard]] std::uint32_t clients_used() const noexcept { return header().clients_used.load(); }

  /// Calls those who are next in the queue of a rank: the first, or all readers before the first writer.
  void call_next(const RankCell& cell) const noexcept;
  /// Calls the owner who waits for readers to leave. After a reader has left.
  void call_owner(const RankCell& cell) const noexcept;

 private:
  LockPage(Mapping mapping, format::LockShape shape) noexcept;
  [[nodiscard]] ClientBits bits(std::byte* at) const noexcept {
    return {reinterpret_cast<std::atomic<std::uint64_t>*>(at), header().clients_used};
  }

  Mapping mapping_;
  format::LockShape shape_;
  std::byte* base_;
  std::byte* cells_;
  std::size_t cell_bytes_;
  std::size_t bitmap_bytes_;
  format::LockSlot* slots_;
};

/// Calls `function(client, place index, LockPlace)` for everybody who stands in the queue of the rank.
template <class Function>
void for_each_waiting(const LockPage& page, const RankCell& cell, Function function) {
  cell.waiters.for_each([&](std::uint32_t client) {
    for (std::size_t i = 0; i < format::kLockPlaces; ++i) {
      const std::uint64_t word = page.slot(client).places[i].load();
      if (word == 0) continue;
      if (const auto place = format::LockPlace::decode(word); place.rank == cell.rank) function(client, i, place);
    }
  });
}

/// Tickets wrap around; a queue is much shorter than half the circle.
[[nodiscard]] inline bool is_before(std::uint32_t ticket, std::uint32_t other) noexcept {
  return static_cast<std::int32_t>(ticket - other) < 0;
}

/// Sleeps while `word` is `expected`, at most `nanoseconds`. The words are shared between processes.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, long nanoseconds) noexcept;
void futex_wake(const std::atomic<std::uint32_t>& word, int waiters) noexcept;

}  // namespace psnam::nam
