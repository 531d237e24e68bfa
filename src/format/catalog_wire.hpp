// The wire structs of the catalog's records (docs/formats/catalog.md). Changing anything here changes the format: bump
// kCatalogVersion and add golden files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace psnam::format::wire {

using Id = std::array<std::uint8_t, 16>;

/// Four letters, readable in a hexadecimal dump.
[[nodiscard]] constexpr std::uint32_t magic(const char (&letters)[5]) noexcept {
  std::uint32_t value = 0;
  for (int index = 3; index >= 0; --index) value = (value << 8) | static_cast<unsigned char>(letters[index]);
  return value;
}

inline constexpr std::uint32_t kStoreMagic = magic("PNST");
inline constexpr std::uint32_t kWindowMagic = magic("PNWI");
inline constexpr std::uint32_t kAllocationMagic = magic("PNAL");
inline constexpr std::uint32_t kUseMagic = magic("PNUS");
inline constexpr std::uint32_t kServiceMagic = magic("PNSV");
inline constexpr std::uint32_t kUserMagic = magic("PNUR");
inline constexpr std::uint32_t kNamMagic = magic("PNNM");

struct Header {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t zero;
  std::uint64_t size_bytes;  // of the whole record, header included
};
static_assert(sizeof(Header) == 16 && offsetof(Header, version) == 4 && offsetof(Header, size_bytes) == 8);

struct Store {
  Header header;
  Id store;
  std::uint64_t capacity_bytes;
  std::uint64_t reserved_bytes;
  std::uint64_t next_id;
  std::uint64_t created_unix_seconds;
  std::uint32_t host_bytes;
  std::uint32_t next_nam_index;
};  // then the host
static_assert(sizeof(Store) == 72 && offsetof(Store, store) == 16 && offsetof(Store, capacity_bytes) == 32);
static_assert(offsetof(Store, reserved_bytes) == 40 && offsetof(Store, next_id) == 48);
static_assert(offsetof(Store, created_unix_seconds) == 56 && offsetof(Store, host_bytes) == 64);
static_assert(offsetof(Store, next_nam_index) == 68);

struct Window {
  Header header;
  std::uint64_t id;
  Id uuid;
  std::uint64_t created_unix_seconds;
  std::uint32_t mode;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint8_t structure;
  std::uint8_t consistency;
  std::uint8_t in_doubt;
  std::uint8_t reserve;
  std::uint32_t name_bytes;
  std::uint32_t node_count;
  std::uint64_t region_count;
};  // then the name, the nodes, the regions
static_assert(sizeof(Window) == 80 && offsetof(Window, id) == 16 && offsetof(Window, uuid) == 24);
static_assert(offsetof(Window, created_unix_seconds) == 40 && offsetof(Window, mode) == 48);
static_assert(offsetof(Window, uid) == 52 && offsetof(Window, gid) == 56 && offsetof(Window, structure) == 60);
static_assert(offsetof(Window, consistency) == 61 && offsetof(Window, in_doubt) == 62 &&
              offsetof(Window, reserve) == 63);
static_assert(offsetof(Window, name_bytes) == 64 && offsetof(Window, node_count) == 68);
static_assert(offsetof(Window, region_count) == 72);

struct Node {
  Id store;
  std::uint32_t host_bytes;
  std::uint32_t path_bytes;
};  // then the host and the path
static_assert(sizeof(Node) == 24 && offsetof(Node, host_bytes) == 16 && offsetof(Node, path_bytes) == 20);

struct Region {
  std::uint64_t size_bytes;
  std::uint64_t allocation_id;
  std::uint64_t offset_bytes;
  std::uint64_t displacement_unit;
  std::uint64_t segment_id;
  std::uint32_t node;
  std::uint8_t manifestation;
  std::uint8_t source;
  std::array<std::uint8_t, 2> zero;
};
static_assert(sizeof(Region) == 48 && offsetof(Region, allocation_id) == 8 && offsetof(Region, offset_bytes) == 16);
static_assert(offsetof(Region, displacement_unit) == 24 && offsetof(Region, segment_id) == 32);
static_assert(offsetof(Region, node) == 40 && offsetof(Region, manifestation) == 44);
static_assert(offsetof(Region, source) == 45 && offsetof(Region, zero) == 46);

