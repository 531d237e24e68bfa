#include "checkpoint/series.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/log.hpp"
#include "checkpoint/names.hpp"
#include "checkpoint/uses.hpp"
#include "format/checkpoint_page.hpp"
#include "parity/code.hpp"

namespace psnam::checkpoint {
namespace {

using format::CheckpointSeriesHeader;

std::uint32_t page_checksum(const CheckpointSeriesHeader& header, std::span<const std::byte> table) {
  const auto before = std::as_bytes(std::span{&header, 1}).first(offsetof(CheckpointSeriesHeader, checksum));
  return parity::checksum(table, parity::checksum(before));
}

Error corrupt(std::string why) {
  return Error{Code::corrupt, "the page of a series of checkpoints: " + std::move(why)};
}

Status check(const Series& series) {
  if (series.sets == 0 || series.ranks() == 0 || series.sets > series.ranks())
    return corrupt(fmt::format("{} sets of {} ranks", series.sets, series.ranks()));
  for (std::uint32_t set = 0; set < series.sets; ++set) {
    const auto members = series.ranks_of(set).size();
    if (members == 0 || members + series.parities > format::kParityMaxPieces || series.parities == 0)
      return corrupt(fmt::format("set {} has {} ranks and {} parities", set, members, series.parities));
  }
  if (std::ranges::max(series.set_of) >= series.sets) return corrupt("a rank is in a set that there is not");
  if (!format::ParityShape{1, 1, series.block_bytes, 0}.valid())
    return corrupt(fmt::format("blocks of {} bytes", series.block_bytes));
  return {};
}

}  // namespace

std::vector<std::uint32_t> Series::ranks_of(std::uint32_t set) const {
  std::vector<std::uint32_t> ranks_in;
  for (std::uint32_t rank = 0; rank < ranks(); ++rank)
    if (set_of[rank] == set) ranks_in.push_back(rank);
  return ranks_in;
}

std::uint32_t Series::member(std::uint32_t rank) const {
  return static_cast<std::uint32_t>(std::count(set_of.begin(), set_of.begin() + rank, set_of[rank]));
}

std::uint32_t count_sets(std::uint32_t ranks, std::uint32_t set_size, std::uint32_t parities) {
  const std::uint32_t most = format::kParityMaxPieces - std::min(parities, format::kParityMaxPieces - 1);
  const std::uint32_t size = set_size == 0 ? most : std::min(set_size, most);
  return (ranks + size - 1) / size;
}

std::vector<std::uint32_t> deal_out(std::span<const format::Uuid> nodes, std::uint32_t sets) {
  std::vector<std::uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t rank) { return nodes[rank]; });
  std::vector<std::uint32_t> set_of(nodes.size());
  for (std::size_t place = 0; place < order.size(); ++place)
    set_of[order[place]] = static_cast<std::uint32_t>(place % sets);
  return set_of;
}

std::vector<std::byte> encode(const Series& series) {
  CheckpointSeriesHeader header{.magic = format::kCheckpointSeriesMagic,
                                .version = format::kCheckpointVersion,
                                .id = {},
                                .ranks = series.ranks(),
                                .sets = series.sets,
                                .parities = series.parities,
                                .block_bytes = series.block_bytes,
                                .name = {},
                                .reserved = {},
                                .checksum = 0};
  std::ranges::copy(series.id.bytes, header.id);
  std::ranges::copy(series.name, header.name);
  const auto table = std::as_bytes(std::span{series.set_of});
  header.checksum = page_checksum(header, table);
  std::vector<std::byte> page(sizeof header + table.size());
  std::memcpy(page.data(), &header, sizeof header);
  std::ranges::copy(table, page.begin() + sizeof header);
  return page;
}

