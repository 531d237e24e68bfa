// The ranks of a communicator and the places that their windows can lie in: the nodes they are on, and the NAMs.
//
// A node is a store: ranks that share one can map each other's memory. The NAMs are those of the manager, where there
// is one: itself, of index 0, and the memory nodes that have joined it. All ranks share them.
#pragma once

#include <cstdint>
#include <map>
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
  EpochChecks epoch_checks;
};

[[nodiscard]] Result<RankIdentity> identify(const Services& services, int rank, EpochChecks epoch_checks);

/// A NAM as all ranks know it.
struct Nam {
  format::Uuid store;
  std::uint64_t free_bytes;
  bool reachable;
};

/// The NAMs of the manager, as rank 0 sees them; none without a manager. Code::unreachable unless all ranks have the
/// same manager, or none. Collective.
[[nodiscard]] Result<std::vector<Nam>> agree_on_nams(sync::CommTeam& team, std::span<const RankIdentity> ranks,
                                                     int my_rank, const Services& services);

/// Ranks by place. The nodes come first, in the order of their first rank, then the NAMs.
class Job {
 public:
  Job(std::span<const RankIdentity> ranks, int my_rank, std::size_t nams);

  [[nodiscard]] std::size_t nodes() const noexcept { return leaders_.size(); }
  [[nodiscard]] std::uint32_t my_node() const noexcept { return node_of_[my_rank_]; }
  [[nodiscard]] std::uint32_t node_of(std::size_t rank) const noexcept { return node_of_[rank]; }
  [[nodiscard]] std::size_t nams() const noexcept { return nams_; }
  [[nodiscard]] bool is_nam(std::uint32_t place) const noexcept { return place >= nodes(); }
  /// The place of a NAM.
  [[nodiscard]] std::uint32_t nam(std::size_t index) const noexcept {
    return static_cast<std::uint32_t>(nodes() + index);
  }
  [[nodiscard]] bool am_at(std::uint32_t place) const noexcept { return place == my_node() || is_nam(place); }
  /// The rank that speaks for a place: its first.
  [[nodiscard]] std::uint32_t leader(std::size_t place) const noexcept {
    return place < leaders_.size() ? leaders_[place] : 0;
  }
  [[nodiscard]] bool lead(std::size_t place) const noexcept { return leader(place) == my_rank_; }
  /// The ranks of a place, ascending.
  [[nodiscard]] std::vector<std::uint32_t> ranks_of(std::uint32_t place) const;

  /// My service at a place where I am: that of a NAM is connected to on first use.
  [[nodiscard]] Result<nam::Service*> service(std::uint32_t place, const Services& services) const;

  /// Each rank learns how the NAMs among `places` know the others. Collective.
  [[nodiscard]] Status meet_at_nams(sync::CommTeam& team, std::span<const std::uint32_t> places,
                                    const Services& services);
  /// The processes of a place, as its service knows them, ascending by rank; of a NAM only after meet_at_nams().
  [[nodiscard]] std::vector<format::ProcessIdentity> users_of(std::uint32_t place,
                                                              std::span<const RankIdentity> ranks) const;
  /// Whether all ranks can map the pages of a place.
  [[nodiscard]] bool all_map(std::uint32_t place) const noexcept;

 private:
  /// A rank as a NAM knows it.
  struct Guest {
    format::ProcessIdentity user;
    bool maps;
  };

  std::size_t my_rank_;
  std::vector<std::uint32_t> node_of_;
  std::vector<std::uint32_t> leaders_;  ///< of the nodes
  std::size_t nams_;
  std::map<std::uint32_t, std::vector<Guest>> guests_;  ///< by place
};

/// Who the nodes are, told by their leaders to all; those without a store have an empty record.
[[nodiscard]] Result<std::vector<format::NodeRecord>> exchange_places(sync::CommTeam& team, const Job& job,
                                                                      std::span<const std::uint32_t> places,
                                                                      const Services& services);

}  // namespace psnam::win
