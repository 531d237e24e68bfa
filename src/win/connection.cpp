#include "win/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

enum class Part : std::uint64_t { absent, in_doubt, whole };

class Connecting {
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
  Status share_record(std::uint32_t from_node);
  Status check_nodes() const;
  Status check_parts();
  Status take_use();
  Status duplicate_comm();
  void give_up() noexcept;
  [[nodiscard]] bool speaks() const { return job_->i_lead() && parts_.store != nullptr; }
  [[nodiscard]] std::string name() const { return wish_.name.data(); }
  [[nodiscard]] Error not_found(const std::string& why) const {
    return Error{Code::name_not_found, fmt::format("no window named \"{}\"{}", name(), why)};
  }

  Context& context_;
  const ConnectRequest& request_;
  int size_;
  sync::CommTeam team_;
  Wish wish_;
  std::unique_ptr<Job> job_;
  std::optional<format::WindowRecord> found_;  ///< what this process's store has under the name, if it speaks for it
  format::WindowRecord window_;                ///< as chosen, the same on all ranks
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
    PSNAM_TRY(parts_.store, context_.existing_store());
    if (parts_.store != nullptr) {
      PSNAM_TRY(mine, identify(*parts_.store, parts_.rank, context_.options().epoch_checks));
    }
    return context_.check_manager();
  };
  PSNAM_CHECK(team_.agree(describe()));
  parts_.identities.resize(static_cast<std::size_t>(size_));
  PSNAM_CHECK(team_.gather_bytes(&mine, sizeof mine, parts_.identities.data()));
  job_ = std::make_unique<Job>(parts_.identities, parts_.rank);
  return {};
}

/// The leaders look into their stores; the root's node has the first word on which window is meant.
Status Connecting::look_up() {
  Status looked;
  if (speaks()) {
    auto found = parts_.store->find(name());
    if (found)
      found_ = std::move(*found);
    else if (found.error().code != Code::name_not_found)
      looked = found.take_error();
  }
  PSNAM_CHECK(team_.agree(std::move(looked)));
  PSNAM_TRY(const auto words, team_.gather(found_.has_value() ? 1 : 0));
  const std::uint32_t root_node = job_->node_of(static_cast<std::size_t>(request_.root));
  for (std::uint32_t i = 0; i < job_->nodes(); ++i) {
    const auto node = static_cast<std::uint32_t>((root_node + i) % job_->nodes());
    if (words[job_->leader(node)] != 0) return share_record(node);
  }
  return not_found(
      job_->nodes() == 1 && parts_.store != nullptr ? fmt::format(" in the store {}", parts_.store->node().path) : "");
}

Status Connecting::share_record(std::uint32_t from_node) {
  const auto leader = static_cast<int>(job_->leader(from_node));
  std::vector<std::byte> bytes;
  if (parts_.rank == leader) bytes = format::encode(*found_);
  std::uint64_t size = bytes.size();
  PSNAM_CHECK(team_.broadcast(&size, sizeof size, leader));
  bytes.resize(size);
  PSNAM_CHECK(team_.broadcast(bytes.data(), size, leader));
  PSNAM_TRY(window_, format::decode_window(bytes));
  return {};
}

/// Every node of the record must be a node of this job.
Status Connecting::check_nodes() const {
  std::string missing;
  for (const format::NodeRecord& node : window_.nodes) {
    const bool here = std::any_of(parts_.identities.begin(), parts_.identities.end(),
                                  [&](const RankIdentity& r) { return r.store == node.store; });
    if (!here) missing += fmt::format("{}{} (store {})", missing.empty() ? "" : ", ", node.host, node.path);
  }
  if (missing.empty()) return {};
  return Error{Code::unreachable,
               fmt::format("window \"{}\" has regions on nodes where this job has no rank: {}", name(), missing)};
}

/// The home node decides whether the window exists; its word settles parts in doubt elsewhere, and ends those that a
/// job left which was killed while it removed the window.
Status Connecting::check_parts() {
  for (const format::NodeRecord& node : window_.nodes) {
    const auto rank = std::find_if(parts_.identities.begin(), parts_.identities.end(),
                                   [&](const RankIdentity& r) { return r.store == node.store; });
    parts_.job_node.push_back(job_->node_of(static_cast<std::size_t>(rank - parts_.identities.begin())));
  }
  const auto own = std::find(parts_.job_node.begin(), parts_.job_node.end(), job_->my_node());
  parts_.node = static_cast<std::uint32_t>(own - parts_.job_node.begin());
  const bool same = found_ && found_->uuid == window_.uuid;
  const Part part = !same ? Part::absent : found_->in_doubt ? Part::in_doubt : Part::whole;
  PSNAM_TRY(const auto words, team_.gather(static_cast<std::uint64_t>(part)));
  const auto part_of = [&](std::size_t node) { return static_cast<Part>(words[job_->leader(parts_.job_node[node])]); };
  const bool exists = part_of(0) == Part::whole;
  Status settled;
  if (parts_.node < window_.nodes.size()) {
    if (exists && part == Part::in_doubt)
      settled = parts_.store->set_consistency(found_->id, format::Consistency::persistent, false).status();
    else if (!exists && part != Part::absent)
      settled = parts_.store->remove(name()).status();
  }
  PSNAM_CHECK(team_.agree(std::move(settled)));
  if (!exists) return not_found(fmt::format(": its home node {} does not have it", window_.nodes[0].host));
  for (std::size_t node = 1; node < window_.nodes.size(); ++node)
    if (part_of(node) == Part::absent)
      return not_found(fmt::format(" as a whole: its part on node {} is gone", window_.nodes[node].host));
  return {};
}

