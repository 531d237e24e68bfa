#include "format/catalog.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "format/catalog_wire.hpp"
#include "format/wire.hpp"

namespace psnam::format {
namespace {

wire::Header header(std::uint32_t magic, std::size_t size_bytes) {
  return {.magic = magic, .version = kCatalogVersion, .zero = 0, .size_bytes = size_bytes};
}

std::uint32_t length(const std::string& text) { return static_cast<std::uint32_t>(text.size()); }

Error damaged(std::string_view kind, std::string_view what) {
  return Error{Code::corrupt, fmt::format("the catalog's {} record is damaged: {}", kind, what)};
}

/// What every record begins with: its kind, a version this library speaks, its size.
Status check_header(std::span<const std::byte> bytes, std::uint32_t magic, std::string_view kind) {
  wire::Header found{};
  if (!Reader{bytes}.get(found)) return damaged(kind, fmt::format("{} bytes are less than a header", bytes.size()));
  if (found.magic != magic) return damaged(kind, fmt::format("magic {:#010x} instead of {:#010x}", found.magic, magic));
  if (found.version != kCatalogVersion)
    return Error{Code::incompatible,
                 fmt::format("the catalog's {} record has version {}, this library speaks version {}", kind,
                             found.version, kCatalogVersion)};
  if (found.zero != 0) return damaged(kind, "reserved bytes are not zero");
  if (found.size_bytes != bytes.size())
    return damaged(kind, fmt::format("it says {} bytes and has {}", found.size_bytes, bytes.size()));
  return {};
}

void fill_at_random(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
    // A few bytes without flags fail only where the kernel has no such call; an identity that repeats would destroy
    // data.
    if (got < 0 && errno != EINTR) std::abort();
  }
}

template <class T, std::size_t N>
bool known(std::uint8_t value, const std::array<Choice<T>, N>& table) noexcept {
  for (const auto& row : table)
    if (row.value == static_cast<T>(value)) return true;
  return false;
}

bool decode_nodes(Reader& reader, std::uint32_t count, std::vector<NodeRecord>& nodes) {
  if (!reader.holds(count, sizeof(wire::Node))) return false;
  nodes.resize(count);
  for (auto& node : nodes) {
    wire::Node piece{};
    if (!reader.get(piece)) return false;
    node.store.bytes = piece.store;
    if (!reader.get_text(node.host, piece.host_bytes) || !reader.get_text(node.path, piece.path_bytes)) return false;
  }
  return true;
}

bool valid_region(const wire::Region& region, std::uint32_t node_count) noexcept {
  return known(region.manifestation, kManifestations) && known(region.source, kRegionSources) &&
         region.zero == std::array<std::uint8_t, 2>{} && region.node < (node_count == 0 ? 1 : node_count) &&
         region.offset_bytes <= std::numeric_limits<std::uint64_t>::max() - region.size_bytes;
}

bool decode_regions(Reader& reader, std::uint64_t count, std::uint32_t node_count, std::vector<RegionRecord>& regions) {
  if (!reader.holds(count, sizeof(wire::Region))) return false;
  regions.resize(static_cast<std::size_t>(count));
  for (auto& region : regions) {
    wire::Region piece{};
    if (!reader.get(piece) || !valid_region(piece, node_count)) return false;
    region = RegionRecord{.size_bytes = piece.size_bytes,
                          .allocation_id = piece.allocation_id,
                          .offset_bytes = piece.offset_bytes,
                          .displacement_unit = piece.displacement_unit,
                          .node = piece.node,
                          .manifestation = static_cast<Manifestation>(piece.manifestation),
                          .source = static_cast<RegionSource>(piece.source),
                          .segment_id = piece.segment_id};
  }
  return true;
}

void put_nodes(Writer& writer, const std::vector<NodeRecord>& nodes) {
  for (const auto& node : nodes) {
    writer.put(wire::Node{.store = node.store.bytes, .host_bytes = length(node.host), .path_bytes = length(node.path)});
    writer.put_text(node.host);
    writer.put_text(node.path);
  }
}

void put_regions(Writer& writer, const std::vector<RegionRecord>& regions) {
  for (const auto& region : regions)
    writer.put(wire::Region{.size_bytes = region.size_bytes,
                            .allocation_id = region.allocation_id,
                            .offset_bytes = region.offset_bytes,
                            .displacement_unit = region.displacement_unit,
                            .segment_id = region.segment_id,
                            .node = region.node,
                            .manifestation = static_cast<std::uint8_t>(region.manifestation),
                            .source = static_cast<std::uint8_t>(region.source),
                            .zero = {}});
}

std::size_t encoded_bytes(const WindowRecord& record) {
  std::size_t bytes = sizeof(wire::Window) + record.name.size() + record.regions.size() * sizeof(wire::Region);
  for (const auto& node : record.nodes) bytes += sizeof(wire::Node) + node.host.size() + node.path.size();
  return bytes;
}

}  // namespace

