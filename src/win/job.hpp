// The ranks of a communicator and the nodes they are on. A node is a store: ranks that share one can map each other's
// memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/options.hpp"
#include "base/result.hpp"
#include "format/catalog.hpp"
#include "nam/store.hpp"
#include "sync/team.hpp"

namespace psnam::win {

/// What each rank tells the others of itself.
struct RankIdentity {
  format::Uuid store;
  format::Uuid random;  ///< of rank 0: the identity of what is being made
  format::ProcessIdentity process;
  format::ProcessIdentity user;  ///< the process, as its store knows it
  EpochChecks epoch_checks;
  bool maps;  ///< what its store holds can be mapped
};

[[nodiscard]] Result<RankIdentity> identify(nam::Service& store, int rank, EpochChecks epoch_checks);

/// Ranks by node; nodes in the order of their first rank.
class Job {
 public:
  Job(std::span<const RankIdentity> ranks, int my_rank);

  [[nodiscard]] std::size_t nodes() const noexcept { return leaders_.size(); }
  [[nodiscard]] std::uint32_t my_node() const noexcept { return node_of_[my_rank_]; }
  [[nodiscard]] std::uint32_t node_of(std::size_t rank) const noexcept { return node_of_[rank]; }
  /// The rank that speaks for a node: its first.
  [[nodiscard]] std::uint32_t leader(std::size_t node) const noexcept { return leaders_[node]; }
  [[nodiscard]] bool i_lead() const noexcept { return leaders_[my_node()] == my_rank_; }
  /// The ranks of `node`, ascending.
  [[nodiscard]] std::vector<std::uint32_t> ranks_of(std::uint32_t node) const;
  /// The processes of my node, ascending by rank.
  [[nodiscard]] std::vector<format::ProcessIdentity> my_processes(std::span<const RankIdentity> ranks) const;
  /// My place among the ranks of my node.
  [[nodiscard]] std::uint32_t my_place() const noexcept;

 private:
  std::size_t my_rank_;
  std::vector<std::uint32_t> node_of_;
  std::vector<std::uint32_t> leaders_;
};

/// Who the nodes are, told by their leaders to all.
[[nodiscard]] Result<std::vector<format::NodeRecord>> exchange_nodes(sync::CommTeam& team, const Job& job,
                                                                     const format::NodeRecord& mine);

}  // namespace psnam::win
