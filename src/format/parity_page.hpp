// A parity area: what is kept of a set of members' data so that up to `parities` lost members can be computed again. It
// outlives jobs and is used by several processes at once.
//
//   ParityHeader | ParityTeam | ParitySeat[members] | ParityTile[window] | tiles | slot 0 | slot 1 | ...
//   slot: ParitySlotHeader | ParityCommit | sizes | checksums, a row for each member and parity | parity bytes
//
// The header is written once. A version is written to one slot and is there when its commit record is, which is written
// last; the other slots keep the versions before it meanwhile. Areas of two slots are of format version 1, those of
// more of version 2, which differs in that number alone. From ParityTeam to the tiles is what the processes that encode
// or rebuild together tell each other; it means nothing when none of them runs, and nothing of it is believed.
// docs/formats/parity-area.md has the same in words. Bump kParityVersion when a field moves or its meaning changes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace psnam::format {

inline constexpr std::uint32_t kParityMagic = 0x5241504e;        // "NPAR"
inline constexpr std::uint32_t kParityCommitMagic = 0x4d4f434e;  // "NCOM"
inline constexpr std::uint32_t kParityVersion = 2;
inline constexpr std::uint32_t kParityTwoSlotsVersion = 1;
inline constexpr std::size_t kParityLine = 64;
inline constexpr std::size_t kParityPage = 4096;
inline constexpr std::uint32_t kParityMaxPieces = 255;  ///< members and parities together: bytes are numbers of GF(2^8)
inline constexpr std::uint32_t kParityMinBlock = 512;
inline constexpr std::uint32_t kParityMaxBlock = 1U << 20;
inline constexpr std::uint64_t kParityMaxCapacity = std::uint64_t{1} << 40;
inline constexpr std::uint32_t kParityWindow = 64;  ///< stripes that are worked on at the same time
inline constexpr std::size_t kParityNameBytes = 128;
inline constexpr std::size_t kParityNoteBytes = 64;
inline constexpr std::size_t kParityBadBlocks = 500;  ///< corrupt blocks that one common rebuild can deal with
inline constexpr std::uint32_t kParityMinSlots = 2;
inline constexpr std::uint32_t kParityMaxSlots = 8;

/// Which generator matrix the parities come from.
enum class ParityMatrix : std::uint32_t {
  cauchy = 1,  ///< one parity: exclusive or; more: the Cauchy matrix of ISA-L's gf_gen_cauchy1_matrix
};

struct ParityHeader {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t bytes;  ///< of the area
  std::uint32_t members;
  std::uint32_t parities;
  std::uint32_t block_bytes;
  std::uint32_t matrix;          ///< ParityMatrix
  std::uint64_t capacity_bytes;  ///< of the longest member
  std::uint8_t id[16];
  char name[kParityNameBytes];  ///< padded with zeros
  std::uint32_t slots;          ///< 0 in version 1: two
  std::uint32_t checksum;       ///< CRC32C of the bytes before it
};
static_assert(sizeof(ParityHeader) == 192 && offsetof(ParityHeader, capacity_bytes) == 32 &&
              offsetof(ParityHeader, name) == 56 && offsetof(ParityHeader, checksum) == 188);

struct ParitySlotHeader {
  std::uint64_t version;        ///< of the data; it grows
  std::uint64_t longest_bytes;  ///< of the longest member in this version
  std::uint64_t taken_ns;       ///< since 1970, when it was begun
  std::uint8_t note[kParityNoteBytes];
  std::uint8_t reserved[40];
};
static_assert(sizeof(ParitySlotHeader) == 128 && offsetof(ParitySlotHeader, note) == 24);

