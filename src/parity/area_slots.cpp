// The versions of an area: which are whole, and how one is begun and committed.
//
// Order of writing: the commit record of the slot goes, then everything else of the slot is written, then the record
// comes back, its first word last. The processor's caches keep the order of stores of one process; those of several are
// ordered by the members' words in the seats. A process killed in between leaves a slot without a record, or with one
// whose checksum does not hold. Each look copies what it judges, so that a change while it looks is a damaged slot at
// worst.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "format/wire.hpp"
#include "parity/area.hpp"
#include "parity/team.hpp"

namespace psnam::parity {
namespace {

using format::ParityCommit;
using format::ParitySlotHeader;

std::uint32_t record_checksum(const ParityCommit& record) noexcept {
  return checksum(std::as_bytes(std::span{&record, 1}).first(offsetof(ParityCommit, checksum)));
}

std::string say(const SlotReport& slot) {
  switch (slot.state) {
    case SlotState::empty:
      return "empty";
    case SlotState::committed:
      return fmt::format("version {}", slot.number);
    default:
      return slot.reason;
  }
}

std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds{std::chrono::system_clock::now().time_since_epoch()}.count());
}

}  // namespace

std::uint32_t Area::tables_checksum(std::size_t slot, const ParitySlotHeader& header,
                                    std::span<const std::uint64_t> sizes) const noexcept {
  std::uint32_t sum = checksum(std::as_bytes(sizes), checksum(std::as_bytes(std::span{&header, 1})));
  for (std::uint32_t piece = 0; piece < shape_.pieces(); ++piece) {
    const std::uint64_t bytes = piece < shape_.members ? sizes[piece] : header.longest_bytes;
    sum = checksum(std::as_bytes(std::span{checksums(slot, piece), shape_.blocks_of(bytes)}), sum);
  }
  return sum;
}

SlotReport Area::look_at(std::size_t slot) const {
  ParityCommit record{};
  ParitySlotHeader header{};
  std::memcpy(&record, &commit_record(slot), sizeof record);
  std::atomic_thread_fence(std::memory_order_acquire);
  std::memcpy(&header, &slot_header(slot), sizeof header);
  const auto damaged = [&](std::string why) {
    return SlotReport{SlotState::damaged, record.version, fmt::format("slot {}: {}", slot, why), {}};
  };
  if (record.magic == 0 && header.version == 0) return {};
  if (record.magic == 0)
    return {SlotState::unfinished,
            header.version,
            fmt::format("slot {}: version {} was begun and not committed", slot, header.version),
            {}};
  if (record.magic != format::kParityCommitMagic)
    return damaged(fmt::format("its commit record begins with {:#010x}", record.magic));
  if (record.checksum != record_checksum(record)) return damaged("checksum of its commit record does not hold");
  if (record.format_version != shape_.format_version())
    return damaged(fmt::format("its commit record is of format version {}", record.format_version));
  if (record.version != header.version || record.version == 0)
    return damaged(fmt::format("version {} was committed, the header says {}", record.version, header.version));
  Version version{header.version, header.taken_ns, {}, {}, 0, slot};
  std::ranges::copy(header.note, version.note.begin());
  version.sizes.assign(sizes(slot), sizes(slot) + shape_.members);
  for (std::uint32_t member = 0; member < shape_.members; ++member) {
    if (version.sizes[member] > shape_.capacity_bytes)
      return damaged(fmt::format("member {} has {} bytes in version {}, the capacity is {}", member,
                                 version.sizes[member], header.version, shape_.capacity_bytes));
    version.longest_bytes = std::max(version.longest_bytes, version.sizes[member]);
  }
  if (version.longest_bytes != header.longest_bytes)
    return damaged(fmt::format("the longest member of version {} has {} bytes, its header says {}", header.version,
                               version.longest_bytes, header.longest_bytes));
  if (tables_checksum(slot, header, version.sizes) != record.tables_checksum)
    return damaged(
        fmt::format("header, sizes or checksums of version {} are not those that were committed", header.version));
  return {SlotState::committed, version.number, {}, std::move(version)};
}

std::vector<SlotReport> Area::slots() const {
  std::vector<SlotReport> found;
  for (std::size_t slot = 0; slot < shape_.slots; ++slot) found.push_back(look_at(slot));
  return found;
}

std::vector<Version> Area::versions() const {
  std::vector<Version> found;
  for (SlotReport& slot : slots())
    if (slot.version) found.push_back(std::move(*slot.version));
  std::ranges::sort(found, std::ranges::greater{}, &Version::number);
  return found;
}

Error Area::without(std::string_view version, bool damaged, const std::vector<SlotReport>& found) const {
  std::vector<std::string> all;
  for (const SlotReport& slot : found) all.push_back(say(slot));
  return Error{damaged ? psnam::Code::corrupt : psnam::Code::name_not_found,
               fmt::format("parity area '{}' has no whole {}: {}", name_, version, fmt::join(all, "; "))};
}

