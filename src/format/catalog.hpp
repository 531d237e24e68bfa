// What the catalog of a NAM store keeps, as values, and their encoding.
//
// The encoded forms outlive every process (docs/formats/catalog.md): fixed width, little endian, offsets and no
// pointers, and each begins with magic, version and size. Bump kCatalogVersion when a field is added, moved or changes
// its meaning, and add a golden file for the new version.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/choice.hpp"
#include "base/result.hpp"

namespace psnam::format {

inline constexpr std::uint16_t kCatalogVersion = 3;
/// The version that upgraded() understands.
inline constexpr std::uint16_t kFormerCatalogVersion = 2;

enum class Manifestation : std::uint8_t { libnam = 1, persistent_shm = 2, segment = 3 };
enum class Structure : std::uint8_t { raw_and_flat = 1, managed_contiguous = 2, managed_distributed = 3 };
enum class Consistency : std::uint8_t { volatile_ = 1, persistent = 2 };
enum class Reserve : std::uint8_t { full = 1, lazy = 2 };
/// What the memory of a region is to its window: its own file, an allocation that exists without it, or a segment of
/// its own.
enum class RegionSource : std::uint8_t { own = 1, existing = 2, segment = 3 };
enum class AllocationKind : std::uint8_t { memory = 1, checkpoint = 2 };

inline constexpr std::array<Choice<Manifestation>, 3> kManifestations{{
    {"psnam_manifestation_libnam", "memory of the NAM", Manifestation::libnam},
    {"psnam_manifestation_pershm", "persistent shared memory of the node", Manifestation::persistent_shm},
    {"psnam_manifestation_segment", "a part of an existing allocation", Manifestation::segment},
}};
inline constexpr std::array<Choice<Structure>, 3> kStructures{{
    {"psnam_structure_raw_and_flat", "one region, allocated by rank 0, nothing but the user's bytes",
     Structure::raw_and_flat},
    {"psnam_structure_managed_contiguous", "one allocation, cut in rank order", Structure::managed_contiguous},
    {"psnam_structure_managed_distributed", "one allocation for each rank", Structure::managed_distributed},
}};
inline constexpr std::array<Choice<Consistency>, 2> kConsistencies{{
    {"psnam_consistency_volatile", "released with the window or the job", Consistency::volatile_},
    {"psnam_consistency_persistent", "kept until it is removed", Consistency::persistent},
}};
inline constexpr std::array<Choice<Reserve>, 2> kReserves{{
    {"full", "memory is reserved when it is allocated", Reserve::full},
    {"lazy", "sparse: memory is taken when it is touched", Reserve::lazy},
}};
inline constexpr std::array<Choice<RegionSource>, 3> kRegionSources{{
    {"own", "an allocation of the window", RegionSource::own},
    {"existing", "an allocation that the window refers to", RegionSource::existing},
    {"segment", "a segment of the window", RegionSource::segment},
}};
inline constexpr std::array<Choice<AllocationKind>, 2> kAllocationKinds{{
    {"memory", "plain memory", AllocationKind::memory},
    {"checkpoint", "space of checkpoints", AllocationKind::checkpoint},
}};

/// 128 random bits; printed as 32 hexadecimal digits.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};
[[nodiscard]] Uuid random_uuid();
/// Never 0.
[[nodiscard]] std::uint64_t random_challenge();
[[nodiscard]] std::string to_string(const Uuid& uuid);

/// A process, so that a number reused by the system is not taken for it. A process of another boot is dead; one of
/// another pid namespace of this boot cannot be judged and counts as alive.
struct ProcessIdentity {
  std::uint32_t pid = 0;
  std::uint32_t rank = 0;              ///< in the communicator of the window
  std::uint64_t start_time_ticks = 0;  ///< since boot: field 22 of /proc/PID/stat
  std::uint64_t pid_namespace = 0;     ///< inode of /proc/self/ns/pid
  auto operator<=>(const ProcessIdentity&) const = default;
};

/// A node (one store) that holds a part of a window.
struct NodeRecord {
  Uuid store;        ///< identity of the node's store
  std::string host;  ///< for people
  std::string path;  ///< of the store, for people
  bool operator==(const NodeRecord&) const = default;
};

/// The region that one rank contributes.
struct RegionRecord {
  std::uint64_t size_bytes = 0;
  /// Whose file it lies in: that of the root allocation, in the store of `node`; 0: no memory, or a store other than
  /// the one that keeps this record.
  std::uint64_t allocation_id = 0;
  std::uint64_t offset_bytes = 0;  ///< of the region in that file
  std::uint64_t displacement_unit = 1;
  std::uint32_t node = 0;  ///< index into WindowRecord::nodes
  Manifestation manifestation = Manifestation::libnam;
  RegionSource source = RegionSource::own;
  /// The allocation record that the window holds for it: its segment, or the existing allocation; 0 for its own file.
  std::uint64_t segment_id = 0;
  bool operator==(const RegionRecord&) const = default;
};

/// A window. Each store that holds a part of it keeps the whole record, with the allocation ids of its own part.
struct WindowRecord {
  std::uint64_t id = 0;  ///< in this store
  Uuid uuid;             ///< the same in all stores
  Structure structure = Structure::managed_distributed;
  Consistency consistency = Consistency::volatile_;
  bool in_doubt = false;  ///< part of a window of several nodes whose home node (nodes[0]) decides whether it exists
  Reserve reserve = Reserve::full;
  std::uint32_t mode = 0600;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t created_unix_seconds = 0;
  std::string name;  ///< chosen or generated; found under it while the window is persistent and not in doubt
  std::vector<NodeRecord> nodes;
  std::vector<RegionRecord> regions;  ///< one for each rank
  bool operator==(const WindowRecord&) const = default;
};

/// Memory: an allocation, which has a file of its own, or a segment, which is a part of another allocation or segment,
/// its parent. It belongs to a window and goes with it, or is free-standing and has a lifetime of its own.
struct AllocationRecord {
  std::uint64_t id = 0;
  std::uint64_t window_id = 0;          ///< 0: free-standing
  std::uint64_t parent_id = 0;          ///< 0: it has a file of its own
  std::uint64_t offset_bytes = 0;       ///< in the parent
  std::uint64_t root_id = 0;            ///< whose file its bytes are in: `id` if it has its own
  std::uint64_t root_offset_bytes = 0;  ///< in that file
  std::uint64_t size_bytes = 0;
  Reserve reserve = Reserve::full;
  Consistency consistency = Consistency::volatile_;  ///< of a free-standing one; else the window's counts
  AllocationKind kind = AllocationKind::memory;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0600;
  std::uint64_t challenge = 0;  ///< random; showing it again is how a later process gets the allocation back
  std::uint64_t created_unix_seconds = 0;
  std::uint64_t expires_unix_seconds = 0;  ///< 0: never
  std::uint32_t nam_index = 0;  ///< which NAM has its memory: 0 is this store, others are in the table of NAMs
  std::string name;             ///< may be empty; found under it while it is persistent
  bool operator==(const AllocationRecord&) const = default;
};

/// The processes of one job, on this node, that have a window or a free-standing allocation in hand. It protects that
/// from being released.
struct UseRecord {
  std::uint64_t id = 0;
  std::uint64_t object_id = 0;  ///< of the window or allocation
  Uuid boot;                    ///< /proc/sys/kernel/random/boot_id
  std::vector<ProcessIdentity> processes;
  bool operator==(const UseRecord&) const = default;
};

/// A service name (MPI_Publish_name) and what it leads to.
struct ServiceRecord {
  std::uint64_t window_id = 0;
  std::string port_name;
  bool operator==(const ServiceRecord&) const = default;
};

/// The store itself, and what its catalog counts.
struct StoreRecord {
  Uuid store;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t reserved_bytes = 0;  ///< sum of the files with Reserve::full
  std::uint64_t next_id = 1;         ///< of windows, allocations and uses together; never given twice
  std::uint64_t created_unix_seconds = 0;
  std::uint32_t next_nam_index = 1;  ///< of stores that join; never given twice
  std::string host;
  bool operator==(const StoreRecord&) const = default;
};

/// What a user has in a store: files of memory, and objects, which are windows, allocations and segments.
struct UserRecord {
  std::uint32_t uid = 0;
  std::uint64_t reserved_bytes = 0;  ///< of his files with Reserve::full
  std::uint64_t lazy_bytes = 0;      ///< of his other files, whether touched or not
  std::uint64_t objects = 0;
  bool operator==(const UserRecord&) const = default;
};

/// A store that has joined this one. Its index is its own for ever.
struct NamRecord {
  std::uint32_t index = 0;
  Uuid store;
  std::string address;  ///< where its server is reached
  bool operator==(const NamRecord&) const = default;
};

[[nodiscard]] std::vector<std::byte> encode(const WindowRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const AllocationRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const UseRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const ServiceRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const StoreRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const UserRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const NamRecord& record);

/// Code::corrupt for damaged bytes, Code::incompatible (naming both versions) for those of another version.
[[nodiscard]] Result<WindowRecord> decode_window(std::span<const std::byte> bytes);
[[nodiscard]] Result<AllocationRecord> decode_allocation(std::span<const std::byte> bytes);
[[nodiscard]] Result<UseRecord> decode_use(std::span<const std::byte> bytes);
[[nodiscard]] Result<ServiceRecord> decode_service(std::span<const std::byte> bytes);
[[nodiscard]] Result<StoreRecord> decode_store(std::span<const std::byte> bytes);
[[nodiscard]] Result<UserRecord> decode_user(std::span<const std::byte> bytes);
[[nodiscard]] Result<NamRecord> decode_nam(std::span<const std::byte> bytes);

/// Whether `bytes` begin as a record of kFormerCatalogVersion does.
[[nodiscard]] bool is_of_former_version(std::span<const std::byte> bytes) noexcept;
/// A record of kFormerCatalogVersion as one of kCatalogVersion, whose new fields are where zeros were.
[[nodiscard]] std::vector<std::byte> upgraded(std::span<const std::byte> bytes);

}  // namespace psnam::format
