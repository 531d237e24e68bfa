#include "win/creation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <set>

#include "base/log.hpp"
#include "format/control_page.hpp"
#include "structures/structure.hpp"
#include "win/assembly.hpp"
#include "win/consistency.hpp"
#include "win/job.hpp"
#include "win/nam_choice.hpp"
#include "win/sources.hpp"

namespace psnam::win {
namespace {

/// What each rank tells the others of what it asks for.
struct Facts {
  RankIdentity identity;
  std::uint64_t size_bytes;
  std::uint64_t displacement_unit;
  std::uint64_t name_hash;
  std::uint32_t mode;
  format::Manifestation manifestation;
  format::Consistency consistency;
  format::Structure structure;
  format::Reserve reserve;
  SourceWish source;
  NamWish nam;  ///< whose memory it is to be
};

/// A key that must have the same value on all ranks.
struct CommonKey {
  std::string_view key;
  bool (*same)(const Facts&, const Facts&);
  std::string (*text)(const Facts&);
};

template <auto Member, const auto& Table>
constexpr CommonKey common_choice(std::string_view key) {
  return {key, [](const Facts& a, const Facts& b) { return a.*Member == b.*Member; },
          [](const Facts& f) { return fmt::format("\"{}\"", name_of(f.*Member, Table)); }};
}

constexpr std::array<CommonKey, 4> kCommonKeys{{
    common_choice<&Facts::consistency, format::kConsistencies>(kConsistencyKey),
    common_choice<&Facts::structure, format::kStructures>(kStructureKey),
    common_choice<&Facts::reserve, format::kReserves>(kReserveKey),
    {kModeKey, [](const Facts& a, const Facts& b) { return a.mode == b.mode; },
     [](const Facts& f) { return fmt::format("{:04o}", f.mode); }},
}};

Status check_common_keys(std::span<const Facts> facts) {
  for (const CommonKey& row : kCommonKeys) {
    const auto other = std::find_if(facts.begin(), facts.end(), [&](const Facts& f) { return !row.same(facts[0], f); });
    if (other != facts.end())
      return Error{Code::info_value, fmt::format("{} must be the same on all ranks: it is {} on rank 0, {} on rank {}",
                                                 row.key, row.text(facts[0]), row.text(*other), other - facts.begin())};
  }
  return {};
}

/// Whether memory of a rank may lie in the store of its node although there is a manager: what is cut from an
/// allocation, or is one, lies where that does.
bool may_need_store(const std::vector<KeyValue>& pairs) {
  const auto info = parse_create_info(pairs);
  if (!info) return false;
  const std::uint64_t existing = std::max(info->libnam_allocation_id, info->segment_allocation_id);
  return info->manifestation == format::Manifestation::persistent_shm ||
         (existing != 0 && !format::is_served_id(existing));
}

class Creation {
 public:
  Creation(Context& context, const CreateRequest& request, int rank, int size)
      : context_{context},
        request_{request},
        rank_{rank},
        size_{size},
        team_{context.real(), request.comm, rank, size} {}

  /// Whether the ranks ask for a PSNAM window: all (true), none (false), some (an error on all).
  Result<bool> wanted();
  /// The window. Called if wanted.
  Result<std::unique_ptr<Window>> make();