struct ParityCommit {
  std::uint32_t magic;  ///< kParityCommitMagic; 0 as long as the slot is written
  std::uint32_t format_version;
  std::uint64_t version;          ///< as in the slot's header
  std::uint32_t tables_checksum;  ///< CRC32C of the slot's header, the sizes and the parts of the rows that are in use
  std::uint8_t reserved[40];
  std::uint32_t checksum;  ///< CRC32C of the bytes before it
};
static_assert(sizeof(ParityCommit) == kParityLine && offsetof(ParityCommit, tables_checksum) == 16 &&
              offsetof(ParityCommit, checksum) == 60);

/// A block that a member found to be damaged: index of the member, or members + index of the parity.
struct ParityBadBlock {
  std::uint32_t piece;
  std::uint32_t reserved;
  std::uint64_t block;
};

/// The stripe that nobody has taken yet in an attempt, in one word.
struct ParityTurn {
  std::uint32_t attempt = 0;  ///< its number, what fits
  std::uint32_t stripe = 0;

  [[nodiscard]] constexpr std::uint64_t encode() const noexcept { return std::uint64_t{attempt} << 32 | stripe; }
  [[nodiscard]] static constexpr ParityTurn decode(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
  }
};

struct ParityTeam {
  std::atomic<std::uint64_t> attempt;   ///< number of the common work under way; it grows
  std::atomic<std::uint32_t> given_up;  ///< not 0: a member of this attempt failed
  std::uint32_t reserved0;
  std::atomic<std::uint64_t> next_stripe;  ///< ParityTurn: where all members have all data mapped
  std::uint32_t reserved1[10];
  std::atomic<std::uint32_t> events;  ///< counts; whoever waits for another member sleeps on it
  std::atomic<std::uint32_t> sleepers;
  std::uint32_t reserved2[14];
  std::atomic<std::uint32_t> bad_blocks;  ///< found so far; it may grow beyond the list
  std::uint32_t reserved3[15];
  ParityBadBlock bad[kParityBadBlocks];
};
static_assert(sizeof(ParityTeam) == 8192 && offsetof(ParityTeam, events) == 64 && offsetof(ParityTeam, bad) == 192);

/// What a member says of itself. `arrived[stage]` is the attempt for which it came to this stage.
struct ParitySeat {
  std::atomic<std::uint64_t> arrived[4];
  std::atomic<std::uint64_t> bytes;  ///< of its data
  std::atomic<std::uint64_t> lost;   ///< not 0: it has no data
  std::uint64_t reserved[2];
};
static_assert(sizeof(ParitySeat) == kParityLine);

/// One of the stripes that are worked on: which, how many pieces are in, and who has its hands on it, in one word.
struct ParityTileState {
  static constexpr unsigned kCountShift = 16;
  static constexpr unsigned kStripeShift = 32;

  std::uint32_t stripe = 0;  ///< position in the order of this pass
  std::uint16_t done = 0;
  std::uint16_t holder = 0;  ///< member + 1; 0: nobody

  [[nodiscard]] constexpr std::uint64_t encode() const noexcept {
    return std::uint64_t{stripe} << kStripeShift | std::uint64_t{done} << kCountShift | holder;
  }
  [[nodiscard]] static constexpr ParityTileState decode(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> kStripeShift), static_cast<std::uint16_t>(word >> kCountShift & 0xffff),
            static_cast<std::uint16_t>(word & 0xffff)};
  }
};

struct ParityTile {
  std::atomic<std::uint64_t> state;    ///< ParityTileState
  std::atomic<std::uint64_t> seen[4];  ///< bitmap of the pieces that were added, for messages
  std::uint32_t damaged;               ///< not 0: a piece is missing; changed by the holder only
  std::uint32_t filled;                ///< not 0: something was assigned; changed by the holder only
  std::uint64_t reserved[2];
};
static_assert(sizeof(ParityTile) == kParityLine);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && sizeof(std::atomic<std::uint64_t>) == 8);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

/// What an area is for, and with it where its parts are.
struct ParityShape {
  std::uint32_t members = 0;
  std::uint32_t parities = 0;
  std::uint32_t block_bytes = 0;
  std::uint64_t capacity_bytes = 0;  ///< of the longest member
  std::uint32_t slots = kParityMinSlots;

