// A job that saves managed checkpoints of parts of a table, over and over, until it is killed; each begins by getting
// back what the one before has left, whatever number of ranks that had. The table follows from the version and the
// place of an element alone, so that a mixture of two versions, or of two ranks' parts, is seen.
//
//   board=FILE rounds=N policy=BITS versions=N older=0|1
#include <psnam_checkpoint.h>

#include <algorithm>
#include <vector>

#include "parity_board.hpp"
#include "tools/arguments.hpp"

namespace psnam::test {
namespace {

constexpr std::uint64_t kRows = 840;  // divided by any number of ranks
constexpr std::uint64_t kColumns = 160;

class Managed : public ::testing::Test {
 protected:
  void SetUp() override {
    board_ = open_parity_board(argument("board"));
    ASSERT_NE(board_, nullptr);
    board_->pid[world_rank()].store(static_cast<std::uint32_t>(::getpid()));
    MPI_Barrier(MPI_COMM_WORLD);
  }
  void open() {
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    options.name = "kill";
    options.policy = static_cast<std::uint32_t>(number("policy"));
    options.set_size = 2;
    options.versions = static_cast<std::uint32_t>(number("versions"));
    if (number("older") != 0) options.flags = PSNAM_CHECKPOINT_OR_OLDER;
    checkpoint_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
    ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
    const auto ranks = static_cast<std::uint64_t>(world_size());
    const std::uint64_t sizes[2] = {kRows, kColumns};
    const std::uint64_t counts[2] = {kRows / ranks, kColumns};
    const std::uint64_t starts[2] = {counts[0] * static_cast<std::uint64_t>(world_rank()), 0};
    first_ = starts[0] * kColumns;
    table_.assign(counts[0] * kColumns, ~std::uint64_t{0});
    ASSERT_EQ(psnam_checkpoint_register_shared(checkpoint_, 1, &step_, sizeof step_), 0) << nam_strerror();
    ASSERT_EQ(
        psnam_checkpoint_register_part(checkpoint_, 2, table_.data(), sizeof(std::uint64_t), 2, sizes, counts, starts),
        0)
        << nam_strerror();
  }
  [[nodiscard]] std::uint64_t element(std::uint64_t version, std::size_t index) const {
    return (version << 32) + (first_ + index) * 2'654'435'761U % 4'294'967'291U;
  }
  /// A version that is no older than the last of which a job was told that it is saved.
  void restore(std::uint32_t told) {
    int source = 0;
    ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version_, &source), 0) << nam_strerror();
    ASSERT_TRUE(version_ >= told && version_ <= board_->begun.load())
        << "version " << version_ << " came back, and " << told << " was saved";
    if (version_ == 0) return;
    expect_right();
    if (number("versions") > 2) restore_each();
  }
  /// Every version that is said to be complete, and in the end the newest again. Where nodes are lost, a job of another
  /// number of ranks may be refused one of which it cannot use the parity; it gets nothing else for it then.
  void restore_each() {
    std::vector<std::uint64_t> versions(PSNAM_CHECKPOINT_MAX_VERSIONS);
    const int count = psnam_checkpoint_versions(checkpoint_, versions.data(), static_cast<int>(versions.size()));
    ASSERT_GE(count, 1) << nam_strerror();
    versions.resize(static_cast<std::size_t>(count));
    const std::uint64_t newest = version_;
    std::erase_if(versions, [&](std::uint64_t one) { return one > newest; });
    ASSERT_FALSE(versions.empty());
    ASSERT_EQ(versions.front(), newest);
    for (auto one = versions.rbegin(); one != versions.rend(); ++one) {
      const std::uint64_t step = step_;
      version_ = *one;
      if (psnam_checkpoint_restart(checkpoint_, &version_, nullptr) != 0) {
        ASSERT_TRUE(*one != newest && number("older") != 0) << *one << ": " << nam_strerror();
        ASSERT_EQ(step_, step);
        continue;
      }
      ASSERT_EQ(version_, *one);
      expect_right();
    }
  }
  void expect_right() const {
    ASSERT_EQ(step_, version_);
    for (std::size_t i = 0; i < table_.size(); ++i)
      ASSERT_EQ(table_[i], element(version_, i)) << "the data are wrong: element " << i << " of version " << version_;
  }
  void save_next() {
    // The number of a version that was given up is not given again.
    step_ = board_->begun.load() + 1;
    MPI_Barrier(MPI_COMM_WORLD);
    if (world_rank() == 0) board_->begun.store(static_cast<std::uint32_t>(step_));
    for (std::size_t i = 0; i < table_.size(); ++i) table_[i] = element(step_, i);
    MPI_Barrier(MPI_COMM_WORLD);
    is_in(ParityPhase::checkpoint);
    int done = psnam_checkpoint_start(checkpoint_, step_);
    is_in(ParityPhase::commit);
    if (done == 0) done = psnam_checkpoint_wait(checkpoint_, &version_);
    if (done != 0) {
      ADD_FAILURE() << nam_strerror();
      // Others may have heard that the version is complete, and wait for this rank.
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
    ASSERT_EQ(version_, step_);
    if (world_rank() == 0) board_->committed.store(static_cast<std::uint32_t>(version_));
    MPI_Barrier(MPI_COMM_WORLD);
    is_in(ParityPhase::idle);
  }
  void is_in(ParityPhase phase) { board_->phase[world_rank()].store(static_cast<std::uint32_t>(phase)); }

  ParityBoard* board_ = nullptr;
  psnam_checkpoint_t* checkpoint_ = nullptr;
  std::uint64_t version_ = 0, step_ = 0, first_ = 0;
  std::vector<std::uint64_t> table_;
};

TEST_F(Managed, SavesUntilItIsKilled) {
  const std::uint32_t told = board_->committed.load();
  MPI_Barrier(MPI_COMM_WORLD);
  is_in(ParityPhase::restart);
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore(told));
  is_in(ParityPhase::idle);
  MPI_Barrier(MPI_COMM_WORLD);
  if (world_rank() == 0) {
    board_->restored.fetch_add(1);
  }
  for (std::uint64_t rounds = number("rounds"); rounds > 0; --rounds) ASSERT_NO_FATAL_FAILURE(save_next());
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Managed, RemovesEverything) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
