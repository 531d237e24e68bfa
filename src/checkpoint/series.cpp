#include "checkpoint/series.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
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
  if (std::ranges::max(series.set_of) >= series.sets) return corrupt("a rank is in a set that there is not");
  std::vector<std::uint64_t> members(series.sets);
  for (const std::uint32_t set : series.set_of) ++members[set];
  for (std::uint32_t set = 0; set < series.sets; ++set) {
    const bool unprotected = series.parities == 0 && series.partner_of.empty();
    if (members[set] == 0 || members[set] + series.parities > format::kParityMaxPieces || unprotected)
      return corrupt(fmt::format("set {} has {} ranks and {} parities", set, members[set], series.parities));
  }
  if (!series.partner_of.empty() && std::ranges::max(series.partner_of) >= series.ranks())
    return corrupt("a rank has a partner that there is not");
  if (series.kept < format::kCheckpointMinKept || series.kept > format::kCheckpointMaxKept)
    return corrupt(fmt::format("it keeps {} versions", series.kept));
  if (!format::ParityShape{1, 1, series.block_bytes, 0}.valid())
    return corrupt(fmt::format("blocks of {} bytes", series.block_bytes));
  return {};
}

/// The number of the newest version, at the end of the page. It changes, so it is in no checksum.
struct Newest {
  std::uint64_t number = 0;
  std::uint64_t inverted = ~std::uint64_t{0};  ///< bit by bit; else nothing is known
};

std::size_t newest_at(std::size_t table_bytes) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  return (sizeof(CheckpointSeriesHeader) + table_bytes + kWord - 1) / kWord * kWord;
}

