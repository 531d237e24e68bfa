// How a job finds the series that it goes on with, or makes it. A series of another number of ranks stays what it is
// until the new one has a version: both have a page then, under two names, and the new one's page names the former.
// Where both are found, the former is the series and the new one what a job that ended early has left. Removing the
// former's page is the one step by which the new one takes its place; whatever else is left of it goes afterwards, or
// when the series is opened the next time on the node where it is.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "checkpoint/leftovers.hpp"
#include "checkpoint/managed.hpp"
#include "checkpoint/names.hpp"
#include "checkpoint/uses.hpp"
#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {
namespace {

/// What a rank says of itself when a series is opened. Plain bytes.
struct Arrival {
  format::Uuid nam;
  format::Uuid node;
  std::uint32_t parities = 0;
  std::uint32_t partners = 0;
  std::uint32_t set_size = 0;
  std::uint32_t to_files = 0;
  std::uint32_t kept = 0;
  std::uint32_t reserved = 0;
  std::array<char, format::kCheckpointNameBytes> name{};
};

Status check(const std::vector<Arrival>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].name != all[0].name)
      return Error{Code::invalid_argument,
                   fmt::format("the checkpoints are called \"{}\" on rank 0 and \"{}\" on rank {}", all[0].name.data(),
                               all[rank].name.data(), rank)};
    if (all[rank].parities != all[0].parities || all[rank].set_size != all[0].set_size)
      return Error{Code::invalid_argument,
                   fmt::format("{} parities and sets of {} on rank 0, {} and {} on rank {}", all[0].parities,
                               all[0].set_size, all[rank].parities, all[rank].set_size, rank)};
    if (all[rank].kept != all[0].kept)
      return Error{Code::invalid_argument,
                   fmt::format("{} versions are kept on rank 0 and {} on rank {}", all[0].kept, all[rank].kept, rank)};
    if (all[rank].partners != all[0].partners)
      return Error{Code::invalid_argument,
                   fmt::format("copies go to partners on rank {} and not on rank {}", all[0].partners != 0 ? 0 : rank,
                               all[0].partners != 0 ? rank : 0)};
    if (all[rank].to_files != all[0].to_files)
      return Error{Code::invalid_argument,
                   fmt::format("versions are written to files on rank {} and not on rank {}",
                               all[0].to_files != 0 ? 0 : rank, all[0].to_files != 0 ? rank : 0)};
    if (all[rank].nam != all[0].nam)
      return Error{Code::unreachable, fmt::format("the NAM of rank {} is not that of rank 0: parity of several nodes "
                                                  "needs a manager, which PSNAM_MANAGER names on all ranks",
                                                  rank)};
  }
  return {};
}

Status check(const ManagedOptions& options) {
  if (options.name.empty() || options.name.size() >= format::kCheckpointNameBytes)
    return Error{Code::invalid_argument, fmt::format("checkpoints need a name of 1 to {} bytes; this one has {}",
                                                     format::kCheckpointNameBytes - 1, options.name.size())};
  if ((options.parities < 1 && !options.partners) || options.parities >= format::kParityMaxPieces)
    return Error{Code::invalid_argument,
                 fmt::format("{} parities: 1 to {} are possible", options.parities, format::kParityMaxPieces - 1)};
  if (options.kept < format::kCheckpointMinKept || options.kept > format::kCheckpointMaxKept)
    return Error{Code::invalid_argument, fmt::format("{} versions: {} to {} can be kept", options.kept,
                                                     format::kCheckpointMinKept, format::kCheckpointMaxKept)};
  return {};
}

Status check(const Series& series, const ManagedOptions& options, std::uint32_t ranks) {
  if (series.parities != options.parities)
    return Error{Code::invalid_argument, fmt::format("the checkpoints \"{}\" have {} parities, {} are asked for",
                                                     series.name, series.parities, options.parities)};
  if (series.partner_of.empty() == options.partners)
    return Error{Code::invalid_argument,
                 fmt::format("the checkpoints \"{}\" have {} partners, {} are asked for", series.name,
                             options.partners ? "no" : "copies with", options.partners ? "such copies" : "none")};
  if (series.kept != options.kept)
    return Error{Code::invalid_argument, fmt::format("the checkpoints \"{}\" keep {} versions, {} are asked for",
                                                     series.name, series.kept, options.kept)};
  const std::uint32_t sets = count_sets(ranks, options.set_size, options.parities);
  if (series.sets != sets)
    return Error{Code::invalid_argument,
                 fmt::format("the checkpoints \"{}\" have {} sets; sets of {} ranks would be {}", series.name,
                             series.sets, options.set_size, sets)};
  return {};
}

