// The last steps that a new window and a connected one have in common: how its ranks wait for each other, the native
// window that carries its handle, and how remote regions are reached.
#pragma once

#include <mpi.h>

#include <span>

#include "base/result.hpp"
#include "sync/team.hpp"
#include "win/context.hpp"
#include "win/job.hpp"
#include "win/window.hpp"

namespace psnam::win {

struct TeamPlan {
  Context& context;
  MPI_Comm comm;
  MPI_Info info;         ///< the program's, for the native window
  sync::CommTeam& team;  ///< over comm
  const Job& job;
  std::span<const RankIdentity> identities;
  int rank;
  std::span<const std::uint32_t> places;  ///< of the job, for each node of the record
};

/// Whether some regions lie in stores of nodes, and the ranks are on several: then they are exposed by the MPI library.
[[nodiscard]] bool spans_nodes(const Job& job, std::span<const std::uint32_t> places);

/// Fills in `team`, `spans_nodes`, `relaxed_fence` and `native` of `parts`, and where exposed regions are; `record`,
/// `seats` and `regions` are there already. Collective; the same result on every rank.
[[nodiscard]] Status finish_parts(const TeamPlan& plan, WindowParts& parts);

}  // namespace psnam::win
