#include "win/job.hpp"

#include <algorithm>
#include <array>
#include <cstring>

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

Result<RankIdentity> identify(nam::Service& store, int rank, EpochChecks epoch_checks) {
  RankIdentity identity{};
  identity.store = store.node().store;
  identity.random = format::random_uuid();
  PSNAM_TRY(identity.process, nam::this_process(static_cast<std::uint32_t>(rank)));
  PSNAM_TRY(identity.user, store.user(static_cast<std::uint32_t>(rank)));
  identity.maps = store.maps();
  identity.epoch_checks = epoch_checks;
  return identity;
}

Job::Job(std::span<const RankIdentity> ranks, int my_rank) : my_rank_{static_cast<std::size_t>(my_rank)} {
  for (std::uint32_t rank = 0; rank < ranks.size(); ++rank) {
    const auto same = std::find_if(leaders_.begin(), leaders_.end(),
                                   [&](std::uint32_t leader) { return ranks[leader].store == ranks[rank].store; });
    node_of_.push_back(static_cast<std::uint32_t>(same - leaders_.begin()));
    if (same == leaders_.end()) leaders_.push_back(rank);
  }
}

std::vector<std::uint32_t> Job::ranks_of(std::uint32_t node) const {
  std::vector<std::uint32_t> ranks;
  for (std::uint32_t rank = 0; rank < node_of_.size(); ++rank)
    if (node_of_[rank] == node) ranks.push_back(rank);
  return ranks;
}

std::vector<format::ProcessIdentity> Job::my_processes(std::span<const RankIdentity> ranks) const {
  std::vector<format::ProcessIdentity> processes;
  for (const std::uint32_t rank : ranks_of(my_node())) processes.push_back(ranks[rank].process);
  return processes;
}

std::uint32_t Job::my_place() const noexcept {
  const auto begin = node_of_.begin();
  return static_cast<std::uint32_t>(std::count(begin, begin + static_cast<std::ptrdiff_t>(my_rank_), my_node()));
}

Result<std::vector<format::NodeRecord>> exchange_nodes(sync::CommTeam& team, const Job& job,
                                                       const format::NodeRecord& mine) {
  std::vector<format::NodeRecord> nodes;
  for (std::uint32_t node = 0; node < job.nodes(); ++node) {
    WireNode wire{};
    if (node == job.my_node()) {
      wire.store = mine.store;
      put_text(wire.host, mine.host);
      put_text(wire.path, mine.path);
    }
    PSNAM_CHECK(team.broadcast(&wire, sizeof wire, static_cast<int>(job.leader(node))));
    nodes.push_back({wire.store, wire.host.data(), wire.path.data()});
  }
  return nodes;
}

}  // namespace psnam::win