Uuid random_uuid() {
  Uuid uuid;
  fill_at_random(uuid.bytes);
  return uuid;
}

std::uint64_t random_challenge() {
  std::array<std::uint8_t, 8> bytes{};
  while (bytes == std::array<std::uint8_t, 8>{}) fill_at_random(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

std::string to_string(const Uuid& uuid) {
  std::string text;
  text.reserve(2 * uuid.bytes.size());
  for (const auto byte : uuid.bytes) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::vector<std::byte> encode(const WindowRecord& record) {
  const std::size_t bytes = encoded_bytes(record);
  Writer writer;
  writer.reserve(bytes);
  writer.put(wire::Window{.header = header(wire::kWindowMagic, bytes),
                          .id = record.id,
                          .uuid = record.uuid.bytes,
                          .created_unix_seconds = record.created_unix_seconds,
                          .mode = record.mode,
                          .uid = record.uid,
                          .gid = record.gid,
                          .structure = static_cast<std::uint8_t>(record.structure),
                          .consistency = static_cast<std::uint8_t>(record.consistency),
                          .in_doubt = static_cast<std::uint8_t>(record.in_doubt),
                          .reserve = static_cast<std::uint8_t>(record.reserve),
                          .name_bytes = length(record.name),
                          .node_count = static_cast<std::uint32_t>(record.nodes.size()),
                          .region_count = record.regions.size()});
  writer.put_text(record.name);
  put_nodes(writer, record.nodes);
  put_regions(writer, record.regions);
  return writer.take();
}

Result<WindowRecord> decode_window(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kWindowMagic, "window"));
  Reader reader{bytes};
  wire::Window fixed{};
  if (!reader.get(fixed)) return damaged("window", "it ends too early");
  if (!known(fixed.structure, kStructures) || !known(fixed.consistency, kConsistencies) ||
      !known(fixed.reserve, kReserves) || fixed.in_doubt > 1)
    return damaged("window", "a value is none of the known ones");
  WindowRecord record;
  record.id = fixed.id;
  record.uuid.bytes = fixed.uuid;
  record.structure = static_cast<Structure>(fixed.structure);
  record.consistency = static_cast<Consistency>(fixed.consistency);
  record.in_doubt = fixed.in_doubt != 0;
  record.reserve = static_cast<Reserve>(fixed.reserve);
  record.mode = fixed.mode;
  record.uid = fixed.uid;
  record.gid = fixed.gid;
  record.created_unix_seconds = fixed.created_unix_seconds;
  if (!reader.get_text(record.name, fixed.name_bytes)) return damaged("window", "the name does not fit in it");
  if (!decode_nodes(reader, fixed.node_count, record.nodes)) return damaged("window", "the nodes do not fit in it");
  if (!decode_regions(reader, fixed.region_count, fixed.node_count, record.regions))
    return damaged("window", "the regions do not fit in it or have impossible values");
  if (!reader.empty()) return damaged("window", "bytes follow the last region");
  return record;
}

std::vector<std::byte> encode(const AllocationRecord& record) {
  const std::size_t bytes = sizeof(wire::Allocation) + record.name.size();
  Writer writer;
  writer.reserve(bytes);
  writer.put(wire::Allocation{.header = header(wire::kAllocationMagic, bytes),
                              .id = record.id,
                              .window_id = record.window_id,
                              .parent_id = record.parent_id,
                              .offset_bytes = record.offset_bytes,
                              .root_id = record.root_id,
                              .root_offset_bytes = record.root_offset_bytes,
                              .size_bytes = record.size_bytes,
                              .challenge = record.challenge,
                              .created_unix_seconds = record.created_unix_seconds,
                              .expires_unix_seconds = record.expires_unix_seconds,
                              .uid = record.uid,
                              .gid = record.gid,
                              .mode = record.mode,
                              .name_bytes = length(record.name),
                              .reserve = static_cast<std::uint8_t>(record.reserve),
                              .consistency = static_cast<std::uint8_t>(record.consistency),
                              .kind = static_cast<std::uint8_t>(record.kind),
                              .zero = 0,
                              .nam_index = record.nam_index});
  writer.put_text(record.name);
  return writer.take();
}

Result<AllocationRecord> decode_allocation(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kAllocationMagic, "allocation"));
  Reader reader{bytes};
  wire::Allocation fixed{};
  AllocationRecord record;
  if (!reader.get(fixed) || !reader.get_text(record.name, fixed.name_bytes) || !reader.empty())
    return damaged("allocation", "the name does not fill it");
  if (!known(fixed.reserve, kReserves) || !known(fixed.consistency, kConsistencies) ||
      !known(fixed.kind, kAllocationKinds) || fixed.zero != 0)
    return damaged("allocation", "a value is none of the known ones");
  constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();
  if (fixed.offset_bytes > kEnd - fixed.size_bytes || fixed.root_offset_bytes > kEnd - fixed.size_bytes)
    return damaged("allocation", "it ends beyond 2^64");
  record.id = fixed.id;
  record.window_id = fixed.window_id;
  record.parent_id = fixed.parent_id;
  record.offset_bytes = fixed.offset_bytes;
  record.root_id = fixed.root_id;
  record.root_offset_bytes = fixed.root_offset_bytes;
  record.size_bytes = fixed.size_bytes;
  record.reserve = static_cast<Reserve>(fixed.reserve);
  record.consistency = static_cast<Consistency>(fixed.consistency);
  record.kind = static_cast<AllocationKind>(fixed.kind);
  record.uid = fixed.uid;
  record.gid = fixed.gid;
  record.mode = fixed.mode;
  record.challenge = fixed.challenge;
  record.created_unix_seconds = fixed.created_unix_seconds;
  record.expires_unix_seconds = fixed.expires_unix_seconds;
  record.nam_index = fixed.nam_index;
  return record;
}

