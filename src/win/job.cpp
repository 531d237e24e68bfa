#include "win/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "nam/store.hpp"

namespace psnam::win {
namespace {

/// A NodeRecord on its way between ranks; longer texts are for people only and are cut.
struct WireNode {
  format::Uuid store;
  std::array<char, 256> host;
  std::array<char, 1024> path;
};

template <std::size_t N>
void put_text(std::array<char, N>& to, const std::string& from) {
  const std::size_t bytes = std::min(from.size(), N - 1);
  std::memcpy(to.data(), from.data(), bytes);
  to[bytes] = '\0';
}

}  // namespace

Result<RankIdentity> identify(const Services& services, int rank, EpochChecks epoch_checks) {
  RankIdentity identity{};
  identity.random = format::random_uuid();
  PSNAM_TRY(identity.process, nam::this_process(static_cast<std::uint32_t>(rank)));
  if (services.store != nullptr) identity.store = services.store->node().store;
  if (services.manager != nullptr) {
    identity.manager = services.manager->node().store;
    PSNAM_TRY(identity.user, services.manager->user(static_cast<std::uint32_t>(rank)));
    identity.maps_manager = services.manager->maps();
  }
  identity.epoch_checks = epoch_checks;
  return identity;
}

Status check_managers(std::span<const RankIdentity> ranks) {
  const auto other = std::ranges::find_if(ranks, [&](const auto& rank) { return rank.manager != ranks[0].manager; });
  if (other == ranks.end()) return {};
  const auto shown = [](const format::Uuid& manager) {
    return manager == format::Uuid{} ? std::string{"no manager"} : "the manager " + format::to_string(manager);
  };
  return Error{Code::unreachable,
               fmt::format("PSNAM_MANAGER must name the same manager on all ranks: rank 0 has {}, rank {} has {}",
                           shown(ranks[0].manager), other - ranks.begin(), shown(other->manager))};
}

Job::Job(std::span<const RankIdentity> ranks, int my_rank)
    : my_rank_{static_cast<std::size_t>(my_rank)},
      managed_{ranks[0].manager != format::Uuid{}},
      all_map_manager_{managed_ && std::ranges::all_of(ranks, &RankIdentity::maps_manager)} {
  for (std::uint32_t rank = 0; rank < ranks.size(); ++rank) {
    const auto same = std::find_if(leaders_.begin(), leaders_.end(),
                                   [&](std::uint32_t leader) { return ranks[leader].store == ranks[rank].store; });
    node_of_.push_back(static_cast<std::uint32_t>(same - leaders_.begin()));
    if (same == leaders_.end()) leaders_.push_back(rank);
  }
}

std::vector<std::uint32_t> Job::ranks_of(std::uint32_t place) const {
  std::vector<std::uint32_t> ranks;
  for (std::uint32_t rank = 0; rank < node_of_.size(); ++rank)
    if (is_manager(place) || node_of_[rank] == place) ranks.push_back(rank);
  return ranks;
}

std::vector<format::ProcessIdentity> Job::users_of(std::uint32_t place, std::span<const RankIdentity> ranks) const {
  std::vector<format::ProcessIdentity> users;
  for (const std::uint32_t rank : ranks_of(place))
    users.push_back(is_manager(place) ? ranks[rank].user : ranks[rank].process);
  return users;
}

Result<std::vector<format::NodeRecord>> exchange_places(sync::CommTeam& team, const Job& job,
                                                        const Services& services) {
  std::vector<format::NodeRecord> nodes;
  for (std::uint32_t place = 0; place < job.places(); ++place) {
    WireNode wire{};
    if (nam::Service* const mine = job.service(place, services); job.am_at(place) && mine != nullptr) {
      const format::NodeRecord node = mine->node();
      wire.store = node.store;
      put_text(wire.host, node.host);
      put_text(wire.path, node.path);
    }
    if (job.places() > 1) PSNAM_CHECK(team.broadcast(&wire, sizeof wire, static_cast<int>(job.leader(place))));
    nodes.push_back({wire.store, wire.host.data(), wire.path.data()});
  }
  return nodes;
}

}  // namespace psnam::win
