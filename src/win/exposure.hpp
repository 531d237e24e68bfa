// The native window that carries the handle of a PSNAM window, and, for a job on several nodes, exposes each node's
// regions to the others.
#pragma once

#include <mpi.h>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "rma/real.hpp"
#include "sync/team.hpp"
#include "win/job.hpp"
#include "win/regions.hpp"

namespace psnam::win {

/// Makes the native window: collective, no memory.
[[nodiscard]] Result<MPI_Win> make_native_window(const Real& real, MPI_Info info, MPI_Comm comm);

/// The job's rank that exposes the region of `region_rank`, which lies on the job's node `node`: the rank itself in the
/// job that made the window, else the ranks of the node in turn.
[[nodiscard]] std::uint32_t host_of(const Job& job, std::uint32_t node, std::size_t region_rank);

/// Exposes what this process hosts and learns where the remote regions are. `job_node[i]` is the job's node of record
/// node i. Collective over the job.
[[nodiscard]] Status expose_regions(const Real& real, sync::CommTeam& team, const Job& job, int my_rank,
                                    const format::WindowRecord& window, std::span<const std::uint32_t> job_node,
                                    Regions& regions, MPI_Win native);

}  // namespace psnam::win
