// The roles of checkpoint.py: a job that saves until it is killed, and one that finds what it has left.
#include <psnam_checkpoint.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "support/gated_memory.hpp"
#include "support/kill.hpp"
#include "support/nam_failure.hpp"
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

class Job : public ::testing::Test {
 protected:
  /// The data of a version tell it, and grow.
  void shape(std::uint64_t version) {
    data_.resize(100'000 + version / 4 * 50'000 + 90'001 * static_cast<std::size_t>(rank_));
  }
  [[nodiscard]] unsigned char byte(std::size_t i, std::uint64_t version) const {
    return static_cast<unsigned char>(i * 13 + i / 509 + static_cast<std::size_t>(rank_) * 37 + version * 59);
  }
  void fill(std::uint64_t version) {
    shape(version);
    step_ = version;
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i] = byte(i, version);
  }
  void register_data() {
    if (registered_) {
      ASSERT_EQ(psnam_checkpoint_unregister(checkpoint_, 2), 0) << nam_strerror();
    }
    registered_ = true;
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 2, data_.data(), data_.size()), 0) << nam_strerror();
  }
  void open() {
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    options.name = "killed";
    options.set_size = static_cast<std::int32_t>(number("set_size", 2));
    const std::string files = argument("files");
    options.to_file = files.empty() ? nullptr : files.c_str();
    checkpoint_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
    ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 1, &step_, sizeof step_), 0) << nam_strerror();
  }
  /// The newest complete version, which is none that was saved before the last one.
  void restore() {
    psnam_checkpoint_info_t info{};
    info.bytes = sizeof info;
    ASSERT_EQ(psnam_checkpoint_query(checkpoint_, &info), 0) << nam_strerror();
    std::uint64_t saved = 0;
    std::ifstream{argument("progress")} >> saved;
    ASSERT_GE(info.newest, saved) << "a version that was saved is gone";
    shape(info.newest);
    register_data();
    std::uint64_t version = 0;
    ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version, &source_), 0) << nam_strerror();
    ASSERT_EQ(version, info.newest);
    if (version == 0) return;
    EXPECT_EQ(step_, version);
    bool same = true;
    for (std::size_t i = 0; i < data_.size(); ++i) same = same && data_[i] == byte(i, version);
    ASSERT_TRUE(same) << "version " << version << " is not what was saved";
    version_ = version;
  }
  void save_next() {
    fill(version_ + 1);
    register_data();
    ASSERT_EQ(psnam_checkpoint_start(checkpoint_, 0), 0) << nam_strerror();
    ASSERT_EQ(psnam_checkpoint_wait(checkpoint_, &version_), 0) << nam_strerror();
    // Only what is known to be saved is written there.
    if (rank_ == 0) std::ofstream{argument("progress"), std::ios::trunc} << version_ << std::endl;
  }

  const int rank_ = world_rank();
  psnam_checkpoint_t* checkpoint_ = nullptr;
  bool registered_ = false;
  int source_ = -1;
  std::uint64_t version_ = 0;
  std::uint64_t step_ = 0;
  std::vector<unsigned char> data_;
};

using Saver = Job;
using Finder = Job;

TEST_F(Saver, GoesOnUntilItIsKilled) {
  const std::uint64_t victim = number("victim", ~std::uint64_t{0});
  MPI_Barrier(MPI_COMM_WORLD);
  if (victim == ~std::uint64_t{0} || victim == static_cast<std::uint64_t>(rank_)) {
    ASSERT_TRUE(kill_me_after(static_cast<long>(number("after_us")) * 1000));
  }
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore());
  for (int saved = 0; saved < 100'000; ++saved) ASSERT_NO_FATAL_FAILURE(save_next());
  FAIL() << "nobody was killed";
}

TEST_F(Saver, SavesSomeVersions) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore());
  for (std::uint64_t saved = 0; saved < number("versions", 3); ++saved) ASSERT_NO_FATAL_FAILURE(save_next());
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Finder, GetsTheNewestVersionBackAndGoesOn) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore());
  const bool lost = argument("lost").find(static_cast<char>('0' + rank_)) != std::string::npos;
  if (!argument("lost").empty()) {
    EXPECT_EQ(source_, lost ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
  }
  ASSERT_NO_FATAL_FAILURE(save_next());
  ASSERT_NO_FATAL_FAILURE(restore());
  EXPECT_EQ(source_, PSNAM_CHECKPOINT_OWN);
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Finder, IsToldWhoIsLostWhereTooManyAre) {
  ASSERT_NO_FATAL_FAILURE(open());
  std::uint64_t version = 0;
  errno = 0;
  EXPECT_EQ(psnam_checkpoint_restart(checkpoint_, &version, &source_), -1);
  EXPECT_EQ(errno, EPIPE) << nam_strerror();
  EXPECT_NE(std::string{nam_strerror()}.find(argument("message")), std::string::npos) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Finder, ComesBackFromFilesWhereNothingElseIs) {
  shape(number("version"));
  ASSERT_NO_FATAL_FAILURE(open());
  register_data();
  std::uint64_t version = 0;
  ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version, &source_), 0) << nam_strerror();
  ASSERT_EQ(version, number("version"));
  EXPECT_EQ(source_, PSNAM_CHECKPOINT_FILE);
  EXPECT_EQ(step_, version);
  for (std::size_t i = 0; i < data_.size(); ++i) ASSERT_EQ(data_[i], byte(i, version)) << i;
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Finder, GetsTheVersionThatIsLeft) {
  ASSERT_NO_FATAL_FAILURE(open());
  shape(number("version"));
  register_data();
  std::uint64_t version = number("version");
  ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version, &source_), 0) << nam_strerror();
  for (std::size_t i = 0; i < data_.size(); ++i) ASSERT_EQ(data_[i], byte(i, version)) << i;
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Finder, IsRefusedWhatCannotBeOpened) {
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  options.name = "killed";
  options.set_size = 2;
  constexpr psnam_checkpoint_t* kNone = nullptr;
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&options, MPI_COMM_WORLD), kNone, static_cast<int>(number("errno")),
                   argument("message"));
}

/// Stands where the script wants to look at it: while it has the series, and while it saves a version of which rank 0
/// has not given its data yet.
TEST_F(Saver, StandsInTheMiddleOfAVersion) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_NO_FATAL_FAILURE(restore());
  ASSERT_NO_FATAL_FAILURE(save_next());
  stop_at("saved");
  GatedMemory gate{200'000};
  ASSERT_EQ(psnam_checkpoint_unregister(checkpoint_, 2), 0) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 2, gate.bytes().data(), gate.bytes().size()), 0) << nam_strerror();
  if (rank_ == 0) gate.close();
  ASSERT_EQ(psnam_checkpoint_start(checkpoint_, 0), 0) << nam_strerror();
  stop_at("saving");
  EXPECT_NAM_FAILS(psnam_checkpoint_save(checkpoint_, 0), -1, EBUSY, "has not waited");
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version_, nullptr), -1, EBUSY, "has not waited");
  if (rank_ == 0) {
    EXPECT_EQ(psnam_checkpoint_test(checkpoint_), 0);
  }
  gate.open();
  ASSERT_EQ(psnam_checkpoint_wait(checkpoint_, nullptr), 0) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
}

TEST_F(Finder, RemovesEverything) {
  ASSERT_NO_FATAL_FAILURE(open());
  ASSERT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