 private:
  Status look_at_request();
  Status exchange_facts();
  Status check_name();
  Status plan();
  Status plan_sources();
  void place_on_nodes(std::vector<format::RegionRecord> regions);
  Status check_reachable() const;
  Status record();
  Status take_memory();
  Status assemble();
  Result<NamWish> nam_wish() const;
  Result<std::uint32_t> place_of(std::size_t rank, const std::vector<Nam>& nams) const;
  Status take_seats();
  Status learn_part(Seat& seat);
  Status build();
  Status commit();
  void abandon() noexcept;
  Context& context_;
  const CreateRequest& request_;
  int rank_;
  int size_;
  sync::CommTeam team_;
  std::vector<KeyValue> pairs_;
  CreateInfo info_;
  bool needs_store_ = false;  ///< some rank has memory in the store of its node
  Services services_;
  std::vector<Facts> facts_;
  std::vector<RankIdentity> identities_;
  std::unique_ptr<Job> job_;
  std::vector<std::uint32_t> places_;  ///< of the job, for each node of the record
  format::WindowRecord draft_;
  std::vector<nam::AllocationSource> sources_;  ///< of the allocations of draft_
  std::unique_ptr<WindowParts> parts_ = std::make_unique<WindowParts>();
};

Result<bool> Creation::wanted() {
  PSNAM_TRY(pairs_, psnam_pairs(context_.real(), request_.info));
  pairs_ = with_defaults(std::move(pairs_), context_.default_pairs());
  // With a PSNAM_DEFAULTS that cannot be understood nobody knows what this window should be: the way of PSNAM windows
  // says so.
  const bool mine = is_psnam(pairs_) || context_.defaults_are_broken();
  // The largest "size - rank" tells the lowest rank of each kind. The last vote is whether a store is needed: where one
  // rank of a node needs it, the others map what is in it.
  std::vector<std::uint64_t> votes(3);
  votes[mine ? 0 : 1] = static_cast<std::uint64_t>(size_ - rank_);
  votes[2] = context_.options().manager.empty() || may_need_store(pairs_) ? 1 : 0;
  PSNAM_CHECK(team_.largest(votes));
  needs_store_ = votes[2] != 0;
  if (votes[0] != 0 && votes[1] != 0)
    return Error{
        Code::info_key,
        fmt::format(
            "{} is set on rank {} but not on rank {}: all ranks of the window set it, or none; known values: {}",
            kManifestationKey, static_cast<std::uint64_t>(size_) - votes[0],
            static_cast<std::uint64_t>(size_) - votes[1],
            known_names(std::span<const Choice<format::Manifestation>>{format::kManifestations}))};
  return mine;
}

Status Creation::look_at_request() {
  if (rank_ == 0) context_.warn_unknown_keys(pairs_);
  PSNAM_TRY(info_, parse_create_info(pairs_));
  if (request_.size < 0)
    return Error{Code::size, fmt::format("size = {} on rank {} is negative", request_.size, rank_)};
  if (request_.displacement_unit <= 0)
    return Error{Code::displacement,
                 fmt::format("disp_unit = {} on rank {} is not positive", request_.displacement_unit, rank_)};
  PSNAM_TRY(services_.manager, context_.manager());
  if (needs_store_) {
    PSNAM_TRY(services_.store, context_.store());
  }
  return {};
}

/// The NAM that this rank asks for memory of, if it does.
Result<NamWish> Creation::nam_wish() const {
  if (services_.manager == nullptr && info_.nam && info_.nam->index != 0)
    return Error{Code::info_value,
                 fmt::format("{} = \"{}\" on rank {}: without PSNAM_MANAGER there is 1 NAM, of index 0", kNamIndexKey,
                             info_.nam->index, rank_)};
  if (services_.manager == nullptr || info_.manifestation == format::Manifestation::persistent_shm) return NamWish{};
  const std::uint64_t existing = source_wish(info_).allocation_id;
  if (existing == 0) return info_.nam.value_or(NamWish{NamWish::Which::any, 0});
  if (format::is_served_id(existing)) return NamWish{NamWish::Which::index, format::nam_of_id(existing)};
  const auto found = services_.store->find_allocation(existing);
  if (found) return NamWish{};
  if (found.error().code != Code::name_not_found) return found.error();
  return NamWish{NamWish::Which::index, 0};
}

Status Creation::exchange_facts() {
  const auto describe = [&]() -> Result<Facts> {
    PSNAM_CHECK(look_at_request());
    PSNAM_TRY(const NamWish nam, nam_wish());
    PSNAM_TRY(const RankIdentity identity, identify(services_, rank_, context_.options().epoch_checks));
    return Facts{identity,
                 static_cast<std::uint64_t>(request_.size),
                 static_cast<std::uint64_t>(request_.displacement_unit),
                 std::hash<std::string>{}(info_.name),
                 info_.mode,
                 info_.manifestation,
                 info_.consistency,
                 info_.structure,
                 info_.reserve,
                 source_wish(info_),
                 nam};
  };
  auto mine = describe();
  const Facts facts = mine ? *mine : Facts{};
  PSNAM_CHECK(team_.agree(std::move(mine).status()));
  facts_.resize(static_cast<std::size_t>(size_));
  PSNAM_CHECK(team_.gather_bytes(&facts, sizeof facts, facts_.data()));
  for (const Facts& f : facts_) identities_.push_back(f.identity);
  return {};
}

Status Creation::check_name() {
  const bool same =
      std::all_of(facts_.begin(), facts_.end(), [&](const Facts& f) { return f.name_hash == facts_[0].name_hash; });
  if (same) return {};
  Status mine;
  if (facts_[static_cast<std::size_t>(rank_)].name_hash != facts_[0].name_hash)
    mine =
        Error{Code::info_value, fmt::format("{} must be the same on all ranks: \"{}\" on rank {} is not that of rank 0",
                                            kNameKey, info_.name, rank_)};
  return team_.agree(std::move(mine));
}

/// The keys of the rank that takes the memory count: a structure of one allocation does not look at those of the
/// others.
Status Creation::plan_sources() {
  const structures::Structure& structure = structures::structure(info_.structure);
  for (std::uint32_t rank = 0; rank < draft_.regions.size(); ++rank) {
    const std::uint64_t draft_id = draft_.regions[rank].allocation_id;
    if (draft_id == 0 || draft_id <= sources_.size()) continue;
    const std::uint32_t creator = structure.creator(rank);
    PSNAM_TRY(const nam::AllocationSource source,
              source_of(facts_[creator].source, facts_[creator].size_bytes, creator));
    sources_.push_back(source);
  }
  return {};
}

/// PSNAM_PATH is each rank's own, so this may be a refusal on some ranks only.
Status Creation::check_reachable() const {
  for (const format::RegionRecord& region : draft_.regions) {
    if (region.allocation_id == 0 || job_->is_nam(places_[region.node])) continue;
    PSNAM_TRY(const auto manifestation, manifestations::make_manifestation(region.manifestation, *services_.store));
    PSNAM_CHECK(manifestation->admits(job_->nodes()));
  }
  return context_.check_path(spans_nodes(*job_, places_) ? job_->nodes() : 1);
}

/// Places without a region are not part of the window. Its home is the manager; without one, the first of them.
void Creation::place_on_nodes(std::vector<format::RegionRecord> regions) {
  if (job_->nams() != 0) places_.push_back(job_->nam(0));
  const std::uint32_t end = job_->nam(job_->nams());
  for (std::uint32_t place = 0; place < end; ++place)
    if (place != job_->nam(0) && std::any_of(regions.begin(), regions.end(), [&](const auto& region) {
          return region.allocation_id != 0 && region.node == place;
        }))
      places_.push_back(place);
  if (places_.empty()) places_.push_back(0);
  for (format::RegionRecord& region : regions) {
    const auto found = std::find(places_.begin(), places_.end(), region.node);
    region.node = found == places_.end() ? 0 : static_cast<std::uint32_t>(found - places_.begin());
  }
  draft_.regions = std::move(regions);
}

Status Creation::take_seats() {
  for (std::uint32_t node = 0; node < places_.size(); ++node) {
    const std::uint32_t place = places_[node];
    if (!job_->am_at(place)) continue;
    PSNAM_TRY(nam::Service* const service, job_->service(place, services_));
    parts_->seats.push_back({.service = service, .node = node, .speaks = job_->lead(place)});
  }
  return {};
}

/// Where the memory of `rank` is to lie: its node, or a NAM.
Result<std::uint32_t> Creation::place_of(std::size_t rank, const std::vector<Nam>& nams) const {
  const NamWish& wish = facts_[rank].nam;
  if (wish.which == NamWish::Which::none) return job_->node_of(rank);
  PSNAM_TRY(const std::uint32_t index, choose_nam(wish, rank, nams));
  return job_->nam(index);
}

Status Creation::plan() {
  PSNAM_CHECK(check_common_keys(facts_));
  PSNAM_CHECK(check_name());
  PSNAM_TRY(std::vector<Nam> nams, agree_on_nams(team_, identities_, rank_, services_));
  job_ = std::make_unique<Job>(identities_, rank_, nams.size());
  std::vector<structures::RankRequest> requests;
  for (std::size_t rank = 0; rank < facts_.size(); ++rank) {
    PSNAM_TRY(const std::uint32_t place, place_of(rank, nams));
    requests.push_back({facts_[rank].size_bytes, facts_[rank].displacement_unit, place, facts_[rank].manifestation});
    if (job_->is_nam(place)) take_from(nams[place - job_->nodes()], facts_[rank].size_bytes);
  }
  PSNAM_TRY(auto regions, structures::structure(info_.structure).plan(requests));
  place_on_nodes(std::move(regions));
  PSNAM_CHECK(team_.agree(check_reachable()));
  PSNAM_CHECK(plan_sources());
  PSNAM_CHECK(job_->meet_at_nams(team_, places_, services_));
  PSNAM_CHECK(take_seats());

  PSNAM_TRY(draft_.nodes, exchange_places(team_, *job_, places_, services_));
  draft_.uuid = facts_[0].identity.random;
  draft_.structure = info_.structure;
  draft_.reserve = info_.reserve;
  draft_.mode = info_.mode;
  draft_.uid = ::geteuid();
  draft_.gid = ::getegid();
  draft_.created_unix_seconds = static_cast<std::uint64_t>(::time(nullptr));
  draft_.name = info_.name.empty() ? "psnam-" + format::to_string(draft_.uuid) : info_.name;
  return {};
}

/// The leaders record the window, volatile, in their services; everybody learns its ids there.
Status Creation::record() {
  parts_->record = draft_;
  for (format::RegionRecord& region : parts_->record.regions) region.allocation_id = 0;
  Status recorded;
  for (Seat& seat : parts_->seats) {
    if (!recorded || !seat.speaks) continue;
    format::WindowRecord own = draft_;
    for (format::RegionRecord& region : own.regions)
      if (region.node != seat.node) region.allocation_id = 0;
    const std::uint32_t place = places_[seat.node];
    auto use = seat.service->create(std::move(own), sources_, job_->users_of(place, identities_));
    if (use) {
      seat.window_id = use->window.id;
      seat.use_id = use->use_id;
      take_part(parts_->record, seat, use->window);
    } else {
      recorded = with_source_keys(use.take_error(), sources_);
    }
  }
  PSNAM_CHECK(team_.agree(std::move(recorded)));
  return learn_ids(team_, *job_, places_, size_, parts_->seats);
}

/// What the leader of a seat has recorded, for the other ranks.
Status Creation::learn_part(Seat& seat) {
  if (seat.speaks) return {};
  PSNAM_TRY(const format::WindowRecord part, seat.service->get(seat.window_id));
  take_part(parts_->record, seat, part);
  return {};
}

/// Each creator takes its memory; the other ranks learn the ids that their leader recorded.
Status Creation::take_memory() {
  for (Seat& seat : parts_->seats) PSNAM_CHECK(learn_part(seat));
  parts_->regions = std::make_unique<Regions>(parts_->record, parts_->seats, Protection::read_write);
  const auto& regions = parts_->record.regions;
  const structures::Structure& structure = structures::structure(info_.structure);
  for (std::uint32_t rank = 0; rank < regions.size(); ++rank) {
    if (regions[rank].allocation_id == 0 || structure.creator(rank) != static_cast<std::uint32_t>(rank_)) continue;
    PSNAM_CHECK(parts_->regions->create(rank));
    break;  // a creator creates one allocation
  }
  return {};
}

/// Everything in this process; nothing in it waits for another rank.
Status Creation::assemble() {
  if (parts_->baseptr != Baseptr::load_store) return {};
  const auto rank = static_cast<std::size_t>(rank_);
  PSNAM_TRY(std::byte* const base, parts_->regions->map(rank));
  if (base == nullptr && facts_[rank].size_bytes != 0)
    return Error{Code::info_value,
                 fmt::format("{} = \"load_store\" on rank {}: its region lies on node {} and is not mapped here",
                             kBaseptrKey, rank_, draft_.nodes[draft_.regions[rank].node].host)};
  return {};
}

Status Creation::build() {
  PSNAM_CHECK(team_.agree(take_memory()));
  PSNAM_CHECK(team_.agree(assemble()));
  return finish_parts({context_, request_.comm, request_.info, team_, *job_, identities_, rank_, places_}, *parts_);
}

Status Creation::commit() {
  if (info_.consistency == format::Consistency::volatile_) return {};
  PSNAM_CHECK(change_consistency(team_, parts_->seats, draft_.nodes.size(), info_.consistency));
  parts_->record.consistency = info_.consistency;
  return {};
}

/// The use of a volatile window ends, and all that was made for it goes.
void Creation::abandon() noexcept {
  if (parts_->native != MPI_WIN_NULL) context_.real().Win_free(&parts_->native);
  if (const Status closed = close_uses(parts_->seats); !closed)
    log::error("what was made for a window that failed stays until the next clean-up of the store: {}",
               closed.error().message);
}

Result<std::unique_ptr<Window>> Creation::make() {
  const auto steps = [&]() -> Status {
    PSNAM_CHECK(exchange_facts());
    PSNAM_CHECK(plan());
    PSNAM_CHECK(record());
    parts_->rank = rank_;
    parts_->baseptr = info_.baseptr;
    PSNAM_CHECK(build());
    return commit();
  };
  if (Status made = steps(); !made) {
    abandon();
    return made.take_error();
  }
  return std::make_unique<Window>(context_, std::move(parts_));
}

}  // namespace

Result<std::unique_ptr<Window>> create_window(Context& context, const CreateRequest& request) {
  int rank = 0;
  int size = 0;
  if (context.real().Comm_rank(request.comm, &rank) != MPI_SUCCESS ||
      context.real().Comm_size(request.comm, &size) != MPI_SUCCESS)
    return std::unique_ptr<Window>{};
  Creation creation{context, request, rank, size};
  PSNAM_TRY(const bool wanted, creation.wanted());
  if (!wanted) return std::unique_ptr<Window>{};
  return creation.make();
}

}  // namespace psnam::win
