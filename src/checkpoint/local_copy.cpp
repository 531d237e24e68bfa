#include "checkpoint/local_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/log.hpp"
#include "checkpoint/names.hpp"
#include "parity/code.hpp"
#include "parity/encode.hpp"

namespace psnam::checkpoint {
namespace {

using format::CheckpointCopyHeader;
using format::CheckpointCopyShape;

std::uint32_t header_checksum(const CheckpointCopyHeader& header) {
  return parity::checksum(std::as_bytes(std::span{&header, 1}).first(offsetof(CheckpointCopyHeader, checksum)));
}

CheckpointCopyShape shape_of(const CheckpointCopyHeader& header) { return {header.payload_bytes, header.block_bytes}; }

std::span<const std::byte> row_of(std::span<const std::byte> memory, const CheckpointCopyShape& shape) {
  return memory.subspan(CheckpointCopyShape::row_at(), shape.blocks() * sizeof(std::uint32_t));
}

bool fits(const CheckpointCopyHeader& header, std::size_t bytes) {
  return header.block_bytes >= format::kParityMinBlock && header.block_bytes <= format::kParityMaxBlock &&
         header.payload_bytes <= bytes && shape_of(header).bytes() <= bytes;
}

Error corrupt(std::string why) { return Error{Code::corrupt, "the copy: " + std::move(why)}; }

/// The magic is what readers look at first and writers write last.
std::atomic_ref<std::uint32_t> magic_of(std::span<std::byte> memory) {
  return std::atomic_ref{*reinterpret_cast<std::uint32_t*>(memory.data())};
}

}  // namespace

Result<CheckpointCopyHeader> CopyView::look() const {
  if (memory_.size() < format::kCheckpointPage) return corrupt(fmt::format("it has {} bytes", memory_.size()));
  const std::uint32_t magic = magic_of(memory_).load();
  if (magic == 0) return Error{Code::name_not_found, "the copy has no version"};
  if (magic != format::kCheckpointCopyMagic) return corrupt(fmt::format("it begins with {:#010x}", magic));
  CheckpointCopyHeader header{};
  std::memcpy(&header, memory_.data(), sizeof header);
  if (header.checksum != header_checksum(header)) return corrupt("the checksum of its header does not hold");
  if (header.version < format::kCheckpointOldestVersion || header.version > format::kCheckpointVersion)
    return corrupt(fmt::format("it is of format version {}", header.version));
  if (!std::ranges::equal(header.series, owner_.series.bytes) || header.ranks != owner_.ranks ||
      header.rank != owner_.rank)
    return corrupt(fmt::format("it is that of rank {} of {} of another series, or rank", header.rank, header.ranks));
  if (!fits(header, memory_.size()))
    return corrupt(fmt::format("{} bytes in blocks of {} do not fit into {}", header.payload_bytes, header.block_bytes,
                               memory_.size()));
  if (parity::checksum(row_of(memory_, shape_of(header))) != header.row_checksum)
    return corrupt("its checksums are not those that were written");
  return header;
}

std::optional<CheckpointCopyHeader> CopyView::header() const {
  auto found = look();
  return found ? std::optional{*found} : std::nullopt;
}

VersionKey CopyView::version() const {
  const auto found = header();
  return found ? VersionKey{found->number, found->stamp} : VersionKey{};
}

/// The stamp tells versions apart, so what a version before has left confirms nothing.
bool CopyView::confirmed() const {
  const auto found = header();
  if (!found) return false;
  std::uint64_t stamp = 0;
  std::memcpy(&stamp, memory_.data() + format::kCheckpointConfirmedAt, sizeof stamp);
  return stamp == found->stamp;
}

void CopyView::confirm() const {
  if (const auto found = header())
    std::memcpy(memory_.data() + format::kCheckpointConfirmedAt, &found->stamp, sizeof found->stamp);
}

std::span<std::byte> CopyView::payload() const {
  const auto found = header();
  if (!found) return {};
  return memory_.subspan(shape_of(*found).payload_at(), found->payload_bytes);
}

std::span<const std::byte> CopyView::whole() const {
  const auto found = header();
  return found ? memory_.first(shape_of(*found).bytes()) : std::span<std::byte>{};
}

const std::uint32_t* CopyView::checksums() const noexcept {
  return reinterpret_cast<const std::uint32_t*>(memory_.data() + CheckpointCopyShape::row_at());
}

std::uint32_t CopyView::block_bytes() const {
  const auto found = header();
  return found ? found->block_bytes : 0;
}

std::uint64_t CopyView::count_damaged() const { return header() ? damaged_blocks().size() : 1; }

std::vector<std::uint64_t> CopyView::damaged_blocks() const {
  std::vector<std::uint64_t> damaged;
  const auto found = header();
  if (!found) return damaged;
  const auto sums = parity::copy_member({.member = 0, .bytes = payload()}, found->block_bytes);
  const auto row = row_of(memory_, shape_of(*found));
  for (std::uint64_t block = 0; block < sums.size(); ++block) {
    std::uint32_t written = 0;
    std::memcpy(&written, row.data() + block * sizeof written, sizeof written);
    if (sums[block] != written) damaged.push_back(block);
  }
  return damaged;
}

void CopyView::invalidate() const noexcept {
  magic_of(memory_).store(0);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

std::span<std::byte> CopyView::room(std::uint64_t payload_bytes, std::uint32_t block_bytes) const noexcept {
  return memory_.subspan(CheckpointCopyShape{payload_bytes, block_bytes}.payload_at(), payload_bytes);
}

void CopyView::commit(const VersionKey& key, std::uint64_t payload_bytes, std::uint32_t block_bytes,
                      const std::uint32_t* checksums) const noexcept {
  const CheckpointCopyShape shape{payload_bytes, block_bytes};
  if (shape.blocks() != 0)
    std::memcpy(memory_.data() + CheckpointCopyShape::row_at(), checksums, shape.blocks() * sizeof(std::uint32_t));
  CheckpointCopyHeader header{.magic = format::kCheckpointCopyMagic,
                              .version = format::kCheckpointVersion,
                              .series = {},
                              .ranks = owner_.ranks,
                              .rank = owner_.rank,
                              .number = key.number,
                              .stamp = key.stamp,
                              .payload_bytes = payload_bytes,
                              .block_bytes = block_bytes,
                              .row_checksum = parity::checksum(row_of(memory_, shape)),
                              .reserved = {},
                              .checksum = 0};
  std::ranges::copy(owner_.series.bytes, header.series);
  header.checksum = header_checksum(header);
  const std::uint32_t magic = std::exchange(header.magic, 0);
  std::memcpy(memory_.data(), &header, sizeof header);
  magic_of(memory_).store(magic);
}

LocalCopy::Use::~Use() {
  if (const Status closed = store_->close(use_.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use_.allocation.id, closed.error().message);
}

LocalCopy::LocalCopy(ServicePointer store, const CopyOwner& owner, std::string name)
    : store_{std::move(store)}, owner_{owner}, name_{std::move(name)} {}

Result<LocalCopy> LocalCopy::open(ServicePointer store, const CopyOwner& owner, int index, CopyKind kind) {
  LocalCopy copy{std::move(store), owner, copy_name(kind, owner.series, owner.rank, index)};
  auto record = copy.store_->find_allocation(copy.name_);
  if (!record) {
    if (record.error().code == Code::name_not_found) return copy;
    return record.take_error();
  }
  PSNAM_TRY(const auto me, copy.store_->user(0));
  PSNAM_TRY(nam::AllocationUse use,
            copy.store_->open_allocation(record->id, record->challenge, nam::AccessRight::read_write, {&me, 1}));
  PSNAM_TRY(copy.use_, copy.map(std::move(use)));
  return copy;
}

Result<std::unique_ptr<LocalCopy::Use>> LocalCopy::map(nam::AllocationUse use) const {
  const format::AllocationRecord& record = use.allocation;
  auto memory = store_->open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_write);
  if (memory && !memory->remote) return std::make_unique<Use>(store_, std::move(use), std::move(*memory));
  Status failed = memory ? Status{Error{Code::unsupported, "the memory of the node's store is not mapped here"}}
                         : std::move(memory).status();
  if (const Status closed = store_->close(use.use_id); !closed)
    log::warn("allocation {} stays in use: {}", record.id, closed.error().message);
  return failed.take_error();
}

VersionKey LocalCopy::version() const { return use_ ? view().version() : VersionKey{}; }

Result<CopyView> LocalCopy::make_room(std::uint64_t payload_bytes, std::uint32_t block_bytes) {
  const std::uint64_t needed = CheckpointCopyShape{payload_bytes, block_bytes}.bytes();
  if (!use_ || use_->bytes().size() < needed) {
    PSNAM_CHECK(remove());
    PSNAM_CHECK(allocate(CheckpointCopyShape::to(block_bytes, needed)));
  }
  CopyView made = view();
  made.invalidate();
  return made;
}

Result<std::span<std::byte>> LocalCopy::room(std::uint64_t payload_bytes, std::uint32_t block_bytes) const {
  const std::uint64_t needed = CheckpointCopyShape{payload_bytes, block_bytes}.bytes();
  const std::size_t there = use_ ? use_->bytes().size() : 0;
  if (payload_bytes > there || needed > there)
    return Error{Code::corrupt, fmt::format("the copy of rank {}: {} bytes of data do not fit into {}", owner_.rank,
                                            payload_bytes, there)};
  return view().room(payload_bytes, block_bytes);
}

/// It is found by its name as soon as it is there, and is no version then: new memory is zeros.
Status LocalCopy::allocate(std::uint64_t bytes) {
  nam::AllocationRequest request;
  request.size_bytes = bytes;
  request.kind = format::AllocationKind::checkpoint;
  request.consistency = format::Consistency::persistent;
  request.name = name_;
  PSNAM_TRY(const auto me, store_->user(0));
  PSNAM_TRY(nam::AllocationUse use, store_->allocate(request, {&me, 1}));
  PSNAM_TRY(use_, map(std::move(use)));
  return {};
}

Status LocalCopy::remove() {
  if (!use_) return {};
  auto gone = store_->free_allocation(use_->id(), false);
  if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  use_.reset();
  return {};
}

}  // namespace psnam::checkpoint