struct Allocation {
  Header header;
  std::uint64_t id;
  std::uint64_t window_id;
  std::uint64_t parent_id;
  std::uint64_t offset_bytes;
  std::uint64_t root_id;
  std::uint64_t root_offset_bytes;
  std::uint64_t size_bytes;
  std::uint64_t challenge;
  std::uint64_t created_unix_seconds;
  std::uint64_t expires_unix_seconds;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t mode;
  std::uint32_t name_bytes;
  std::uint8_t reserve;
  std::uint8_t consistency;
  std::uint8_t kind;
  std::uint8_t zero;
  std::uint32_t nam_index;
};  // then the name
static_assert(sizeof(Allocation) == 120 && offsetof(Allocation, id) == 16 && offsetof(Allocation, window_id) == 24);
static_assert(offsetof(Allocation, parent_id) == 32 && offsetof(Allocation, offset_bytes) == 40);
static_assert(offsetof(Allocation, root_id) == 48 && offsetof(Allocation, root_offset_bytes) == 56);
static_assert(offsetof(Allocation, size_bytes) == 64 && offsetof(Allocation, challenge) == 72);
static_assert(offsetof(Allocation, created_unix_seconds) == 80 && offsetof(Allocation, expires_unix_seconds) == 88);
static_assert(offsetof(Allocation, uid) == 96 && offsetof(Allocation, gid) == 100 && offsetof(Allocation, mode) == 104);
static_assert(offsetof(Allocation, name_bytes) == 108 && offsetof(Allocation, reserve) == 112);
static_assert(offsetof(Allocation, consistency) == 113 && offsetof(Allocation, kind) == 114);
static_assert(offsetof(Allocation, zero) == 115 && offsetof(Allocation, nam_index) == 116);

/// The value of a row of the table of extents.
struct Extent {
  std::uint64_t size_bytes;
  std::uint64_t segment_id;
};
static_assert(sizeof(Extent) == 16 && offsetof(Extent, segment_id) == 8);

struct Use {
  Header header;
  std::uint64_t id;
  std::uint64_t object_id;
  Id boot;
  std::uint64_t process_count;
};  // then the processes
static_assert(sizeof(Use) == 56 && offsetof(Use, id) == 16 && offsetof(Use, object_id) == 24);
static_assert(offsetof(Use, boot) == 32 && offsetof(Use, process_count) == 48);

struct Process {
  std::uint32_t pid;
  std::uint32_t rank;
  std::uint64_t start_time_ticks;
  std::uint64_t pid_namespace;
};
static_assert(sizeof(Process) == 24 && offsetof(Process, rank) == 4 && offsetof(Process, start_time_ticks) == 8);
static_assert(offsetof(Process, pid_namespace) == 16);

struct Service {
  Header header;
  std::uint64_t window_id;
  std::uint32_t port_name_bytes;
  std::uint32_t zero;
};  // then the port name
static_assert(sizeof(Service) == 32 && offsetof(Service, window_id) == 16 && offsetof(Service, port_name_bytes) == 24);

struct User {
  Header header;
  std::uint64_t reserved_bytes;
  std::uint64_t lazy_bytes;
  std::uint64_t objects;
  std::uint32_t uid;
  std::uint32_t zero;
};
static_assert(sizeof(User) == 48 && offsetof(User, reserved_bytes) == 16 && offsetof(User, lazy_bytes) == 24);
static_assert(offsetof(User, objects) == 32 && offsetof(User, uid) == 40 && offsetof(User, zero) == 44);

struct Nam {
  Header header;
  Id store;
  std::uint32_t index;
  std::uint32_t address_bytes;
};  // then the address
static_assert(sizeof(Nam) == 40 && offsetof(Nam, store) == 16 && offsetof(Nam, index) == 32);
static_assert(offsetof(Nam, address_bytes) == 36);

}  // namespace psnam::format::wire
