#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "sync/team.hpp"

namespace psnam::sync {
namespace {

constexpr std::size_t kMessageBytes = 1024;

/// An error on its way from one process to the others.
struct WireError {
  std::int32_t code;
  std::int32_t detail;
  std::uint32_t message_bytes;
  char message[kMessageBytes];
};

class OwnCommTeam final : public Team {
 public:
  OwnCommTeam(const Real& real, MPI_Comm comm, int rank, int size) noexcept
      : real_{real}, comm_{comm}, team_{real, comm, rank, size} {}
  ~OwnCommTeam() override { real_.Comm_free(&comm_); }

  Status barrier() override { return team_.barrier(); }
  Result<std::vector<std::uint64_t>> gather(std::uint64_t word) override { return team_.gather(word); }
  Status agree(Status mine) override { return team_.agree(std::move(mine)); }

 private:
  const Real& real_;
  MPI_Comm comm_;
  CommTeam team_;
};

}  // namespace

Error mpi_error(const Real& real, std::string_view what, int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  real.Error_string(code, text, &length);
  return Error{Code::mpi, fmt::format("{}: {}", what, std::string_view{text, static_cast<std::size_t>(length)}), code};
}

Status CommTeam::barrier() {
  if (const int rc = real_.Barrier(comm_); rc != MPI_SUCCESS) return mpi_error(real_, "MPI_Barrier", rc);
  return {};
}

Status CommTeam::gather_bytes(const void* mine, std::size_t bytes, void* all) {
  const int count = static_cast<int>(bytes);
  if (const int rc = real_.Allgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, comm_); rc != MPI_SUCCESS)
    return mpi_error(real_, "MPI_Allgather", rc);
  return {};
}

Status CommTeam::largest(std::vector<std::uint64_t>& words) {
  const std::vector<std::uint64_t> mine = words;
  const int rc =
      real_.Allreduce(mine.data(), words.data(), static_cast<int>(words.size()), MPI_UINT64_T, MPI_MAX, comm_);
  if (rc != MPI_SUCCESS) return mpi_error(real_, "MPI_Allreduce", rc);
  return {};
}

Status CommTeam::broadcast(void* data, std::size_t bytes, int root) {
  if (const int rc = real_.Bcast(data, static_cast<int>(bytes), MPI_BYTE, root, comm_); rc != MPI_SUCCESS)
    return mpi_error(real_, "MPI_Bcast", rc);
  return {};
}

Result<std::vector<std::uint64_t>> CommTeam::gather(std::uint64_t word) {
  std::vector<std::uint64_t> words(static_cast<std::size_t>(size_));
  PSNAM_CHECK(gather_bytes(&word, sizeof word, words.data()));
  return words;
}

Status CommTeam::agree(Status mine) {
  const int voice = mine ? INT_MAX : rank_;
  int lowest = INT_MAX;
  if (const int rc = real_.Allreduce(&voice, &lowest, 1, MPI_INT, MPI_MIN, comm_); rc != MPI_SUCCESS)
    return mpi_error(real_, "MPI_Allreduce", rc);
  if (lowest == INT_MAX) return {};
  WireError wire{};
  if (lowest == rank_) {
    const Error& error = mine.error();
    wire.code = static_cast<std::int32_t>(error.code);
    wire.detail = error.detail;
    wire.message_bytes = static_cast<std::uint32_t>(std::min(error.message.size(), kMessageBytes));
    std::memcpy(wire.message, error.message.data(), wire.message_bytes);
  }
  PSNAM_CHECK(broadcast(&wire, sizeof wire, lowest));
  return Error{static_cast<Code>(wire.code), std::string{wire.message, wire.message_bytes}, wire.detail};
}

Result<std::unique_ptr<Team>> make_own_comm_team(const Real& real, MPI_Comm comm) {
  MPI_Comm own = MPI_COMM_NULL;
  if (const int rc = real.Comm_dup(comm, &own); rc != MPI_SUCCESS) return mpi_error(real, "MPI_Comm_dup", rc);
  real.Comm_set_errhandler(own, MPI_ERRORS_RETURN);
  int rank = 0;
  int size = 0;
  real.Comm_rank(own, &rank);
  real.Comm_size(own, &size);
  return std::unique_ptr<Team>{std::make_unique<OwnCommTeam>(real, own, rank, size)};
}

}  // namespace psnam::sync
