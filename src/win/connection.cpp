#include "win/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/log.hpp"
#include "win/assembly.hpp"
#include "win/names.hpp"

namespace psnam::win {
namespace {

/// What root says: whether it wants a window, which, and how.
struct Wish {
  bool window = false;
  nam::AccessRight right = nam::AccessRight::read_write;
  std::array<char, MPI_MAX_PORT_NAME> name{};
};

class Connecting {
  enum class Part : std::uint64_t { absent, in_doubt, whole };

 public:
  Connecting(Context& context, const ConnectRequest& request, int rank, int size)
      : context_{context}, request_{request}, size_{size}, team_{context.real(), request.comm, rank, size} {
    parts_.rank = rank;
  }

  Result<bool> wanted();
  Result<std::unique_ptr<Connection>> make();

 private:
  Status read_wish();
  Status exchange_identities();
  Status look_up();
  Result<std::uint32_t> first_place();
  Status share_record(std::uint32_t from_place);
  [[nodiscard]] std::optional<std::uint32_t> place_of(const format::Uuid& store) const;
  Status find_places();
  Status look_at_parts();
  Status check_parts();
  Status settle_parts(bool exists);
  Status take_uses();
  Status duplicate_comm();
  void give_up() noexcept;
  /// What the service of `place` has of the window, if this process speaks for it.
  [[nodiscard]] Part part_at(std::uint32_t place) const;
  [[nodiscard]] std::string name() const { return wish_.name.data(); }
  [[nodiscard]] Error not_found(const std::string& why) const {
    return Error{Code::name_not_found, fmt::format("no window named \"{}\"{}", name(), why)};
  }