std::size_t table_bytes_of(const Series& series) {
  return (series.set_of.size() + series.partner_of.size()) * sizeof(std::uint32_t);
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

std::vector<std::uint32_t> Series::wards_of(std::uint32_t rank) const {
  std::vector<std::uint32_t> wards;
  for (std::uint32_t one = 0; one < partner_of.size(); ++one)
    if (partner_of[one] == rank && one != rank) wards.push_back(one);
  return wards;
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

std::vector<std::uint32_t> choose_partners(std::span<const format::Uuid> nodes) {
  std::map<format::Uuid, std::vector<std::uint32_t>> ranks_on;
  for (std::uint32_t rank = 0; rank < nodes.size(); ++rank) ranks_on[nodes[rank]].push_back(rank);
  std::vector<std::uint32_t> partner_of(nodes.size());
  for (auto node = ranks_on.begin(); node != ranks_on.end(); ++node) {
    const auto next = std::next(node) == ranks_on.end() ? ranks_on.begin() : std::next(node);
    // Of those of one node only, each keeps what the one before it has.
    const std::size_t shift = next == node ? 1 : 0;
    for (std::size_t place = 0; place < node->second.size(); ++place)
      partner_of[node->second[place]] = next->second[(place + shift) % next->second.size()];
  }
  return partner_of;
}

std::vector<std::byte> encode(const Series& series) {
  const bool keeps_two = series.kept == format::kCheckpointMinKept;
  CheckpointSeriesHeader header{
      .magic = format::kCheckpointSeriesMagic,
      .version = keeps_two ? format::kCheckpointVersion : format::kCheckpointKeptVersion,
      .id = {},
      .ranks = series.ranks(),
      .sets = series.sets,
      .parities = series.parities,
      .block_bytes = series.block_bytes,
      .name = {},
      .former = {},
      .partners = series.partner_of.empty() ? format::kCheckpointNoPartners : format::kCheckpointPartners,
      .kept = static_cast<std::uint16_t>(keeps_two ? 0 : series.kept),
      .checksum = 0};
  std::ranges::copy(series.id.bytes, header.id);
  std::ranges::copy(series.name, header.name);
  std::ranges::copy(series.former.bytes, header.former);
  std::vector<std::uint32_t> tables = series.set_of;
  tables.insert(tables.end(), series.partner_of.begin(), series.partner_of.end());
  const auto table = std::as_bytes(std::span{tables});
  header.checksum = page_checksum(header, table);
  const Newest newest{series.newest, ~series.newest};
  std::vector<std::byte> page(newest_at(table.size()) + sizeof newest);
  std::memcpy(page.data(), &header, sizeof header);
  std::ranges::copy(table, page.begin() + sizeof header);
  std::memcpy(page.data() + newest_at(table.size()), &newest, sizeof newest);
  return page;
}

Result<Series> decode_series(std::span<const std::byte> page) {
  CheckpointSeriesHeader header{};
  if (page.size() < sizeof header) return corrupt(fmt::format("it has {} bytes", page.size()));
  std::memcpy(&header, page.data(), sizeof header);
  if (header.magic != format::kCheckpointSeriesMagic)
    return corrupt(fmt::format("it begins with {:#010x}", header.magic));
  if (header.version < format::kCheckpointOldestVersion || header.version > format::kCheckpointKeptVersion)
    return Error{Code::incompatible,
                 fmt::format("the series of checkpoints is of format version {}, this library "
                             "knows {} to {}",
                             header.version, format::kCheckpointOldestVersion, format::kCheckpointKeptVersion)};
  const auto rest = page.subspan(sizeof header);
  if (header.partners > format::kCheckpointPartners)
    return corrupt(fmt::format("it has {} kinds of partners", header.partners));
  if (header.ranks > rest.size() / sizeof(std::uint32_t) / (1 + header.partners))
    return corrupt(fmt::format("{} ranks in {} bytes", header.ranks, page.size()));
  const std::size_t table_bytes = header.ranks * sizeof(std::uint32_t);
  const auto table = rest.first(table_bytes * (1 + header.partners));
  if (page_checksum(header, table) != header.checksum) return corrupt("its checksum does not hold");
  if (header.version < format::kCheckpointKeptVersion && header.kept != 0)
    return corrupt(fmt::format("it keeps {} versions in format version {}", header.kept, header.version));
  Series series{.id = {},
                .name = {header.name, ::strnlen(header.name, sizeof header.name)},
                .sets = header.sets,
                .parities = header.parities,
                .block_bytes = header.block_bytes,
                .set_of = std::vector<std::uint32_t>(header.ranks),
                .partner_of = std::vector<std::uint32_t>(header.partners * header.ranks),
                .kept = header.kept == 0 ? format::kCheckpointMinKept : header.kept};
  std::ranges::copy(header.id, series.id.bytes.begin());
  std::ranges::copy(header.former, series.former.bytes.begin());
  if (table_bytes != 0) std::memcpy(series.set_of.data(), table.data(), table_bytes);
  if (header.partners != 0 && table_bytes != 0)
    std::memcpy(series.partner_of.data(), table.data() + table_bytes, table_bytes);
  PSNAM_CHECK(check(series));
  const std::size_t at = newest_at(table.size());
  Newest newest;
  if (header.version > format::kCheckpointOldestVersion && page.size() >= at + sizeof newest)
    std::memcpy(&newest, page.data() + at, sizeof newest);
  if (newest.inverted == ~newest.number) series.newest = newest.number;
  return series;
}

Result<std::unique_ptr<SeriesPage>> SeriesPage::find(ServicePointer nam, const std::string& name, int index) {
  const auto find_once = [&]() -> Result<std::unique_ptr<SeriesPage>> {
    // What a job that was killed had in use is not in use.
    PSNAM_CHECK(release_leftovers(*nam));
    auto record = nam->find_allocation(series_name(::geteuid(), name, index));
    if (!record) {
      if (record.error().code == Code::name_not_found) return std::unique_ptr<SeriesPage>{};
      return record.take_error();
    }
    // User 0 may open it whosever it is; what another user put there is not believed.
    if (record->uid != ::geteuid())
      return Error{Code::access, fmt::format("what has the name of the checkpoints \"{}\" is of user {}: allocation {}",
                                             name, record->uid, record->id)};
    PSNAM_TRY(const auto me, nam->user(0));
    PSNAM_TRY(nam::AllocationUse use,
              nam->open_allocation(record->id, record->challenge, nam::AccessRight::read_write, {&me, 1}));
    std::unique_ptr<SeriesPage> page{new SeriesPage{nam, std::move(use), index}};
    PSNAM_TRY(const std::size_t jobs, count_jobs(*nam, record->id));
    if (jobs > 1)
      return Error{Code::busy, fmt::format("the series of checkpoints \"{}\" is in use by another job", name)};
    PSNAM_TRY(const auto bytes, page->read());
    PSNAM_TRY(page->series_, decode_series(bytes));
    return page;
  };
  return when_let_go(find_once);
}

Result<std::unique_ptr<SeriesPage>> SeriesPage::create(ServicePointer nam, Series series, int index) {
  const auto bytes = encode(series);
  nam::AllocationRequest request;
  request.size_bytes = bytes.size();
  request.kind = format::AllocationKind::checkpoint;
  request.name = series_name(::geteuid(), series.name, index);
  PSNAM_TRY(const auto me, nam->user(0));
  PSNAM_TRY(nam::AllocationUse use, nam->allocate(request, {&me, 1}));
  std::unique_ptr<SeriesPage> page{new SeriesPage{nam, std::move(use), index}};
  PSNAM_CHECK(page->write(0, bytes));
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

Status SeriesPage::write(std::size_t at, std::span<const std::byte> bytes) const {
  PSNAM_TRY(const nam::Memory memory, this->memory());
  if (!memory.remote) {
    std::ranges::copy(bytes, memory.mapping.data() + at);
    return {};
  }
  const backends::Piece all{at, const_cast<std::byte*>(bytes.data()), bytes.size()};
  Status started = memory.remote->write({&all, 1});
  PSNAM_CHECK(memory.remote->flush());
  return started;
}

Status SeriesPage::confirm(std::uint64_t number) {
  const std::size_t at = newest_at(table_bytes_of(series_));
  // A page of the version before has no place for it.
  const Newest newest{number, ~number};
  if (use_.allocation.size_bytes < at + sizeof newest) return {};
  PSNAM_CHECK(write(at, std::as_bytes(std::span{&newest, 1})));
  series_.newest = number;
  return {};
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
