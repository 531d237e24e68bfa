// The roles of spread.py: jobs of different numbers of ranks, and of different divisions of a table, that go on with
// each other's versions, until they are killed or to the end.
#include <psnam_checkpoint.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/kill.hpp"
#include "tools/arguments.hpp"

namespace psnam::test {
namespace {

constexpr std::uint64_t kRows = 120;

class Spread : public ::testing::Test {
 protected:
  /// A grid of ranks, as flat as the argument says; the table has a block for each.
  void divide() {
    const auto ranks = static_cast<std::uint64_t>(world_size()), rank = static_cast<std::uint64_t>(world_rank());
    const std::uint64_t across = number("across", 1), down = ranks / across;
    const auto cut = [](std::uint64_t size, std::uint64_t pieces, std::uint64_t piece) {
      return std::pair{size * piece / pieces, size * (piece + 1) / pieces - size * piece / pieces};
    };
    std::tie(starts_[0], counts_[0]) = cut(kRows, down, rank / across);
    std::tie(starts_[1], counts_[1]) = cut(columns_, across, rank % across);
    table_.resize(counts_[0] * counts_[1]);
  }
  void open() {
    divide();
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    const std::string folder = argument("folder");
    options.name = "spread";
    options.set_size = static_cast<std::int32_t>(number("set_size", 2));
    options.policy = static_cast<std::uint32_t>(number("policy", PSNAM_CHECKPOINT_BY_PARITY));
    if (!folder.empty()) options.to_file = folder.c_str();
    checkpoint_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
    ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
    const std::uint64_t sizes[2] = {kRows, columns_};
    ASSERT_EQ(psnam_checkpoint_register_shared(checkpoint_, 1, &step_, sizeof step_), 0) << nam_strerror();
    ASSERT_EQ(psnam_checkpoint_register_part(checkpoint_, 2, table_.data(), sizeof(std::uint64_t), 2, sizes,
                                             counts_.data(), starts_.data()),
              0)
        << nam_strerror();
  }
  [[nodiscard]] std::uint64_t element(std::uint64_t i, std::uint64_t version) const {
    return ((starts_[0] + i / counts_[1]) * columns_ + starts_[1] + i % counts_[1]) * 1'000'003 + version;
  }
  /// The newest complete version, which is none that was saved before the last one.
  void restore() {
    psnam_checkpoint_info_t info{};
    info.bytes = sizeof info;
    ASSERT_EQ(psnam_checkpoint_query(checkpoint_, &info), 0) << nam_strerror();
    std::uint64_t saved = 0;
    std::ifstream{argument("progress")} >> saved;
    ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version_, &source_), 0) << nam_strerror();
    ASSERT_GE(version_, saved) << "a version that was saved is gone";
    if (info.newest != 0) {
      ASSERT_EQ(version_, info.newest);
    }
    if (version_ == 0) return;
    EXPECT_EQ(step_, version_);
    bool same = true;
    for (std::uint64_t i = 0; i < table_.size(); ++i) same = same && table_[i] == element(i, version_);
    ASSERT_TRUE(same) << "version " << version_ << " is not what was saved";
  }
  void save_next() {
    step_ = version_ + 1;
    for (std::uint64_t i = 0; i < table_.size(); ++i) table_[i] = element(i, step_);
    ASSERT_EQ(psnam_checkpoint_save(checkpoint_, 0), 0) << nam_strerror();
    version_ = step_;
    // Only what is known to be saved is written there.
    if (world_rank() == 0) std::ofstream{argument("progress"), std::ios::trunc} << version_ << std::endl;
  }

  const std::uint64_t columns_ = number("columns", 700);
  psnam_checkpoint_t* checkpoint_ = nullptr;
  int source_ = -1;
  std::uint64_t version_ = 0, step_ = 0;
  std::array<std::uint64_t, 2> starts_{}, counts_{};
  std::vector<std::uint64_t> table_;
};

TEST_F(Spread, GoesOnUntilItIsKilled) {
  const std::uint64_t victim = number("victim", ~std::uint64_t{0});
  MPI_Barrier(MPI_COMM_WORLD);
  if (victim == ~std::uint64_t{0} || victim == static_cast<std::uint64_t>(world_rank())) {
    ASSERT_TRUE(kill_me_after(static_cast<long>(number("after_us")) * 1000));
  }
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore());
  for (int saved = 0; saved < 100'000; ++saved) ASSERT_NO_FATAL_FAILURE(save_next());
  FAIL() << "nobody was killed";
}

TEST_F(Spread, GoesOnForSomeVersions) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore());
  if (!argument("source").empty()) {
    EXPECT_EQ(source_, static_cast<int>(number("source")));
  }
  for (std::uint64_t saved = 0; saved < number("versions", 2); ++saved) ASSERT_NO_FATAL_FAILURE(save_next());
  if (number("flush") != 0) {
    ASSERT_EQ(psnam_checkpoint_flush(checkpoint_), 0) << nam_strerror();
  }
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Spread, IsToldWhatIsLost) {
  ASSERT_NO_FATAL_FAILURE(open());
  std::uint64_t version = 0;
  errno = 0;
  EXPECT_EQ(psnam_checkpoint_restart(checkpoint_, &version, &source_), -1);
  EXPECT_EQ(errno, EPIPE) << nam_strerror();
  EXPECT_NE(std::string{nam_strerror()}.find(argument("message")), std::string::npos) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Spread, RemovesEverything) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