  Context& context_;
  const ConnectRequest& request_;
  int size_;
  sync::CommTeam team_;
  Wish wish_;
  Services services_;
  std::vector<Nam> nams_;
  std::unique_ptr<Job> job_;
  /// What the services have under the name for which this process speaks: that of its node, and the manager.
  std::map<std::uint32_t, format::WindowRecord> found_;
  format::WindowRecord window_;  ///< as chosen, the same on all ranks
  Connection::Parts parts_;
};

Status Connecting::read_wish() {
  PSNAM_TRY(const auto pairs, psnam_pairs(context_.real(), request_.info));
  PSNAM_TRY(wish_.window, parse_connect(pairs));
  if (!wish_.window) return {};
  context_.warn_unknown_keys(pairs);
  PSNAM_TRY(wish_.right, parse_access(pairs));
  const std::string_view name = request_.port_name == nullptr ? std::string_view{} : window_name(request_.port_name);
  if (name.empty() || name.size() >= wish_.name.size())
    return Error{Code::name_not_found,
                 fmt::format("the window name has {} bytes; a name has 1 to {}", name.size(), wish_.name.size() - 1)};
  std::copy(name.begin(), name.end(), wish_.name.begin());
  return {};
}

Result<bool> Connecting::wanted() {
  Status read;
  if (parts_.rank == request_.root) read = read_wish();
  PSNAM_CHECK(team_.agree(std::move(read)));
  PSNAM_CHECK(team_.broadcast(&wish_, sizeof wish_, request_.root));
  parts_.right = wish_.right;
  return wish_.window;
}

Status Connecting::exchange_identities() {
  RankIdentity mine{};
  const auto describe = [&]() -> Status {
    PSNAM_TRY(services_.manager, context_.manager());
    PSNAM_TRY(services_.store, context_.existing_store());
    PSNAM_TRY(mine, identify(services_, parts_.rank, context_.options().epoch_checks));
    return {};
  };
  PSNAM_CHECK(team_.agree(describe()));
  parts_.identities.resize(static_cast<std::size_t>(size_));
  PSNAM_CHECK(team_.gather_bytes(&mine, sizeof mine, parts_.identities.data()));
  PSNAM_TRY(nams_, agree_on_nams(team_, parts_.identities, parts_.rank, services_));
  job_ = std::make_unique<Job>(parts_.identities, parts_.rank, nams_.size());
  return {};
}

/// The leaders look into their services. Which window is meant the manager says first, then the root's node.
Status Connecting::look_up() {
  Status looked;
  const auto look = [&](std::uint32_t place) -> Status {
    if (!job_->am_at(place) || !job_->lead(place)) return {};
    PSNAM_TRY(nam::Service* const service, job_->service(place, services_));
    if (service == nullptr) return {};
    auto found = service->find(name());
    if (!found) return found.error().code == Code::name_not_found ? Status{} : Status{found.take_error()};
    found_.emplace(place, std::move(*found));
    return {};
  };
  // The manager, which is the home of all windows of NAMs, and the nodes.
  looked = look(job_->my_node());
  if (looked && job_->nams() != 0) looked = look(job_->nam(0));
  PSNAM_CHECK(team_.agree(std::move(looked)));
  PSNAM_TRY(const std::uint32_t place, first_place());
  return share_record(place);
}

/// The place whose record counts. Code::name_not_found if there is none.
Result<std::uint32_t> Connecting::first_place() {
  std::uint64_t mine = 0;  // bit 0: that of the node, bit 1: the manager
  for (const auto& [place, window] : found_) mine |= job_->is_nam(place) ? 2U : 1U;
  PSNAM_TRY(const auto words, team_.gather(mine));
  if (job_->nams() != 0 && (words[job_->leader(job_->nam(0))] & 2U) != 0) return job_->nam(0);
  const std::uint32_t root_node = job_->node_of(static_cast<std::size_t>(request_.root));
  for (std::uint32_t i = 0; i < job_->nodes(); ++i) {
    const auto node = static_cast<std::uint32_t>((root_node + i) % job_->nodes());
    if ((words[job_->leader(node)] & 1U) != 0) return node;
  }
  std::string where;
  if (services_.manager != nullptr)
    where = fmt::format(" in the manager {}", services_.manager->node().path);
  else if (job_->nodes() == 1 && services_.store != nullptr)
    where = fmt::format(" in the store {}", services_.store->node().path);
  return not_found(where);
}

Status Connecting::share_record(std::uint32_t from_place) {
  const auto leader = static_cast<int>(job_->leader(from_place));
  std::vector<std::byte> bytes;
  if (parts_.rank == leader) bytes = format::encode(found_.at(from_place));
  std::uint64_t size = bytes.size();
  PSNAM_CHECK(team_.broadcast(&size, sizeof size, leader));
  bytes.resize(size);
  PSNAM_CHECK(team_.broadcast(bytes.data(), size, leader));
  PSNAM_TRY(window_, format::decode_window(bytes));
  return {};
}

/// The place of this job where the store `store` is; nothing if there is none.
std::optional<std::uint32_t> Connecting::place_of(const format::Uuid& store) const {
  const auto nam = std::ranges::find(nams_, store, &Nam::store);
  // Where a NAM was removed there is a hole, and no store.
  if (nam != nams_.end() && store != format::Uuid{}) return job_->nam(static_cast<std::size_t>(nam - nams_.begin()));
  const auto rank = std::ranges::find(parts_.identities, store, &RankIdentity::store);
  if (rank == parts_.identities.end()) return std::nullopt;
  return job_->node_of(static_cast<std::size_t>(rank - parts_.identities.begin()));
}

/// Every node of the record must be a place of this job.
Status Connecting::find_places() {
  std::string missing;
  for (const format::NodeRecord& node : window_.nodes) {
    const auto place = place_of(node.store);
    if (place)
      parts_.places.push_back(*place);
    else
      missing += fmt::format("{}{} (store {})", missing.empty() ? "" : ", ", node.host, node.path);
  }
  if (!missing.empty())
    return Error{Code::unreachable,
                 fmt::format("window \"{}\" has regions on nodes where this job has no rank: {}", name(), missing)};
  // PSNAM_PATH is each rank's own.
  PSNAM_CHECK(team_.agree(context_.check_path(spans_nodes(*job_, parts_.places) ? job_->nodes() : 1)));
  PSNAM_CHECK(job_->meet_at_nams(team_, parts_.places, services_));
  for (std::uint32_t node = 0; node < parts_.places.size(); ++node) {
    const std::uint32_t place = parts_.places[node];
    if (!job_->am_at(place)) continue;
    PSNAM_TRY(nam::Service* const service, job_->service(place, services_));
    parts_.seats.push_back({.service = service, .node = node, .speaks = job_->lead(place)});
  }
  return {};
}

Connecting::Part Connecting::part_at(std::uint32_t place) const {
  const auto found = found_.find(place);
  if (found == found_.end() || found->second.uuid != window_.uuid) return Part::absent;
  return found->second.in_doubt ? Part::in_doubt : Part::whole;
}

/// The word of the home node settles parts in doubt elsewhere, and ends those that a job left which was killed while it
/// removed the window.
Status Connecting::settle_parts(bool exists) {
  for (const Seat& seat : parts_.seats) {
    if (!seat.speaks) continue;
    const std::uint32_t place = parts_.places[seat.node];
    const Part part = part_at(place);
    if (exists && part == Part::in_doubt)
      PSNAM_CHECK(seat.service->set_consistency(found_.at(place).id, format::Consistency::persistent, false).status());
    else if (!exists && part != Part::absent)
      PSNAM_CHECK(seat.service->remove(name()).status());
  }
  return {};
}

/// The memory nodes were not looked at yet.
Status Connecting::look_at_parts() {
  for (const Seat& seat : parts_.seats) {
    const std::uint32_t place = parts_.places[seat.node];
    if (!seat.speaks || found_.contains(place)) continue;
    auto found = seat.service->find(name());
    if (found)
      found_.emplace(place, std::move(*found));
    else if (found.error().code != Code::name_not_found)
      return found.take_error();
  }
  return {};
}

/// The home node decides whether the window exists.
Status Connecting::check_parts() {
  PSNAM_CHECK(team_.agree(look_at_parts()));
  std::vector<std::uint64_t> parts(window_.nodes.size());  // each is known to one rank, which leads there
  for (std::size_t node = 0; node < parts.size(); ++node)
    parts[node] = static_cast<std::uint64_t>(part_at(parts_.places[node]));
  PSNAM_CHECK(team_.largest(parts));
  const auto part_of = [&](std::size_t node) { return static_cast<Part>(parts[node]); };
  const bool exists = part_of(0) == Part::whole;
  PSNAM_CHECK(team_.agree(settle_parts(exists)));
  if (!exists) return not_found(fmt::format(": its home node {} does not have it", window_.nodes[0].host));
  for (std::size_t node = 1; node < window_.nodes.size(); ++node)
    if (part_of(node) == Part::absent)
      return not_found(fmt::format(" as a whole: its part on node {} is gone", window_.nodes[node].host));
  return {};
}

Status Connecting::take_uses() {
  parts_.record = window_;
  for (format::RegionRecord& region : parts_.record.regions) region.allocation_id = 0;
  Status taken;
  for (Seat& seat : parts_.seats) {
    if (!taken || !seat.speaks) continue;
    auto use = seat.service->open(name(), wish_.right, job_->users_of(parts_.places[seat.node], parts_.identities));
    if (use) {
      seat.window_id = use->window.id;
      seat.use_id = use->use_id;
      take_part(parts_.record, seat, use->window);
      if (use->window.uuid != window_.uuid) taken = not_found(": it was replaced at this moment");
    } else {
      taken = use.take_error();
    }
  }
  PSNAM_CHECK(team_.agree(std::move(taken)));
  PSNAM_CHECK(learn_ids(team_, *job_, parts_.places, size_, parts_.seats));
  const auto learn = [&]() -> Status {
    for (const Seat& seat : parts_.seats) {
      if (seat.speaks) continue;
      PSNAM_TRY(const format::WindowRecord part, seat.service->get(seat.window_id));
      take_part(parts_.record, seat, part);
    }
    return {};
  };
  return team_.agree(learn());
}

Status Connecting::duplicate_comm() {
  if (const int rc = context_.real().Comm_dup(request_.comm, &parts_.comm); rc != MPI_SUCCESS) {
    Error error = sync::mpi_error(context_.real(), "MPI_Comm_dup", rc);
    error.already_raised = true;
    return error;
  }
  return {};
}

void Connecting::give_up() noexcept {
  if (const Status closed = close_uses(parts_.seats); !closed)
    log::error("window \"{}\" stays in use until the next clean-up of the store: {}", name(), closed.error().message);
}

Result<std::unique_ptr<Connection>> Connecting::make() {
  const auto steps = [&]() -> Status {
    PSNAM_CHECK(exchange_identities());
    PSNAM_CHECK(look_up());
    PSNAM_CHECK(find_places());
    PSNAM_CHECK(check_parts());
    PSNAM_CHECK(take_uses());
    return duplicate_comm();
  };
  if (Status made = steps(); !made) {
    give_up();
    return made.take_error();
  }
  return std::make_unique<Connection>(context_, std::move(parts_), std::move(*job_));
}

}  // namespace

Connection::Connection(Context& context, Parts parts, Job job)
    : context_{context}, parts_{std::move(parts)}, job_{std::move(job)} {}

Result<std::unique_ptr<Window>> Connection::make_window(MPI_Info info) {
  sync::CommTeam team{context_.real(), parts_.comm, parts_.rank, static_cast<int>(parts_.identities.size())};
  auto parts = std::make_unique<WindowParts>();
  parts->record = parts_.record;
  parts->seats = parts_.seats;
  for (Seat& seat : parts->seats) seat.use_id = 0;
  parts->rank = parts_.rank;
  parts->creator = false;
  parts->right = parts_.right;
  const auto prepare = [&]() -> Status {
    PSNAM_TRY(const auto pairs, psnam_pairs(context_.real(), info));
    if (parts_.rank == 0) context_.warn_unknown_keys(pairs);
    for (std::size_t i = 0; i < parts->seats.size(); ++i) {
      if (!parts->seats[i].speaks) continue;
      PSNAM_TRY(parts->seats[i].use_id, parts_.seats[i].service->duplicate(parts_.seats[i].use_id));
    }
    return {};
  };
  const auto steps = [&]() -> Status {
    PSNAM_CHECK(team.agree(prepare()));
    PSNAM_CHECK(learn_ids(team, job_, parts_.places, static_cast<int>(parts_.identities.size()), parts->seats));
    const Protection protection =
        parts_.right == nam::AccessRight::read_only ? Protection::read_only : Protection::read_write;
    parts->regions = std::make_unique<Regions>(parts->record, parts->seats, protection);
    return finish_parts({context_, parts_.comm, info, team, job_, parts_.identities, parts_.rank, parts_.places},
                        *parts);
  };
  Status made = steps();
  if (made) return std::make_unique<Window>(context_, std::move(parts));
  if (const Status closed = close_uses(parts->seats); !closed) log::error("{}", closed.error().message);
  return made.take_error();
}

Status Connection::release() { return close_uses(parts_.seats); }

Result<std::unique_ptr<Connection>> connect_window(Context& context, const ConnectRequest& request) {
  int rank = 0;
  int size = 0;
  if (context.real().Comm_rank(request.comm, &rank) != MPI_SUCCESS ||
      context.real().Comm_size(request.comm, &size) != MPI_SUCCESS)
    return std::unique_ptr<Connection>{};
  Connecting connecting{context, request, rank, size};
  PSNAM_TRY(const bool wanted, connecting.wanted());
  if (!wanted) return std::unique_ptr<Connection>{};
  return connecting.make();
}

}  // namespace psnam::win