Status Connecting::take_use() {
  struct Ids {
    std::uint64_t window;
    std::uint64_t use;
  } ids{0, 0};
  Status taken;
  if (job_->i_lead() && parts_.node < window_.nodes.size()) {
    auto use = parts_.store->open(name(), wish_.right, job_->my_processes(parts_.identities));
    if (use) {
      parts_.use = std::move(*use);
      parts_.use_owner = true;
      ids = {parts_.use.window.id, parts_.use.use_id};
      if (parts_.use.window.uuid != window_.uuid) taken = not_found(": it was replaced at this moment");
    } else {
      taken = use.take_error();
    }
  }
  PSNAM_CHECK(team_.agree(std::move(taken)));
  std::vector<Ids> all(static_cast<std::size_t>(size_));
  PSNAM_CHECK(team_.gather_bytes(&ids, sizeof ids, all.data()));
  const auto learn = [&]() -> Status {
    if (parts_.use_owner) return {};
    const Ids& ours = all[job_->leader(job_->my_node())];
    parts_.use.use_id = ours.use;
    parts_.use.window = window_;
    for (format::RegionRecord& region : parts_.use.window.regions) region.allocation_id = 0;
    if (ours.window != 0) {
      PSNAM_TRY(parts_.use.window, parts_.store->get(ours.window));
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
  if (!parts_.use_owner) return;
  if (const Status closed = parts_.store->close(parts_.use.use_id); !closed)
    log::error("window \"{}\" stays in use until the next clean-up of the store: {}", name(), closed.error().message);
}

Result<std::unique_ptr<Connection>> Connecting::make() {
  const auto steps = [&]() -> Status {
    PSNAM_CHECK(exchange_identities());
    PSNAM_CHECK(look_up());
    PSNAM_CHECK(check_nodes());
    PSNAM_CHECK(check_parts());
    PSNAM_CHECK(take_use());
    return duplicate_comm();
  };
  if (Status made = steps(); !made) {
    give_up();
    return made.take_error();
  }
  return std::make_unique<Connection>(context_, std::move(parts_));
}

}  // namespace

Connection::Connection(Context& context, Parts parts)
    : context_{context}, parts_{std::move(parts)}, job_{parts_.identities, parts_.rank} {}

Result<std::unique_ptr<Window>> Connection::make_window(MPI_Info info) {
  sync::CommTeam team{context_.real(), parts_.comm, parts_.rank, static_cast<int>(parts_.identities.size())};
  auto parts = std::make_unique<WindowParts>();
  parts->use.window = parts_.use.window;
  parts->node = parts_.node;
  parts->use_owner = parts_.use_owner;
  parts->rank = parts_.rank;
  parts->creator = false;
  parts->spans_nodes = job_.nodes() > 1;
  parts->right = parts_.right;
  parts->store = parts_.store;
  const auto prepare = [&]() -> Result<std::uint64_t> {
    PSNAM_TRY(const auto pairs, psnam_pairs(context_.real(), info));
    if (parts_.rank == 0) context_.warn_unknown_keys(pairs);
    if (!parts_.use_owner) return std::uint64_t{0};
    return parts_.store->duplicate(parts_.use.use_id);
  };
  auto use_id = prepare();
  const std::uint64_t mine = use_id ? *use_id : 0;
  const auto steps = [&]() -> Status {
    PSNAM_CHECK(team.agree(std::move(use_id).status()));
    PSNAM_TRY(const auto ids, team.gather(mine));
    parts->use.use_id = ids[job_.leader(job_.my_node())];
    const Protection protection =
        parts_.right == nam::AccessRight::read_only ? Protection::read_only : Protection::read_write;
    parts->regions = std::make_unique<Regions>(parts->use.window, parts_.node, parts_.store, protection);
    const TeamPlan plan{context_, parts_.comm, info, team, job_, parts_.identities, parts_.rank, parts->spans_nodes};
    return finish_parts(plan, parts_.job_node, *parts);
  };
  Status made = steps();
  if (made) return std::make_unique<Window>(context_, std::move(parts));
  if (mine != 0)
    if (const Status closed = parts_.store->close(mine); !closed) log::error("{}", closed.error().message);
  return made.take_error();
}

Status Connection::release() {
  if (!parts_.use_owner) return {};
  return parts_.store->close(parts_.use.use_id);
}

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
