// The page through which the processes of one window, on one node, wait for each other and agree. It leaves the process
// (it is shared memory) but not the job: all its users run the same library, which magic and version make sure of. Bump
// kControlVersion when a field moves.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace psnam::format {

inline constexpr std::uint32_t kControlMagic = 0x4c54434e;  // "NCTL"
inline constexpr std::uint32_t kControlVersion = 1;
inline constexpr std::size_t kBarrierRounds = 24;  // 2^24 processes
inline constexpr std::size_t kMessageBytes = 1016;

struct alignas(64) ControlHeader {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t bytes;  ///< of the page
  std::uint32_t processes;
};
static_assert(sizeof(ControlHeader) == 64);

/// What belongs to one process. `arrived[k]` is written by the process 2^k places before it (each word has one writer)
/// and read by itself; the other fields are written by itself.
struct alignas(64) ControlCell {
  std::atomic<std::uint32_t> arrived[kBarrierRounds];  ///< number of the last barrier signalled, by round
  std::atomic<std::uint32_t> sleeping;                 ///< the owner is, or is about to be, in a futex wait
  std::uint32_t pid;
  std::uint64_t start_time_ticks;
  std::uint64_t word;  ///< what it says in an exchange
  std::int32_t code;   ///< -1: agrees; else the Code of its error
  std::int32_t detail;
  std::uint32_t message_bytes;
  char message[kMessageBytes];
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(offsetof(ControlCell, sleeping) == 96 && offsetof(ControlCell, word) == 112 &&
              offsetof(ControlCell, message) == 132);

[[nodiscard]] constexpr std::size_t control_page_bytes(std::size_t processes) noexcept {
  return sizeof(ControlHeader) + processes * sizeof(ControlCell);
}

}  // namespace psnam::format
