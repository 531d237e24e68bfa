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
  Status check_reachable(std::span<const format::RegionRecord> regions) const;
  Status record();
  Status take_memory();
  Status assemble();
  Status build();
  Status commit();
  void abandon() noexcept;
  [[nodiscard]] bool speaks_to_catalog() const { return job_->i_lead() && parts_->node < draft_.nodes.size(); }

  Context& context_;
  const CreateRequest& request_;
  int rank_;
  int size_;
  sync::CommTeam team_;
  std::vector<KeyValue> pairs_;
  CreateInfo info_;
  std::vector<Facts> facts_;
  std::vector<RankIdentity> identities_;
  std::unique_ptr<Job> job_;
  std::vector<std::uint32_t> job_node_;  ///< of each node of the record
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
  // The largest "size - rank" tells the lowest rank of each kind.
  std::vector<std::uint64_t> votes(2);
  votes[mine ? 0 : 1] = static_cast<std::uint64_t>(size_ - rank_);
  PSNAM_CHECK(team_.largest(votes));
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
  PSNAM_TRY(parts_->store, context_.store());
  return {};
}

Status Creation::exchange_facts() {
  const auto describe = [&]() -> Result<Facts> {
    PSNAM_CHECK(look_at_request());
    PSNAM_TRY(const RankIdentity identity, identify(*parts_->store, rank_, context_.options().epoch_checks));
    return Facts{identity,
                 static_cast<std::uint64_t>(request_.size),
                 static_cast<std::uint64_t>(request_.displacement_unit),
                 std::hash<std::string>{}(info_.name),
                 info_.mode,
                 info_.manifestation,
                 info_.consistency,
                 info_.structure,
                 info_.reserve,
                 source_wish(info_)};
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

Status Creation::check_reachable(std::span<const format::RegionRecord> regions) const {
  for (const format::RegionRecord& region : regions) {
    PSNAM_TRY(const auto manifestation, manifestations::make_manifestation(region.manifestation, *parts_->store));
    if (region.allocation_id != 0) PSNAM_CHECK(manifestation->admits(job_->nodes()));
  }
  return context_.check_path(job_->nodes());
}

/// Nodes without a region are not part of the window; the first that has one is its home.
void Creation::place_on_nodes(std::vector<format::RegionRecord> regions) {
  for (std::uint32_t node = 0; node < job_->nodes(); ++node)
    if (std::any_of(regions.begin(), regions.end(),
                    [&](const auto& region) { return region.allocation_id != 0 && region.node == node; }))
      job_node_.push_back(node);
  if (job_node_.empty()) job_node_.push_back(0);
  for (format::RegionRecord& region : regions) {
    const auto found = std::find(job_node_.begin(), job_node_.end(), region.node);
    region.node = found == job_node_.end() ? 0 : static_cast<std::uint32_t>(found - job_node_.begin());
  }
  parts_->node =
      static_cast<std::uint32_t>(std::find(job_node_.begin(), job_node_.end(), job_->my_node()) - job_node_.begin());
  draft_.regions = std::move(regions);
}

Status Creation::plan() {
  PSNAM_CHECK(check_common_keys(facts_));
  PSNAM_CHECK(check_name());
  job_ = std::make_unique<Job>(identities_, rank_);
  std::vector<structures::RankRequest> requests;
  for (std::size_t rank = 0; rank < facts_.size(); ++rank)
    requests.push_back(
        {facts_[rank].size_bytes, facts_[rank].displacement_unit, job_->node_of(rank), facts_[rank].manifestation});
  PSNAM_TRY(auto regions, structures::structure(info_.structure).plan(requests));
  PSNAM_CHECK(check_reachable(regions));
  place_on_nodes(std::move(regions));
  PSNAM_CHECK(plan_sources());

  std::vector<format::NodeRecord> nodes{parts_->store->node()};
  if (job_->nodes() > 1) {
    PSNAM_TRY(nodes, exchange_nodes(team_, *job_, parts_->store->node()));
  }
  for (const std::uint32_t node : job_node_) draft_.nodes.push_back(nodes[node]);
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

/// The leaders record the window, volatile, in their stores; everybody learns its id on its node.
Status Creation::record() {
  struct Ids {
    std::uint64_t window;
    std::uint64_t use;
  } ids{0, 0};
  Status recorded;
  if (speaks_to_catalog()) {
    format::WindowRecord own = draft_;
    for (format::RegionRecord& region : own.regions)
      if (region.node != parts_->node) region.allocation_id = 0;
    auto use = parts_->store->create(std::move(own), sources_, job_->my_processes(identities_));
    if (use) {
      ids = {use->window.id, use->use_id};
      parts_->use = std::move(*use);
      parts_->use_owner = true;
    } else {
      recorded = with_source_keys(use.take_error(), sources_);
    }
  }
  PSNAM_CHECK(team_.agree(std::move(recorded)));
  std::vector<Ids> all(static_cast<std::size_t>(size_));
  PSNAM_CHECK(team_.gather_bytes(&ids, sizeof ids, all.data()));
  const Ids& ours = all[job_->leader(job_->my_node())];
  if (parts_->use_owner) return {};
  parts_->use.window = draft_;
  for (format::RegionRecord& region : parts_->use.window.regions) region.allocation_id = 0;
  parts_->use.window.id = ours.window;
  parts_->use.use_id = ours.use;
  return {};
}

/// Each creator takes its memory; the other ranks learn the ids that their leader recorded.
Status Creation::take_memory() {
  if (!parts_->use_owner && parts_->use.window.id != 0) {
    PSNAM_TRY(parts_->use.window, parts_->store->get(parts_->use.window.id));
  }
  parts_->regions = std::make_unique<Regions>(parts_->use.window, parts_->node, parts_->store, Protection::read_write);
  const auto& regions = parts_->use.window.regions;
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
                 fmt::format("{} = \"load_store\" on rank {}: its region lies on node {}, not in its own memory",
                             kBaseptrKey, rank_, draft_.nodes[draft_.regions[rank].node].host)};
  return {};
}

Status Creation::build() {
  PSNAM_CHECK(team_.agree(take_memory()));
  PSNAM_CHECK(team_.agree(assemble()));
  const TeamPlan plan{context_, request_.comm, request_.info, team_, *job_, identities_, rank_, job_->nodes() > 1};
  return finish_parts(plan, job_node_, *parts_);
}

Status Creation::commit() {
  if (info_.consistency == format::Consistency::volatile_) return {};
  const CatalogSeat seat{*parts_->store, parts_->use.window.id, parts_->node, parts_->use_owner, draft_.nodes.size()};
  PSNAM_CHECK(change_consistency(team_, seat, info_.consistency));
  parts_->use.window.consistency = info_.consistency;
  return {};
}

/// The use of a volatile window ends, and all that was made for it goes.
void Creation::abandon() noexcept {
  if (parts_->native != MPI_WIN_NULL) context_.real().Win_free(&parts_->native);
  if (!parts_->use_owner) return;
  if (const Status closed = parts_->store->close(parts_->use.use_id); !closed)
    log::error("what was made for a window that failed stays until the next clean-up of the store: {}",
               closed.error().message);
}

Result<std::unique_ptr<Window>> Creation::make() {
  const auto steps = [&]() -> Status {
    PSNAM_CHECK(exchange_facts());
    PSNAM_CHECK(plan());
    PSNAM_CHECK(record());
    parts_->rank = rank_;
    parts_->spans_nodes = job_->nodes() > 1;
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
