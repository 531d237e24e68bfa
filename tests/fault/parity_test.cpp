// A job that makes checkpoints by parity, over and over, until it is killed; each begins by getting the data of a lost
// rank back from what the one before has left. The data follow from the version, so that all of them are known.
#include <nam_ext.h>
#include <stdlib.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "mpi/mpi_test.hpp"
#include "parity_board.hpp"
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

using Bytes = std::vector<unsigned char>;

class Parity : public ::testing::Test {
 protected:
  void SetUp() override {
    board_ = open_parity_board(argument("board"));
    ASSERT_NE(board_, nullptr);
    board_->pid[rank_].store(static_cast<std::uint32_t>(::getpid()));
    MPI_Barrier(MPI_COMM_WORLD);
  }
  [[nodiscard]] Bytes data(std::uint32_t version) const {
    // Uneven, and larger every now and then, so that the area is moved.
    Bytes all(100'000 + static_cast<std::size_t>(rank_) * 70'001 + version / 64 * 50'000);
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<unsigned char>(i * 13 + i / 255 + version * 101 + static_cast<std::size_t>(rank_) * 7);
    return all;
  }
  void is_in(ParityPhase phase) { board_->phase[rank_].store(static_cast<std::uint32_t>(phase)); }

  /// The newest version: it is that which was told, or the one after it.
  [[nodiscard]] std::uint32_t restore(nam_ext_allocation_t* set, std::uint32_t told, bool lost) {
    for (std::uint32_t version : {told + 1, told}) {
      const Bytes wanted = data(version);
      Bytes mine = lost ? Bytes(wanted.size(), 0xee) : wanted;
      const int done = nam_restart_sync(mine.data(), mine.size(), lost ? 0 : 1, set);
      int all_done = 0;
      const int is_done = done == 0;
      MPI_Allreduce(&is_done, &all_done, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
      if (all_done == 0) continue;
      EXPECT_TRUE(mine == wanted) << "the data are wrong: version " << version;
      return version;
    }
    if (told != 0) ADD_FAILURE() << "neither version " << told << " nor the next is there: " << nam_strerror();
    return 0;
  }

  const int rank_ = world_rank();
  ParityBoard* board_ = nullptr;
};

TEST_F(Parity, SavesUntilItIsKilled) {
  const std::uint32_t told = board_->committed.load();
  const bool lost = rank_ == std::stoi(argument("lost"));
  MPI_Barrier(MPI_COMM_WORLD);
  is_in(ParityPhase::restart);
  nam_ext_allocation_t* set = nam_reuse_cprs(0, MPI_COMM_WORLD);
  if (set == nullptr && told == 0)
    set = nam_alloc_cprs_named("kill", std::stoi(argument("parities")), 0, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  std::uint32_t version = restore(set, told, lost);
  if (HasFailure()) return;
  if (rank_ == 0) board_->restored.fetch_add(1);
  for (int rounds = std::stoi(argument("rounds")); rounds > 0; --rounds) {
    is_in(ParityPhase::idle);
    const Bytes mine = data(++version);
    MPI_Barrier(MPI_COMM_WORLD);
    is_in(ParityPhase::checkpoint);
    if (nam_checkpoint_sync(mine.data(), mine.size(), set) != 0) {
      ADD_FAILURE() << nam_strerror();
      // Others may have heard that the version is complete, and wait for this rank.
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    if (rank_ == 0) board_->committed.store(version);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  is_in(ParityPhase::idle);
}

}  // namespace
}  // namespace psnam::test
