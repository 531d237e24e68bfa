// The page of a window's locks on one node: who uses them, what each rank is locked for, who waits. It outlives jobs
// (it stays with the window) and is used by processes of several jobs at once, which may run different builds of this
// library. A page of zeros is a valid page without users, so that whoever comes first need not be known.
//
//   LockHeader | LockStripe[kLockStripes] | all-readers bitmap | a cell for each rank | LockSlot[clients]
//
// A cell is a LockCell followed by two bitmaps over the clients: who reads, who waits. Each part begins on a cache
// line. docs/formats/lock-page.md has the same in words. Bump kLockVersion when a field moves or its meaning changes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace psnam::format {

inline constexpr std::uint32_t kLockMagic = 0x4b434c4e;  // "NLCK"
inline constexpr std::uint32_t kLockVersion = 1;
inline constexpr std::size_t kLockStripes = 64;
inline constexpr std::size_t kLockNamespaces = 64;
inline constexpr std::size_t kLockPlaces = 8;  ///< threads of one client that can stand in queues at the same time
inline constexpr std::uint32_t kLockMinClients = 192;
inline constexpr std::uint32_t kLockMaxClients = 4096;
inline constexpr std::size_t kLockLine = 64;

/// A client is named by its index + 1 in these; 0 is nobody.
using LockOwner = std::uint32_t;
inline constexpr LockOwner kLockOwnerMask = 0xffff;
/// In LockCell::owner: the owner is certainly not inside, and will look at the readers again before it is.
inline constexpr LockOwner kLockBlocked = 1U << 31;
/// In LockStripe::owner: somebody may be asleep.
inline constexpr LockOwner kLockStripeWaiters = 1U << 31;

struct LockHeader {
  std::atomic<std::uint64_t>
      version;  ///< kLockMagic in the low half, kLockVersion in the high one; 0: nobody has come yet
  std::atomic<std::uint64_t> shape;         ///< ranks in the low half, clients in the high one; 0 as above
  std::atomic<std::uint32_t> clients_used;  ///< slots that were ever taken; it only grows
  std::uint32_t reserved0[11];
  std::atomic<std::uint64_t> guard;  ///< LockIdentity of the process that enters, leaves or takes back; 0: nobody
  std::uint64_t reserved1[7];
  std::atomic<std::uint32_t>
      all_blocked;  ///< not 0: an owner may be asleep because of a client in the all-readers bitmap
  std::uint32_t reserved2[15];
  std::atomic<std::uint64_t>
      namespaces[kLockNamespaces];  ///< hash of the boot in the high half, inode of the pid namespace in the low one
};
static_assert(sizeof(LockHeader) == 192 + 8 * kLockNamespaces && offsetof(LockHeader, clients_used) == 16 &&
              offsetof(LockHeader, guard) == 64 && offsetof(LockHeader, all_blocked) == 128 &&
              offsetof(LockHeader, namespaces) == 192);

/// A process in one word, so that it can be put in place and judged without a moment in between.
/// pid: 22 bits (the kernel's limit), index in `namespaces`: 6 bits, start time in ticks since boot: 36 bits (21
/// years).
struct LockIdentity {
  static constexpr unsigned kNamespaceShift = 22;
  static constexpr unsigned kStartShift = 28;
  static constexpr std::uint64_t kMaxPid = (1U << kNamespaceShift) - 1;
  static constexpr std::uint64_t kMaxStart = (std::uint64_t{1} << 36) - 1;

  std::uint32_t pid = 0;
  std::uint32_t name_space = 0;
  std::uint64_t start_time_ticks = 0;

  [[nodiscard]] constexpr std::uint64_t encode() const noexcept {
    return pid | std::uint64_t{name_space} << kNamespaceShift | start_time_ticks << kStartShift;
  }
  [[nodiscard]] static constexpr LockIdentity decode(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word & kMaxPid),
            static_cast<std::uint32_t>(word >> kNamespaceShift & (kLockNamespaces - 1)), word >> kStartShift};
  }
};

