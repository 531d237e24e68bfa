#include "win/exposure.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace psnam::win {
namespace {

/// Maps and attaches the allocations this process hosts; fills in their regions' addresses.
Status attach_hosted(const Real& real, const Job& job, int my_rank, const format::WindowRecord& window,
                     std::span<const std::uint32_t> job_node, Regions& regions, MPI_Win native,
                     std::vector<std::uint64_t>& addresses) {
  std::set<const std::byte*> attached;
  for (std::size_t rank = 0; rank < window.regions.size(); ++rank) {
    const format::RegionRecord& region = window.regions[rank];
    const std::uint32_t place = job_node[region.node];
    if (region.size_bytes == 0 || job.is_nam(place) || host_of(job, place, rank) != static_cast<std::uint32_t>(my_rank))
      continue;
    PSNAM_TRY(std::byte* const base, regions.map(rank));
    if (const auto bytes = regions.allocation(rank); attached.insert(bytes.data()).second)
      if (const int rc = real.Win_attach(native, bytes.data(), static_cast<MPI_Aint>(bytes.size())); rc != MPI_SUCCESS)
        return sync::mpi_error(real, "MPI_Win_attach", rc);
    MPI_Aint address = 0;
    real.Get_address(base, &address);
    addresses[rank] = static_cast<std::uint64_t>(address);
  }
  return {};
}

}  // namespace

Result<MPI_Win> make_native_window(const Real& real, MPI_Info info, MPI_Comm comm) {
  MPI_Win native = MPI_WIN_NULL;
  if (const int rc = real.Win_create_dynamic(info, comm, &native); rc != MPI_SUCCESS) {
    Error error = sync::mpi_error(real, "MPI_Win_create_dynamic", rc);
    error.already_raised = true;
    return error;
  }
  return native;
}

std::uint32_t host_of(const Job& job, std::uint32_t node, std::size_t region_rank) {
  const std::vector<std::uint32_t> ranks = job.ranks_of(node);
  if (std::binary_search(ranks.begin(), ranks.end(), static_cast<std::uint32_t>(region_rank)))
    return static_cast<std::uint32_t>(region_rank);
  return ranks[region_rank % ranks.size()];
}

Status expose_regions(const Real& real, sync::CommTeam& team, const Job& job, int my_rank,
                      const format::WindowRecord& window, std::span<const std::uint32_t> job_node, Regions& regions,
                      MPI_Win native) {
  std::vector<std::uint64_t> addresses(window.regions.size());
  PSNAM_CHECK(team.agree(attach_hosted(real, job, my_rank, window, job_node, regions, native, addresses)));
  PSNAM_CHECK(team.largest(addresses));
  for (std::size_t rank = 0; rank < window.regions.size(); ++rank)
    if (const std::uint32_t place = job_node[window.regions[rank].node]; !job.is_nam(place))
      regions.place(rank, static_cast<int>(host_of(job, place, rank)), static_cast<MPI_Aint>(addresses[rank]));
  return {};
}

}  // namespace psnam::win