/// Bytes as words of a gather, and back.
std::vector<std::uint64_t> to_words(std::span<const std::byte> bytes) {
  std::vector<std::uint64_t> words((bytes.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
  if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

}  // namespace

Result<std::unique_ptr<Managed>> Managed::open(const Team& team, ServicePointer nam, ServicePointer store,
                                               const ManagedOptions& options) {
  PSNAM_CHECK(team.agree(check(options)));
  std::unique_ptr<Managed> made{new Managed{team, std::move(nam), std::move(store), options}};
  PSNAM_CHECK(made->open_series());
  const Status opened = locally([&] { return made->open_parts(); });
  PSNAM_CHECK(team.agree(opened));
  return made;
}

Status Managed::open_series() {
  Arrival mine{.nam = nam_->node().store,
               .node = store_->node().store,
               .parities = options_.parities,
               .partners = options_.partners ? 1U : 0U,
               .set_size = options_.set_size,
               .to_files = options_.folder.empty() ? 0U : 1U,
               .kept = options_.kept};
  std::ranges::copy(options_.name, mine.name.begin());
  PSNAM_TRY(const auto all, team_.gather(mine));
  PSNAM_CHECK(check(all));
  for (const Arrival& one : all) nodes_.push_back(one.node);
  // Rank 0 decides; the others are told.
  const Status made = locally([&]() -> Status {
    if (team_.rank() != 0) return {};
    PSNAM_CHECK(find_pages());
    return make_page();
  });
  PSNAM_CHECK(team_.agree(made));
  PSNAM_TRY(series_, tell(page_.get()));
  if (team_.rank() == 0) warn_of_near_partners();
  PSNAM_TRY(Series former, tell(former_page_.get()));
  PSNAM_CHECK(clean(std::array{series_.id, former.id}));
  return former.ranks() != 0 ? open_former(std::move(former)) : Status{};
}

/// former_page_ becomes the page of the series, if there is one. Another one that a job has left goes.
Status Managed::find_pages() {
  PSNAM_TRY(auto first, SeriesPage::find(nam_, options_.name, 0));
  PSNAM_TRY(auto second, SeriesPage::find(nam_, options_.name, 1));
  if (first && second) {
    if (second->series().former != first->series().id) std::swap(first, second);
    PSNAM_CHECK(second->remove());
    second.reset();
  }
  former_page_ = first ? std::move(first) : std::move(second);
  return {};
}

/// After it page_ is that of this job's number of ranks, and former_page_ is that of another number, if there is one.
Status Managed::make_page() {
  const auto ranks = static_cast<std::uint32_t>(team_.size());
  if (former_page_ && former_page_->series().ranks() == ranks) {
    page_ = std::move(former_page_);
    return check(page_->series(), options_, ranks);
  }
  Series series{.id = format::random_uuid(),
                .name = options_.name,
                .sets = count_sets(ranks, options_.set_size, options_.parities),
                .parities = options_.parities,
                .block_bytes = parity::kDefaultBlockBytes,
                .set_of = {},
                .kept = options_.kept};
  series.set_of = deal_out(nodes_, series.sets);
  if (options_.partners) series.partner_of = choose_partners(nodes_);
  if (former_page_) {
    series.former = former_page_->series().id;
    series.id = related_id(series.former);
  }
  PSNAM_TRY(page_, SeriesPage::create(nam_, std::move(series), former_page_ ? 1 - former_page_->index() : 0));
  return {};
}

/// They were chosen for the placement of the job that made the series.
void Managed::warn_of_near_partners() const {
  for (std::uint32_t rank = 0; rank < series_.partner_of.size(); ++rank) {
    const std::uint32_t partner = series_.partner_of[rank];
    if (nodes_[partner] != nodes_[rank]) continue;
    log::warn(
        "checkpoints \"{}\": the partner of rank {}, rank {}, is on the same node, which may be lost with both copies",
        series_.name, rank, partner);
    return;
  }
}

/// Collective: the series of rank 0's page, to all; one of no ranks if it has no page.
Result<Series> Managed::tell(const SeriesPage* page) const {
  std::vector<std::uint64_t> words;
  if (page != nullptr) words = to_words(checkpoint::encode(page->series()));
  PSNAM_TRY(const auto said, team_.gather_words(words));
  Series series;
  if (said[0].empty()) return series;
  const Status read = locally([&]() -> Status {
    PSNAM_TRY(series, decode_series(std::as_bytes(std::span{said[0]})));
    return {};
  });
  PSNAM_CHECK(team_.agree(read));
  return series;
}

Status Managed::open_former(Series series) {
  PSNAM_TRY(former_, Former::open(team_, places(), std::move(series)));
  PSNAM_TRY(const Survey found, former_->survey());
  floor_ = found.newest();
  return {};
}

FormerPlaces Managed::places() const {
  return {.nam = nam_, .store = store_, .nodes = nodes_, .folder = options_.folder, .timeout = options_.timeout};
}

bool Managed::first_of_node() const {
  return std::ranges::find(nodes_, nodes_[rank()]) - nodes_.begin() == static_cast<std::ptrdiff_t>(rank());
}

Status Managed::clean(std::span<const format::Uuid> keep) {
  const Status cleaned = locally([&]() -> Status {
    if (first_of_node()) remove_other_copies(*store_, series_.id, keep);
    if (team_.rank() == 0) remove_other_areas(*nam_, series_.id, keep);
    return {};
  });
  return team_.agree(cleaned);
}

Status Managed::replace_former() {
  if (!former_) return {};
  const Status gone = locally([&]() -> Status { return former_page_ ? former_page_->remove() : Status{}; });
  PSNAM_CHECK(team_.agree(gone));
  former_page_.reset();
  PSNAM_CHECK(clean({&series_.id, 1}));
  former_.reset();
  return {};
}

Status Managed::open_parts() {
  PSNAM_CHECK(release_leftovers(*store_));
  for (int index = 0; index < static_cast<int>(series_.kept); ++index) {
    PSNAM_TRY(LocalCopy copy, LocalCopy::open(store_, {series_.id, series_.ranks(), rank()}, index));
    copies_.push_back(std::move(copy));
    for (const std::uint32_t ward : series_.wards_of(rank())) {
      PSNAM_TRY(LocalCopy of_ward,
                LocalCopy::open(store_, {series_.id, series_.ranks(), ward}, index, CopyKind::partner));
      wards_[ward].push_back(std::move(of_ward));
    }
  }
  if (series_.parities != 0) areas_.emplace(nam_, series_, set(), leads());
  if (!options_.folder.empty()) {
    files_.emplace(options_.folder, series_.name, series_.ranks(), rank());
    files_->remove_unfinished();
  }
  if (areas_ && leads()) return areas_->find();
  return {};
}

}  // namespace psnam::checkpoint
