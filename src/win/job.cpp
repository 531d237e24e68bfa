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
  if (services.manager != nullptr) identity.manager = services.manager->node().store;
  identity.epoch_checks = epoch_checks;
  return identity;
}

Result<std::vector<Nam>> agree_on_nams(sync::CommTeam& team, std::span<const RankIdentity> ranks, int my_rank,
                                       const Services& services) {
  const auto other = std::ranges::find_if(ranks, [&](const auto& rank) { return rank.manager != ranks[0].manager; });
  if (other != ranks.end()) {
    const auto shown = [](const format::Uuid& manager) {
      return manager == format::Uuid{} ? std::string{"no manager"} : "the manager " + format::to_string(manager);
    };
    return Error{Code::unreachable,
                 fmt::format("PSNAM_MANAGER must name the same manager on all ranks: rank 0 has {}, rank {} has {}",
                             shown(ranks[0].manager), other - ranks.begin(), shown(other->manager))};
  }
  if (ranks[0].manager == format::Uuid{}) return std::vector<Nam>{};
  std::vector<Nam> nams;
  const auto ask = [&]() -> Status {
    if (my_rank != 0) return {};
    PSNAM_TRY(const auto reports, services.manager->nams());
    for (const nam::NamReport& report : reports) {
      // One that was removed leaves a hole.
      if (report.index >= nams.size()) nams.resize(report.index + std::size_t{1});
      nams[report.index] = {report.store, report.free_bytes, report.reachable};
    }
    return {};
  };
  PSNAM_CHECK(team.agree(ask()));
  std::uint64_t count = nams.size();
  PSNAM_CHECK(team.broadcast(&count, sizeof count, 0));
  nams.resize(count);
  PSNAM_CHECK(team.broadcast(nams.data(), count * sizeof(Nam), 0));
  return nams;
}

Job::Job(std::span<const RankIdentity> ranks, int my_rank, std::size_t nams)
    : my_rank_{static_cast<std::size_t>(my_rank)}, nams_{nams} {
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
    if (is_nam(place) || node_of_[rank] == place) ranks.push_back(rank);
  return ranks;
}

Result<nam::Service*> Job::service(std::uint32_t place, const Services& services) const {
  if (!is_nam(place)) return services.store;
  const auto index = static_cast<std::uint32_t>(place - nodes());
  if (index == 0) return services.manager;
  return services.manager->nam(index);
}

Status Job::meet_at_nams(sync::CommTeam& team, std::span<const std::uint32_t> places, const Services& services) {
  for (const std::uint32_t place : places) {
    if (!is_nam(place)) continue;
    Guest mine{};
    const auto introduce = [&]() -> Status {
      PSNAM_TRY(nam::Service* const service, this->service(place, services));
      PSNAM_TRY(mine.user, service->user(static_cast<std::uint32_t>(my_rank_)));
      mine.maps = service->maps();
      return {};
    };
    PSNAM_CHECK(team.agree(introduce()));
    std::vector<Guest>& guests = guests_[place];
    guests.resize(node_of_.size());
    PSNAM_CHECK(team.gather_bytes(&mine, sizeof mine, guests.data()));
  }
  return {};
}

std::vector<format::ProcessIdentity> Job::users_of(std::uint32_t place, std::span<const RankIdentity> ranks) const {
  std::vector<format::ProcessIdentity> users;
  for (const std::uint32_t rank : ranks_of(place))
    users.push_back(is_nam(place) ? guests_.at(place)[rank].user : ranks[rank].process);
  return users;
}

bool Job::all_map(std::uint32_t place) const noexcept {
  if (!is_nam(place)) return nodes() == 1;
  const auto guests = guests_.find(place);
  return guests != guests_.end() && std::ranges::all_of(guests->second, &Guest::maps);
}

Result<std::vector<format::NodeRecord>> exchange_places(sync::CommTeam& team, const Job& job,
                                                        std::span<const std::uint32_t> places,
                                                        const Services& services) {
  std::vector<format::NodeRecord> nodes;
  for (const std::uint32_t place : places) {
    WireNode wire{};
    if (job.am_at(place)) {
      PSNAM_TRY(nam::Service* const mine, job.service(place, services));
      const format::NodeRecord node = mine != nullptr ? mine->node() : format::NodeRecord{};
      wire.store = node.store;
      put_text(wire.host, node.host);
      put_text(wire.path, node.path);
    }
    // What is known here is known to all, unless it is only some who are there.
    if (!job.is_nam(place) && job.nodes() > 1)
      PSNAM_CHECK(team.broadcast(&wire, sizeof wire, static_cast<int>(job.leader(place))));
    nodes.push_back({wire.store, wire.host.data(), wire.path.data()});
  }
  return nodes;
}

}  // namespace psnam::win
