// What a series of managed checkpoints keeps beside its parity: which ranks make which sets (the series page, on the
// NAM), and the copy of one rank's data in one version (a copy, in the store of its node), which begins with a table of
// what lies where in it. All of it outlives jobs.
//
//   series: CheckpointSeriesHeader | set of each rank, u32 | partner of each rank, u32, if there are partners
//   copy:   CheckpointCopyHeader | checksums of the blocks, u32, from kCheckpointPage on | payload, at the next page
//   payload: CheckpointTable | CheckpointRegion[regions] | CheckpointExtent[...] | packed bytes | to the next block |
//   whole blocks of the regions
//
// A series page is found by its name only when it is written. A copy is there when its magic is, which is written last
// and taken away first. docs/formats/checkpoint.md has the same in words. Bump kCheckpointVersion when a field moves or
// its meaning changes. What version 2 has more is zero in version 1, and means the same there. A series page is of
// version 3 if it keeps another number of versions than two, which former libraries would not.
#pragma once

#include <cstddef>
#include <cstdint>

namespace psnam::format {

inline constexpr std::uint32_t kCheckpointSeriesMagic = 0x5245534e;  // "NSER"
inline constexpr std::uint32_t kCheckpointCopyMagic = 0x5950434e;    // "NCPY"
inline constexpr std::uint32_t kCheckpointTableMagic = 0x4241544e;   // "NTAB"
inline constexpr std::uint32_t kCheckpointVersion = 2;
inline constexpr std::uint32_t kCheckpointOldestVersion = 1;  ///< that is read
inline constexpr std::uint32_t kCheckpointKeptVersion = 3;    ///< of a series page that says how many versions are kept
inline constexpr std::uint32_t kCheckpointMinKept = 2;        ///< the one that is being saved, and the one before it
inline constexpr std::uint32_t kCheckpointMaxKept = 8;
inline constexpr std::uint64_t kCheckpointPage = 4096;
inline constexpr std::size_t kCheckpointNameBytes = 128;
inline constexpr std::size_t kCheckpointPackedAlignment = 16;
inline constexpr std::uint32_t kCheckpointMaxDimensions = 8;

/// CheckpointRegion::share: whose data a region is.
inline constexpr std::uint32_t kCheckpointOwn = 0;     ///< of that rank alone
inline constexpr std::uint32_t kCheckpointPart = 1;    ///< a block of an array that all ranks have together
inline constexpr std::uint32_t kCheckpointShared = 2;  ///< the same on all ranks

/// CheckpointSeriesHeader::partners.
inline constexpr std::uint16_t kCheckpointNoPartners = 0;
inline constexpr std::uint16_t kCheckpointPartners = 1;

struct CheckpointSeriesHeader {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint8_t id[16];
  std::uint32_t ranks;
  std::uint32_t sets;
  std::uint32_t parities;  ///< 0: none, there are partners
  std::uint32_t block_bytes;
  char name[kCheckpointNameBytes];  ///< padded with zeros
  std::uint8_t former[16];          ///< the series of another number of ranks that this one goes on with; 0: none
  std::uint16_t partners;           ///< whether each rank's partner follows the sets, in the same way
  std::uint16_t kept;               ///< versions; 0 up to format version 2: two
  std::uint32_t checksum;           ///< CRC32C of the bytes before it and of the tables after it
};
static_assert(sizeof(CheckpointSeriesHeader) == 192 && offsetof(CheckpointSeriesHeader, ranks) == 24 &&
              offsetof(CheckpointSeriesHeader, name) == 40 && offsetof(CheckpointSeriesHeader, former) == 168 &&
              offsetof(CheckpointSeriesHeader, checksum) == 188);

struct CheckpointCopyHeader {
  std::uint32_t magic;  ///< 0 as long as the copy is written
  std::uint32_t version;
  std::uint8_t series[16];
  std::uint32_t ranks;
  std::uint32_t rank;
  std::uint64_t number;  ///< of the version
  std::uint64_t stamp;   ///< since 1970 in ns, when the version was begun: the same on all ranks
  std::uint64_t payload_bytes;
  std::uint32_t block_bytes;   ///< of the checksums; the last block may be shorter
  std::uint32_t row_checksum;  ///< CRC32C of the checksums
  std::uint8_t reserved[60];
  std::uint32_t checksum;  ///< CRC32C of the bytes before it, the magic as it is in a whole copy
};
static_assert(sizeof(CheckpointCopyHeader) == 128 && offsetof(CheckpointCopyHeader, number) == 32 &&
              offsetof(CheckpointCopyHeader, block_bytes) == 56 && offsetof(CheckpointCopyHeader, checksum) == 124);

/// Where a copy has the stamp of its version once that is known to be complete on all ranks; not in the checksum.
inline constexpr std::uint64_t kCheckpointConfirmedAt = 128;

struct CheckpointTable {
  std::uint32_t magic;
  std::uint32_t regions;
  std::uint64_t packed_bytes;  ///< from the beginning of the payload, table included
  std::uint8_t reserved[16];
};
static_assert(sizeof(CheckpointTable) == 32);

/// A region: its first `whole_bytes`, whole blocks, lie at `whole_at` of the payload, the rest of it at `packed_at`.
struct CheckpointRegion {
  std::uint64_t id;
  std::uint64_t bytes;
  std::uint64_t whole_bytes;
  std::uint64_t whole_at;
  std::uint64_t packed_at;
  std::uint32_t share;          ///< kCheckpointOwn, ...
  std::uint32_t dimensions;     ///< of the array that it is a part of; else 0
  std::uint64_t element_bytes;  ///< likewise
  std::uint64_t extents_at;     ///< where in the payload its extents are, one for each dimension; else 0
};
static_assert(sizeof(CheckpointRegion) == 64 && offsetof(CheckpointRegion, packed_at) == 32 &&
              offsetof(CheckpointRegion, extents_at) == 56);

/// One dimension of a part, the slowest first.
struct CheckpointExtent {
  std::uint64_t size;   ///< elements of the whole array
  std::uint64_t count;  ///< of them, the rank's
  std::uint64_t first;  ///< from this one on
};
static_assert(sizeof(CheckpointExtent) == 24);

/// Where the parts of a copy are.
struct CheckpointCopyShape {
  std::uint64_t payload_bytes = 0;
  std::uint32_t block_bytes = 0;

  [[nodiscard]] static constexpr std::uint64_t to(std::uint64_t unit, std::uint64_t bytes) noexcept {
    return (bytes + unit - 1) / unit * unit;
  }
  [[nodiscard]] constexpr std::uint64_t blocks() const noexcept {
    return (payload_bytes + block_bytes - 1) / block_bytes;
  }
  [[nodiscard]] static constexpr std::uint64_t row_at() noexcept { return kCheckpointPage; }
  [[nodiscard]] constexpr std::uint64_t payload_at() const noexcept {
    return row_at() + to(kCheckpointPage, blocks() * sizeof(std::uint32_t));
  }
  [[nodiscard]] constexpr std::uint64_t bytes() const noexcept { return payload_at() + payload_bytes; }
};
static_assert(CheckpointCopyShape{0, 65536}.bytes() == 4096 &&
              CheckpointCopyShape{65537, 65536}.bytes() == 8192 + 65537);

}  // namespace psnam::format
