// MPI_Comm_connect to a window that another job left, and the windows made from it.
#pragma once

#include <mpi.h>

#include <memory>
#include <vector>

#include "base/result.hpp"
#include "win/context.hpp"
#include "win/job.hpp"
#include "win/window.hpp"

namespace psnam::win {

/// What MPI_Comm_connect gives: a hold on a window, on every node of the connecting job. The communicator that carries
/// its handle is a duplicate of the connecting one.
class Connection {
 public:
  struct Parts {
    format::WindowRecord record;           ///< with the memory of the regions that this process has a seat for
    std::vector<Seat> seats;               ///< ascending by node
    std::vector<std::uint32_t> places;     ///< of the job, for each node of the record
    std::vector<RankIdentity> identities;  ///< of the connecting ranks
    int rank = 0;
    nam::AccessRight right = nam::AccessRight::read_write;
    MPI_Comm comm = MPI_COMM_NULL;
  };

  Connection(Context& context, Parts parts, Job job);

  [[nodiscard]] MPI_Comm comm() const noexcept { return parts_.comm; }
  /// Ranks of the job that made the window.
  [[nodiscard]] int remote_size() const noexcept { return static_cast<int>(parts_.record.regions.size()); }
  [[nodiscard]] const format::WindowRecord& record() const noexcept { return parts_.record; }

  /// MPI_Win_create_dynamic on the handle: collective over the connecting ranks.
  Result<std::unique_ptr<Window>> make_window(MPI_Info info);

  /// Ends the hold; windows made from it stay.
  Status release();

 private:
  Context& context_;
  Parts parts_;
  Job job_;
};

struct ConnectRequest {
  const char* port_name = nullptr;  ///< at root
  MPI_Info info = MPI_INFO_NULL;    ///< at root
  int root = 0;
  MPI_Comm comm = MPI_COMM_NULL;
};

/// The connection, or null if root does not ask for a window, or an error, the same on all ranks. Collective.
[[nodiscard]] Result<std::unique_ptr<Connection>> connect_window(Context& context, const ConnectRequest& request);

}  // namespace psnam::win