struct LockStripe {
  std::atomic<std::uint32_t> owner;  ///< LockOwner, with kLockStripeWaiters; also what its waiters sleep on
  std::uint32_t reserved[15];
};
static_assert(sizeof(LockStripe) == kLockLine);

struct LockCell {
  std::atomic<std::uint32_t> owner;        ///< LockOwner of the writer, with kLockBlocked
  std::atomic<std::uint32_t> drained;      ///< counts; the owner sleeps on it while readers are inside
  std::atomic<std::uint32_t> next_ticket;  ///< for who comes next into the queue
  std::uint32_t reserved;
};
static_assert(sizeof(LockCell) == 16);

/// A place in the queue of a rank: ticket in the low half; then one bit, 1 for a writer; then rank + 1. 0: free.
struct LockPlace {
  std::uint32_t ticket = 0;
  bool exclusive = false;
  std::uint32_t rank = 0;

  [[nodiscard]] constexpr std::uint64_t encode() const noexcept {
    return ticket | std::uint64_t{exclusive} << 32 | (std::uint64_t{rank} + 1) << 33;
  }
  [[nodiscard]] static constexpr LockPlace decode(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word), (word >> 32 & 1) != 0, static_cast<std::uint32_t>(word >> 33) - 1};
  }
};

/// What a waiter sleeps on.
enum class LockWake : std::uint32_t { awake = 0, asleep = 1, called = 2 };

struct LockSlot {
  std::atomic<std::uint64_t> identity;           ///< LockIdentity; 0: free, and then no other word names this client
  std::atomic<std::uint32_t> wake[kLockPlaces];  ///< LockWake, by place
  std::uint64_t reserved[3];
  std::atomic<std::uint64_t> places[kLockPlaces];  ///< LockPlace
};
static_assert(sizeof(LockSlot) == 128 && offsetof(LockSlot, wake) == 8 && offsetof(LockSlot, places) == 64);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

/// Where the parts of a page are. It follows from the number of ranks alone.
struct LockShape {
  std::uint32_t ranks = 0;
  std::uint32_t clients = 0;

  /// Room for the job that made the window and three more of its size.
  [[nodiscard]] static constexpr LockShape of(std::uint32_t ranks) noexcept {
    const std::uint64_t wanted = (std::uint64_t{ranks} * 4 + 63) / 64 * 64;
    return {ranks, static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wanted, kLockMinClients, kLockMaxClients))};
  }
  [[nodiscard]] static constexpr std::size_t to_line(std::size_t bytes) noexcept {
    return (bytes + kLockLine - 1) / kLockLine * kLockLine;
  }

  [[nodiscard]] constexpr std::size_t bitmap_words() const noexcept { return clients / 64; }
  [[nodiscard]] constexpr std::size_t stripes_offset() const noexcept { return sizeof(LockHeader); }
  [[nodiscard]] constexpr std::size_t all_readers_offset() const noexcept {
    return stripes_offset() + kLockStripes * sizeof(LockStripe);
  }
  [[nodiscard]] constexpr std::size_t cells_offset() const noexcept {
    return all_readers_offset() + to_line(8 * bitmap_words());
  }
  [[nodiscard]] constexpr std::size_t cell_bytes() const noexcept {
    return to_line(sizeof(LockCell) + 2 * 8 * bitmap_words());
  }
  [[nodiscard]] constexpr std::size_t slots_offset() const noexcept { return cells_offset() + ranks * cell_bytes(); }
  [[nodiscard]] constexpr std::size_t bytes() const noexcept { return slots_offset() + clients * sizeof(LockSlot); }
};
static_assert(LockShape::of(1).clients == 192 && LockShape::of(1).cell_bytes() == 64 &&
              LockShape::of(100).clients == 448 && LockShape::of(1U << 20).clients == kLockMaxClients &&
              kLockMaxClients <= kLockOwnerMask);

}  // namespace psnam::format
