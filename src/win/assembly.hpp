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
  bool spans_nodes;
};

/// Fills in `team`, `relaxed_fence` and `native` of `parts`, and where remote regions are; `use` and `regions` are
/// there already. Collective; the same result on every rank.
[[nodiscard]] Status finish_parts(const TeamPlan& plan, std::span<const std::uint32_t> job_node, WindowParts& parts);

}  // namespace psnam::win
