#include "checkpoint/seen_series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "checkpoint/set_areas.hpp"
#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {

using format::CheckpointCopyHeader;
using format::CheckpointCopyShape;

namespace {

/// Brings header and checksums of a copy.
Status bring_head(const SeenMemory& memory) {
  PSNAM_CHECK(memory.need(0, format::kCheckpointPage));
  // What the header says is believed here only to know how much is needed.
  CheckpointCopyHeader header{};
  if (memory.bytes().size() < sizeof header) return {};
  std::memcpy(&header, memory.bytes().data(), sizeof header);
  if (header.block_bytes == 0) return {};
  return memory.need(0, CheckpointCopyShape{header.payload_bytes, header.block_bytes}.payload_at());
}

}  // namespace

Status SeenCopy::look() {
  PSNAM_CHECK(bring_head(memory));
  const auto whole = view().look();
  version = whole ? VersionKey{whole->number, whole->stamp} : VersionKey{};
  payload_bytes = whole ? whole->payload_bytes : 0;
  damage = whole || whole.error().code == Code::name_not_found ? "" : whole.error().message;
  return {};
}

Result<VersionKey> SeenCopy::version_now() const {
  PSNAM_CHECK(bring_head(memory));
  return view().version();
}

Result<parity::Area> look_at_area(const SeenMemory& memory) {
  PSNAM_CHECK(memory.need(0, format::kParityPage));
  PSNAM_TRY(parity::Area area, parity::Area::open(memory.bytes()));
  const format::ParityShape& shape = area.shape();
  for (std::size_t slot = 0; slot < shape.slots; ++slot)
    PSNAM_CHECK(memory.need(shape.slots_offset() + slot * shape.slot_bytes(), shape.parity_offset()));
  return area;
}

Result<std::unique_ptr<SeenSeries>> SeenSeries::open(const FoundSeries& found) {
  if (!found.series)
    return Error{Code::corrupt, fmt::format("the checkpoints \"{}\" cannot be looked at: {}",
                                            found.name.empty() ? found.id : found.name, found.problem)};
  std::unique_ptr<SeenSeries> seen{new SeenSeries{found}};
  for (const FoundPart& part : found.copies) seen->open_copy(part);
  for (const FoundPart& part : found.areas) seen->open_area(part);
  return seen;
}

void SeenSeries::open_copy(const FoundPart& part) {
  const auto opened = [&]() -> Status {
    if (part.number >= series().ranks())
      return Error{Code::corrupt, fmt::format("a copy of rank {} of {}", part.number, series().ranks())};
    PSNAM_TRY(SeenMemory memory, SeenMemory::look(part.service, part.record()));
    SeenCopy copy{&part, std::move(memory), {series().id, series().ranks(), part.number}, {}, 0, {}};
    PSNAM_CHECK(copy.look());
    copies_.push_back(std::move(copy));
    return {};
  }();
  if (!opened)
    unreadable_.push_back(
        fmt::format("the copy of rank {} in {} cannot be read: {}", part.number, part.place, opened.error().message));
}

void SeenSeries::open_area(const FoundPart& part) {
  const auto opened = [&]() -> Status {
    if (part.number >= series().sets)
      return Error{Code::corrupt, fmt::format("parity of set {} of {}", part.number, series().sets)};
    PSNAM_TRY(SeenMemory memory, SeenMemory::look(part.service, part.record()));
    PSNAM_TRY(parity::Area area, look_at_area(memory));
    const std::size_t members = series().ranks_of(part.number).size();
    if (area.shape().members != members || area.shape().parities != series().parities ||
        area.shape().block_bytes != series().block_bytes)
      return Error{Code::corrupt, fmt::format("it is of {} members and {} parities, the set of {} and {}",
                                              area.shape().members, area.shape().parities, members, series().parities)};
    areas_.push_back({&part, std::move(memory), std::move(area)});
    return {};
  }();
  if (!opened)
    unreadable_.push_back(fmt::format("the parity of set {} in allocation {} cannot be used: {}", part.number,
                                      part.record().id, opened.error().message));
}

std::vector<std::string> SeenSeries::damage() const {
  std::vector<std::string> all = unreadable_;
  for (const SeenCopy& copy : copies_)
    if (!copy.damage.empty())
      all.push_back(fmt::format("a copy of rank {} in {} is damaged: {}", copy.rank(), copy.part->place, copy.damage));
  for (const SeenArea& one : areas_)
    for (const parity::SlotReport& slot : one.area.slots())
      if (slot.state == parity::SlotState::damaged)
        all.push_back(
            fmt::format("the parity of set {} in allocation {}: {}", one.set(), one.part->record().id, slot.reason));
  return all;
}

const SeenCopy* SeenSeries::copy_of(std::uint32_t rank, const VersionKey& key) const {
  const auto found = std::ranges::find_if(
      copies_, [&](const SeenCopy& copy) { return copy.rank() == rank && key && copy.version == key; });
  return found == copies_.end() ? nullptr : &*found;
}

std::optional<SeenParity> SeenSeries::parity_of(std::uint32_t set, const VersionKey& key) const {
  for (const SeenArea& one : areas_) {
    if (one.set() != set || !one.part->kept()) continue;
    for (parity::Version& version : one.area.versions())
      if (key_of(version) == key) return SeenParity{&one, std::move(version)};
  }
  return {};
}

std::vector<UnderWay> SeenSeries::under_way() const {
  std::map<std::uint64_t, std::uint32_t> sets;
  for (const SeenArea& one : areas_)
    for (const parity::SlotReport& slot : one.area.slots())
      if (slot.state == parity::SlotState::unfinished) ++sets[slot.number];
  std::vector<UnderWay> all;
  for (const auto& [number, count] : sets) all.push_back({number, count});
  return all;
}

Survey SeenSeries::survey() const {
  std::vector<RankState> states(series().ranks());
  for (const SeenCopy& copy : copies_) {
    // Of more than two, which a rank has that has come back on another node, the newest count.
    auto& known = states[copy.rank()].copies;
    const auto older = std::ranges::min_element(known);
    if (std::ranges::find(known, copy.version) == known.end() && *older < copy.version) *older = copy.version;
  }
  for (const SeenArea& one : areas_) {
    if (!one.part->kept()) continue;
    auto& known = states[series().ranks_of(one.set()).front()].parities;
    for (const parity::Version& version : one.area.versions()) {
      const auto older = std::ranges::min_element(known);
      if (*older < key_of(version)) *older = key_of(version);
    }
  }
  return {series(), std::move(states)};
}

std::vector<VersionKey> SeenSeries::versions() const {
  const Survey all = survey();
  std::vector<VersionKey> found;
  for (const VersionKey& key : all.versions())
    if (const Judgement judgement = all.judge(key); judgement.committed || judgement.complete) found.push_back(key);
  return found;
}

}  // namespace psnam::checkpoint