std::vector<std::byte> encode(const UseRecord& record) {
  const std::size_t bytes = sizeof(wire::Use) + record.processes.size() * sizeof(wire::Process);
  Writer writer;
  writer.reserve(bytes);
  writer.put(wire::Use{.header = header(wire::kUseMagic, bytes),
                       .id = record.id,
                       .object_id = record.object_id,
                       .boot = record.boot.bytes,
                       .process_count = record.processes.size()});
  for (const auto& process : record.processes)
    writer.put(wire::Process{.pid = process.pid,
                             .rank = process.rank,
                             .start_time_ticks = process.start_time_ticks,
                             .pid_namespace = process.pid_namespace});
  return writer.take();
}

Result<UseRecord> decode_use(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kUseMagic, "use"));
  Reader reader{bytes};
  wire::Use fixed{};
  if (!reader.get(fixed) || !reader.holds(fixed.process_count, sizeof(wire::Process)))
    return damaged("use", "the processes do not fit in it");
  UseRecord record{.id = fixed.id, .object_id = fixed.object_id, .boot = Uuid{fixed.boot}, .processes = {}};
  record.processes.reserve(static_cast<std::size_t>(fixed.process_count));
  for (wire::Process piece{}; record.processes.size() < fixed.process_count && reader.get(piece);)
    record.processes.push_back({.pid = piece.pid,
                                .rank = piece.rank,
                                .start_time_ticks = piece.start_time_ticks,
                                .pid_namespace = piece.pid_namespace});
  if (!reader.empty()) return damaged("use", "bytes follow the last process");
  return record;
}

std::vector<std::byte> encode(const ServiceRecord& record) {
  const std::size_t bytes = sizeof(wire::Service) + record.port_name.size();
  Writer writer;
  writer.put(wire::Service{.header = header(wire::kServiceMagic, bytes),
                           .window_id = record.window_id,
                           .port_name_bytes = length(record.port_name),
                           .zero = 0});
  writer.put_text(record.port_name);
  return writer.take();
}