Result<Series> decode_series(std::span<const std::byte> page) {
  CheckpointSeriesHeader header{};
  if (page.size() < sizeof header) return corrupt(fmt::format("it has {} bytes", page.size()));
  std::memcpy(&header, page.data(), sizeof header);
  if (header.magic != format::kCheckpointSeriesMagic)
    return corrupt(fmt::format("it begins with {:#010x}", header.magic));
  if (header.version != format::kCheckpointVersion)
    return Error{Code::incompatible, fmt::format("the series of checkpoints is of format version {}, this library "
                                                 "knows {}",
                                                 header.version, format::kCheckpointVersion)};
  const auto rest = page.subspan(sizeof header);
  if (header.ranks > rest.size() / sizeof(std::uint32_t))
    return corrupt(fmt::format("{} ranks in {} bytes", header.ranks, page.size()));
  const auto table = rest.first(header.ranks * sizeof(std::uint32_t));
  if (page_checksum(header, table) != header.checksum) return corrupt("its checksum does not hold");
  Series series{.id = {},
                .name = {header.name, ::strnlen(header.name, sizeof header.name)},
                .sets = header.sets,
                .parities = header.parities,
                .block_bytes = header.block_bytes,
                .set_of = std::vector<std::uint32_t>(header.ranks)};
  std::ranges::copy(header.id, series.id.bytes.begin());
  if (!table.empty()) std::memcpy(series.set_of.data(), table.data(), table.size());
  PSNAM_CHECK(check(series));
  return series;
}

Result<std::unique_ptr<SeriesPage>> SeriesPage::find(ServicePointer nam, const std::string& name) {
  // What a job that was killed had in use is not in use.
  PSNAM_CHECK(release_leftovers(*nam));
  auto record = nam->find_allocation(series_name(::geteuid(), name));
  if (!record) {
    if (record.error().code == Code::name_not_found) return std::unique_ptr<SeriesPage>{};
    return record.take_error();
  }
  PSNAM_TRY(const auto me, nam->user(0));
  PSNAM_TRY(nam::AllocationUse use,
            nam->open_allocation(record->id, record->challenge, nam::AccessRight::read_write, {&me, 1}));
  std::unique_ptr<SeriesPage> page{new SeriesPage{nam, std::move(use)}};
  PSNAM_TRY(const std::size_t jobs, count_jobs(*nam, record->id));
  if (jobs > 1)
    return Error{Code::busy, fmt::format("the series of checkpoints \"{}\" is in use by another job", name)};
  PSNAM_TRY(const auto bytes, page->read());
  PSNAM_TRY(page->series_, decode_series(bytes));
  return page;
}

Result<std::unique_ptr<SeriesPage>> SeriesPage::create(ServicePointer nam, Series series) {
  const auto bytes = encode(series);
  nam::AllocationRequest request;
  request.size_bytes = bytes.size();
  request.kind = format::AllocationKind::checkpoint;
  request.name = series_name(::geteuid(), series.name);
  PSNAM_TRY(const auto me, nam->user(0));
  PSNAM_TRY(nam::AllocationUse use, nam->allocate(request, {&me, 1}));
  std::unique_ptr<SeriesPage> page{new SeriesPage{nam, std::move(use)}};
  PSNAM_CHECK(page->write(bytes));
  // From here on it is found.
  PSNAM_CHECK(nam->set_allocation_consistency(page->use_.allocation.id, format::Consistency::persistent));
  page->series_ = std::move(series);
  return page;
}

Result<nam::Memory> SeriesPage::memory() const {
  const format::AllocationRecord& record = use_.allocation;
  return nam_->open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_write);
}

Result<std::vector<std::byte>> SeriesPage::read() const {
  PSNAM_TRY(const nam::Memory memory, this->memory());
  if (!memory.remote)
    return std::vector<std::byte>{memory.mapping.data(), memory.mapping.data() + memory.mapping.bytes()};
  std::vector<std::byte> bytes(use_.allocation.size_bytes);
  const backends::Piece all{0, bytes.data(), bytes.size()};
  Status started = memory.remote->read({&all, 1});
  PSNAM_CHECK(memory.remote->flush());
  PSNAM_CHECK(std::move(started));
  return bytes;
}

Status SeriesPage::write(std::vector<std::byte> bytes) const {
  PSNAM_TRY(const nam::Memory memory, this->memory());
  if (!memory.remote) {
    std::ranges::copy(bytes, memory.mapping.data());
    return {};
  }
  const backends::Piece all{0, bytes.data(), bytes.size()};
  Status started = memory.remote->write({&all, 1});
  PSNAM_CHECK(memory.remote->flush());
  return started;
}

Status SeriesPage::remove() {
  auto gone = nam_->free_allocation(use_.allocation.id, false);
  if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  return {};
}

SeriesPage::~SeriesPage() {
  if (const Status closed = nam_->close(use_.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use_.allocation.id, closed.error().message);
}

}  // namespace psnam::checkpoint
