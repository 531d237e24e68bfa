// The processes of a window as a team: they wait for each other, gather one word from each, and agree on success or on
// one error. All functions are collective over the team, called in the same order by all its processes.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "rma/real.hpp"

namespace psnam::sync {

class Team {
 public:
  virtual ~Team() = default;

  /// Returns when all processes have called it; what each wrote to shared memory before is then visible to all.
  virtual Status barrier() = 0;

  /// The words of all processes, by rank.
  virtual Result<std::vector<std::uint64_t>> gather(std::uint64_t word) = 0;

  /// Success if `mine` is one on every process, else, on every process, the error of the lowest rank that has one.
  virtual Status agree(Status mine) = 0;
};

/// A team over a communicator, by its collectives. Does not own the communicator.
class CommTeam final : public Team {
 public:
  CommTeam(const Real& real, MPI_Comm comm, int rank, int size) noexcept
      : real_{real}, comm_{comm}, rank_{rank}, size_{size} {}

  Status barrier() override;
  Result<std::vector<std::uint64_t>> gather(std::uint64_t word) override;
  Status agree(Status mine) override;

  /// All processes' `bytes` bytes at `mine`, by rank, into `all`.
  Status gather_bytes(const void* mine, std::size_t bytes, void* all);
  /// Replaces each word by the largest that any process has in its place.
  Status largest(std::vector<std::uint64_t>& words);
  /// `root`'s bytes to all.
  Status broadcast(void* data, std::size_t bytes, int root);

 private:
  const Real& real_;
  MPI_Comm comm_;
  int rank_;
  int size_;
};

/// A CommTeam over a duplicate of a communicator, which it frees.
[[nodiscard]] Result<std::unique_ptr<Team>> make_own_comm_team(const Real& real, MPI_Comm comm);

/// A team whose processes share a control page: much faster than the MPI library's barrier, private to one window, and
/// never waits for a process that has ended (Code::peer_lost). While it waits it lets the MPI library make progress.
[[nodiscard]] std::unique_ptr<Team> make_node_team(const Real& real, Mapping page, std::uint32_t rank,
                                                   std::uint32_t size);

/// Prepares a fresh (zeroed) control page for `processes`; done by one process before any of them makes its team.
void format_control_page(const Mapping& page, std::span<const format::ProcessIdentity> processes) noexcept;
/// Code::incompatible if the page is not one for `processes` processes made by this version.
[[nodiscard]] Status check_control_page(const Mapping& page, std::size_t processes);

/// The error for a failed call of the MPI library, with its text.
[[nodiscard]] Error mpi_error(const Real& real, std::string_view what, int code);

}  // namespace psnam::sync