Result<ServiceRecord> decode_service(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kServiceMagic, "service"));
  Reader reader{bytes};
  wire::Service fixed{};
  ServiceRecord record;
  if (!reader.get(fixed) || fixed.zero != 0 || !reader.get_text(record.port_name, fixed.port_name_bytes) ||
      !reader.empty())
    return damaged("service", "the port name does not fill it");
  record.window_id = fixed.window_id;
  return record;
}

std::vector<std::byte> encode(const StoreRecord& record) {
  const std::size_t bytes = sizeof(wire::Store) + record.host.size();
  Writer writer;
  writer.put(wire::Store{.header = header(wire::kStoreMagic, bytes),
                         .store = record.store.bytes,
                         .capacity_bytes = record.capacity_bytes,
                         .reserved_bytes = record.reserved_bytes,
                         .next_id = record.next_id,
                         .created_unix_seconds = record.created_unix_seconds,
                         .host_bytes = length(record.host),
                         .next_nam_index = record.next_nam_index});
  writer.put_text(record.host);
  return writer.take();
}

Result<StoreRecord> decode_store(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kStoreMagic, "store"));
  Reader reader{bytes};
  wire::Store fixed{};
  StoreRecord record;
  if (!reader.get(fixed) || fixed.next_nam_index == 0 || !reader.get_text(record.host, fixed.host_bytes) ||
      !reader.empty())
    return damaged("store", "the host does not fill it, or it would give the index 0");
  record.store.bytes = fixed.store;
  record.capacity_bytes = fixed.capacity_bytes;
  record.reserved_bytes = fixed.reserved_bytes;
  record.next_id = fixed.next_id;
  record.created_unix_seconds = fixed.created_unix_seconds;
  record.next_nam_index = fixed.next_nam_index;
  return record;
}

std::vector<std::byte> encode(const UserRecord& record) {
  Writer writer;
  writer.put(wire::User{.header = header(wire::kUserMagic, sizeof(wire::User)),
                        .reserved_bytes = record.reserved_bytes,
                        .lazy_bytes = record.lazy_bytes,
                        .objects = record.objects,
                        .uid = record.uid,
                        .zero = 0});
  return writer.take();
}

Result<UserRecord> decode_user(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kUserMagic, "user"));
  Reader reader{bytes};
  wire::User fixed{};
  if (!reader.get(fixed) || fixed.zero != 0 || !reader.empty()) return damaged("user", "it has another size");
  return UserRecord{.uid = fixed.uid,
                    .reserved_bytes = fixed.reserved_bytes,
                    .lazy_bytes = fixed.lazy_bytes,
                    .objects = fixed.objects};
}

std::vector<std::byte> encode(const NamRecord& record) {
  const std::size_t bytes = sizeof(wire::Nam) + record.address.size();
  Writer writer;
  writer.put(wire::Nam{.header = header(wire::kNamMagic, bytes),
                       .store = record.store.bytes,
                       .index = record.index,
                       .address_bytes = length(record.address)});
  writer.put_text(record.address);
  return writer.take();
}

Result<NamRecord> decode_nam(std::span<const std::byte> bytes) {
  PSNAM_CHECK(check_header(bytes, wire::kNamMagic, "NAM"));
  Reader reader{bytes};
  wire::Nam fixed{};
  NamRecord record;
  if (!reader.get(fixed) || !reader.get_text(record.address, fixed.address_bytes) || !reader.empty())
    return damaged("NAM", "the address does not fill it");
  record.index = fixed.index;
  record.store.bytes = fixed.store;
  return record;
}

bool is_of_former_version(std::span<const std::byte> bytes) noexcept {
  wire::Header found{};
  return Reader{bytes}.get(found) && found.version == kFormerCatalogVersion;
}

std::vector<std::byte> upgraded(std::span<const std::byte> bytes) {
  std::vector<std::byte> record{bytes.begin(), bytes.end()};
  wire::Header found{};
  if (!Reader{bytes}.get(found)) return record;
  const auto put = [&](std::size_t offset, const auto& value) {
    if (offset + sizeof value <= record.size()) std::memcpy(record.data() + offset, &value, sizeof value);
  };
  put(offsetof(wire::Header, version), kCatalogVersion);
  if (found.magic == wire::kStoreMagic) put(offsetof(wire::Store, next_nam_index), std::uint32_t{1});
  return record;
}

}  // namespace psnam::format
