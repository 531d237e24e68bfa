#include "sync/progress.hpp"

namespace psnam::sync {
namespace {

/// The largest tag that every MPI library knows.
constexpr int kOutlyingTag = 32767;

}  // namespace

// MPI_Iprobe is the call that gets on and takes nothing from the program. But where it finds a message it says so and
// does no more: so it is asked for one that nobody sends, from this process to itself.
void make_progress(const Real& real) noexcept {
  int self = 0;
  int flag = 0;
  real.Comm_rank(MPI_COMM_WORLD, &self);
  real.Iprobe(self, kOutlyingTag, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
}

}  // namespace psnam::sync
