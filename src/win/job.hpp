// The ranks of a communicator and the places that their windows can lie in: the nodes they are on, and the manager.
//
// A node is a store: ranks that share one can map each other's memory. The manager, where there is one, is a further
// place, which all ranks share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/options.hpp"
#include "base/result.hpp"
#include "format/catalog.hpp"
#include "nam/service.hpp"
#include "sync/team.hpp"

namespace psnam::win {

/// The services that a process can use.
struct Services {
  nam::Service* store = nullptr;    ///< of its node; null: not needed, or not there
  nam::Service* manager = nullptr;  ///< null: there is none
};

/// What each rank tells the others of itself.
struct RankIdentity {
  format::Uuid store;    ///< zero: none
  format::Uuid manager;  ///< zero: none
  format::Uuid random;   ///< of rank 0: the identity of what is being made
  format::ProcessIdentity process;
  format::ProcessIdentity user;  ///< the process, as the manager knows it
  EpochChecks epoch_checks;
  bool maps_manager;  ///< what the manager holds can be mapped
};

[[nodiscard]] Result<RankIdentity> identify(const Services& services, int rank, EpochChecks epoch_checks);

/// Code::unreachable unless all ranks have the same manager, or none.
[[nodiscard]] Status check_managers(std::span<const RankIdentity> ranks);

/// Ranks by place. The nodes come first, in the order of their first rank, then the manager.
class Job {
 public:
  Job(std::span<const RankIdentity> ranks, int my_rank);

  [[nodiscard]] std::size_t nodes() const noexcept { return leaders_.size(); }
  [[nodiscard]] std::size_t places() const noexcept { return nodes() + (managed_ ? 1 : 0); }
  [[nodiscard]] std::uint32_t my_node() const noexcept { return node_of_[my_rank_]; }
  [[nodiscard]] std::uint32_t node_of(std::size_t rank) const noexcept { return node_of_[rank]; }
  [[nodiscard]] bool is_manager(std::uint32_t place) const noexcept { return managed_ && place == nodes(); }
  /// The manager's place; only where there is one.
  [[nodiscard]] std::uint32_t manager() const noexcept { return static_cast<std::uint32_t>(nodes()); }
  [[nodiscard]] bool has_manager() const noexcept { return managed_; }
  [[nodiscard]] bool am_at(std::uint32_t place) const noexcept { return place == my_node() || is_manager(place); }
  /// The rank that speaks for a place: its first.
  [[nodiscard]] std::uint32_t leader(std::size_t place) const noexcept {
    return place < leaders_.size() ? leaders_[place] : 0;
  }
  [[nodiscard]] bool lead(std::size_t place) const noexcept { return leader(place) == my_rank_; }
  /// The ranks of a place, ascending.
  [[nodiscard]] std::vector<std::uint32_t> ranks_of(std::uint32_t place) const;
  /// The processes of a place, as its service knows them, ascending by rank.
  [[nodiscard]] std::vector<format::ProcessIdentity> users_of(std::uint32_t place,
                                                              std::span<const RankIdentity> ranks) const;
  /// My service at a place where I am.
  [[nodiscard]] nam::Service* service(std::uint32_t place, const Services& services) const noexcept {
    return is_manager(place) ? services.manager : services.store;
  }
  /// A place whose pages all ranks can map: that of the manager, or of the one node.
  [[nodiscard]] bool all_map(std::uint32_t place) const noexcept {
    return is_manager(place) ? all_map_manager_ : nodes() == 1;
  }

 private:
  std::size_t my_rank_;
  std::vector<std::uint32_t> node_of_;
  std::vector<std::uint32_t> leaders_;  ///< of the nodes
  bool managed_;
  bool all_map_manager_;
};

/// Who the places are, told by their leaders to all.
[[nodiscard]] Result<std::vector<format::NodeRecord>> exchange_places(sync::CommTeam& team, const Job& job,
                                                                      const Services& services);

}  // namespace psnam::win