  /// Whether every function below has a meaning.
  [[nodiscard]] constexpr bool valid() const noexcept {
    return members >= 1 && parities >= 1 && members <= kParityMaxPieces && parities <= kParityMaxPieces &&
           members + parities <= kParityMaxPieces && block_bytes >= kParityMinBlock && block_bytes <= kParityMaxBlock &&
           (block_bytes & (block_bytes - 1)) == 0 && capacity_bytes <= kParityMaxCapacity &&
           blocks() <= ~std::uint32_t{0} - 2 * kParityWindow && slots >= kParityMinSlots && slots <= kParityMaxSlots;
  }
  [[nodiscard]] constexpr std::uint32_t format_version() const noexcept {
    return slots == kParityMinSlots ? kParityTwoSlotsVersion : kParityVersion;
  }
  [[nodiscard]] static constexpr std::uint64_t to(std::uint64_t unit, std::uint64_t bytes) noexcept {
    return (bytes + unit - 1) / unit * unit;
  }
  [[nodiscard]] constexpr std::uint32_t pieces() const noexcept { return members + parities; }
  [[nodiscard]] constexpr std::uint64_t blocks_of(std::uint64_t bytes) const noexcept {
    return (bytes + block_bytes - 1) / block_bytes;
  }
  [[nodiscard]] constexpr std::uint64_t blocks() const noexcept { return blocks_of(capacity_bytes); }
  [[nodiscard]] constexpr std::uint32_t window() const noexcept {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(blocks(), 1, kParityWindow));
  }
  [[nodiscard]] static constexpr std::uint64_t team_offset() noexcept { return kParityPage; }
  [[nodiscard]] constexpr std::uint64_t seats_offset() const noexcept { return team_offset() + sizeof(ParityTeam); }
  [[nodiscard]] constexpr std::uint64_t states_offset() const noexcept {
    return seats_offset() + members * sizeof(ParitySeat);
  }
  [[nodiscard]] constexpr std::uint64_t tiles_offset() const noexcept {
    return to(kParityPage, states_offset() + window() * sizeof(ParityTile));
  }
  [[nodiscard]] constexpr std::uint64_t slots_offset() const noexcept {
    return to(kParityPage, tiles_offset() + std::uint64_t{window()} * parities * block_bytes);
  }
  // Within a slot:
  [[nodiscard]] static constexpr std::uint64_t commit_offset() noexcept { return sizeof(ParitySlotHeader); }
  [[nodiscard]] static constexpr std::uint64_t sizes_offset() noexcept {
    return commit_offset() + sizeof(ParityCommit);
  }
  [[nodiscard]] constexpr std::uint64_t rows_offset() const noexcept {
    return to(kParityLine, sizes_offset() + std::uint64_t{members} * 8);
  }
  [[nodiscard]] constexpr std::uint64_t row_bytes() const noexcept { return to(kParityLine, blocks() * 4); }
  [[nodiscard]] constexpr std::uint64_t parity_offset() const noexcept {
    return to(kParityPage, rows_offset() + pieces() * row_bytes());
  }
  [[nodiscard]] constexpr std::uint64_t parity_bytes() const noexcept { return blocks() * block_bytes; }
  [[nodiscard]] constexpr std::uint64_t slot_bytes() const noexcept {
    return to(kParityPage, parity_offset() + parities * parity_bytes());
  }
  [[nodiscard]] constexpr std::uint64_t bytes() const noexcept { return slots_offset() + slots * slot_bytes(); }
  bool operator==(const ParityShape&) const = default;
};
static_assert(ParityShape{2, 1, 65536, 65536}.parity_offset() == 4096 &&
              ParityShape{2, 1, 65536, 65537}.slot_bytes() == 4096 + 2 * 65536 &&
              !ParityShape{200, 56, 65536, 0}.valid());

}  // namespace psnam::format