Result<Version> Area::newest() const {
  auto found = slots();
  SlotReport* newest = nullptr;
  for (SlotReport& slot : found)
    if (slot.version && (newest == nullptr || slot.number > newest->number)) newest = &slot;
  if (newest != nullptr) return std::move(*newest->version);
  return without("version", std::ranges::find(found, SlotState::damaged, &SlotReport::state) != found.end(), found);
}

Result<Version> Area::version(std::uint64_t number) const {
  auto found = slots();
  for (SlotReport& slot : found)
    if (slot.version && slot.number == number) return std::move(*slot.version);
  const bool damaged = std::ranges::any_of(
      found, [&](const SlotReport& slot) { return slot.state == SlotState::damaged && slot.number == number; });
  return without(fmt::format("version {}", number), damaged, found);
}

std::vector<BadBlock> Area::verify(const Version& version) const {
  std::vector<BadBlock> bad;
  for (std::uint32_t parity = 0; parity < shape_.parities; ++parity) {
    const std::uint32_t piece = shape_.members + parity;
    for (std::uint64_t block = 0; block < shape_.blocks_of(version.longest_bytes); ++block)
      if (checksum({parity_block(version.slot, parity, block), shape_.block_bytes}) !=
          checksums(version.slot, piece)[block])
        bad.push_back({piece, block});
  }
  return bad;
}

std::uint64_t Area::new_attempt() const noexcept {
  format::ParityTeam& common = team();
  const std::uint64_t number = std::max<std::uint64_t>(common.attempt.load() + 1, 1);
  common.given_up = 0;
  common.sleepers = 0;
  common.bad_blocks = 0;
  common.next_stripe = format::ParityTurn{static_cast<std::uint32_t>(number), 0}.encode();
  reset_tiles(*this);
  common.attempt = number;
  return number;
}

Result<Attempt> Area::begin(std::uint64_t number, const Note& note) {
  const auto found = slots();
  const auto committed = [](const SlotReport& slot) { return slot.version ? slot.number : 0; };
  const std::uint64_t newest = committed(*std::ranges::max_element(found, {}, committed));
  if (number <= newest)
    return Error{psnam::Code::invalid_argument,
                 fmt::format("version {} cannot be begun: it has to be above {}, the newest of parity area '{}'",
                             number, newest, name_)};
  const auto slot = static_cast<std::size_t>(std::ranges::min_element(found, {}, committed) - found.begin());
  ParityCommit& record = commit_record(slot);
  std::atomic_ref{record.magic}.store(0);
  std::memset(&record, 0, sizeof record);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  ParitySlotHeader header{.version = number, .longest_bytes = 0, .taken_ns = now_ns(), .note = {}, .reserved = {}};
  std::ranges::copy(note, header.note);
  std::memcpy(&slot_header(slot), &header, sizeof header);
  std::memset(sizes(slot), 0, shape_.members * sizeof(std::uint64_t));
  return Attempt{new_attempt(), number, slot};
}

void Area::drop(const Version& version) { std::atomic_ref{commit_record(version.slot).magic}.store(0); }

Attempt Area::begin_rebuild(const Version& version) { return {new_attempt(), version.number, version.slot}; }

Status Area::commit(const Attempt& attempt, Deadline deadline) {
  Team team{*this, attempt};
  PSNAM_CHECK(team.await_all(Stage::done, deadline));
  const std::vector<std::uint64_t> all(sizes(attempt.slot), sizes(attempt.slot) + shape_.members);
  for (std::uint32_t member = 0; member < shape_.members; ++member)
    if (all[member] > shape_.capacity_bytes)
      return Error{psnam::Code::corrupt,
                   fmt::format("version {}: member {} wrote a size of {} bytes, the capacity is {}", attempt.version,
                               member, all[member], shape_.capacity_bytes)};
  write_commit(attempt, all);
  return {};
}

void Area::write_commit(const Attempt& attempt, std::span<const std::uint64_t> sizes) const noexcept {
  ParitySlotHeader& header = slot_header(attempt.slot);
  header.longest_bytes = std::ranges::max(sizes);
  ParityCommit record{.magic = format::kParityCommitMagic,
                      .format_version = shape_.format_version(),
                      .version = attempt.version,
                      .tables_checksum = tables_checksum(attempt.slot, header, sizes),
                      .reserved = {},
                      .checksum = 0};
  record.checksum = record_checksum(record);
  ParityCommit& place = commit_record(attempt.slot);
  const std::uint32_t magic = std::exchange(record.magic, 0);
  std::memcpy(&place, &record, sizeof record);
  std::atomic_ref{place.magic}.store(magic);
}

}  // namespace psnam::parity
