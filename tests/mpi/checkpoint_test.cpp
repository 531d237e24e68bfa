// Managed checkpoints over real ranks, with the least thread level. Nothing is preloaded.
#include <psnam_checkpoint.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "mpi/mpi_test.hpp"
#include "support/copy_files.hpp"
#include "support/nam_failure.hpp"

namespace psnam::test {
namespace {

using Bytes = std::vector<unsigned char>;
constexpr psnam_checkpoint_t* kNone = nullptr;

class Managed : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const folder = ::getenv("PSNAM_STORE");
    ASSERT_NE(folder, nullptr);
    store_ = folder;
    MPI_Barrier(MPI_COMM_WORLD);
  }
  void TearDown() override {
    if (checkpoint_ != nullptr) {
      EXPECT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
    }
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT_TRUE(copy_files(store_).empty());
    EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
    MPI_Barrier(MPI_COMM_WORLD);
  }

  [[nodiscard]] static psnam_checkpoint_options_t options(const char* name, int parities = 1, int set_size = 0) {
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    options.name = name;
    options.parities = parities;
    options.set_size = set_size;
    return options;
  }
  void open(const psnam_checkpoint_options_t& options) {
    checkpoint_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
    ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
    register_all();
  }
  /// As a later job does.
  void open_again(const psnam_checkpoint_options_t& options) {
    ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
    checkpoint_ = nullptr;
    MPI_Barrier(MPI_COMM_WORLD);
    ASSERT_EQ(nam_finalize(), 0) << nam_strerror();
    fill(1000);
    MPI_Barrier(MPI_COMM_WORLD);
    open(options);
  }
  void register_all() {
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 1, &step_, sizeof step_), 0) << nam_strerror();
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 7, large_.data(), large_.size()), 0) << nam_strerror();
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 8, blocks_.data(), blocks_.size()), 0) << nam_strerror();
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 9, nullptr, 0), 0) << nam_strerror();
  }
  [[nodiscard]] unsigned char byte(std::size_t i, std::uint64_t version) const {
    return static_cast<unsigned char>(i * 7 + i / 251 + static_cast<std::size_t>(31 * rank_) + 101 * version);
  }
  void fill(std::uint64_t version) {
    step_ = version * 1000 + static_cast<std::uint64_t>(rank_);
    for (std::size_t i = 0; i < large_.size(); ++i) large_[i] = byte(i, version);
    for (std::size_t i = 0; i < blocks_.size(); ++i) blocks_[i] = byte(i + 3, version);
  }
  void expect_filled(std::uint64_t version) const {
    EXPECT_EQ(step_, version * 1000 + static_cast<std::uint64_t>(rank_));
    bool same = true;
    for (std::size_t i = 0; i < large_.size(); ++i) same = same && large_[i] == byte(i, version);
    for (std::size_t i = 0; i < blocks_.size(); ++i) same = same && blocks_[i] == byte(i + 3, version);
    EXPECT_TRUE(same) << "version " << version;
  }
  void save(std::uint64_t version) {
    fill(version);
    ASSERT_EQ(psnam_checkpoint_save(checkpoint_, version), 0) << nam_strerror();
  }
  void expect_restored(std::uint64_t version, int source, std::uint64_t asked = 0) {
    fill(1000);
    int got = -1;
    std::uint64_t number = asked;
    ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &number, &got), 0) << nam_strerror();
    EXPECT_EQ(number, version);
    EXPECT_EQ(got, source);
    expect_filled(version);
  }
  /// Done by rank 0, between barriers.
  template <class Body>
  void meanwhile(Body body) {
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank_ == 0) body();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  [[nodiscard]] psnam_checkpoint_info_t info() {
    psnam_checkpoint_info_t info{};
    info.bytes = sizeof info;
    EXPECT_EQ(psnam_checkpoint_query(checkpoint_, &info), 0) << nam_strerror();
    return info;
  }

  const int rank_ = world_rank();
  const int ranks_ = world_size();
  std::filesystem::path store_;
  psnam_checkpoint_t* checkpoint_ = nullptr;
  std::uint64_t step_ = 0;
  Bytes large_ = Bytes(200'003 + 70'001 * static_cast<std::size_t>(rank_));
  Bytes blocks_ = Bytes(rank_ == 1 ? 0 : 131'072);
};

TEST_F(Managed, AFirstStartGetsNothingAndALaterJobItsOwnCopies) {
  ASSERT_NO_FATAL_FAILURE(open(options("first")));
  int source = -1;
  std::uint64_t version = 0;
  fill(5);
  ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version, &source), 0) << nam_strerror();
  EXPECT_EQ(version, 0U);
  EXPECT_EQ(source, PSNAM_CHECKPOINT_NOTHING);
  expect_filled(5);
  for (const std::uint64_t number : {1U, 2U, 5U}) ASSERT_NO_FATAL_FAILURE(save(number));
  EXPECT_EQ(info().newest, 5U);
  EXPECT_EQ(info().older, 2U);
  ASSERT_NO_FATAL_FAILURE(open_again(options("first")));
  expect_restored(5, PSNAM_CHECKPOINT_OWN);
  expect_restored(2, PSNAM_CHECKPOINT_OWN, 2);
  EXPECT_EQ(info().restored, 2U);
  ASSERT_NO_FATAL_FAILURE(save(6));
  expect_restored(6, PSNAM_CHECKPOINT_OWN);
}

TEST_F(Managed, EachRankThatHasLostItsCopyGetsItBackAndHasItThen) {
  ASSERT_NO_FATAL_FAILURE(open(options("lost")));
  ASSERT_NO_FATAL_FAILURE(save(1));
  ASSERT_NO_FATAL_FAILURE(save(2));
  for (int lost = 0; lost < ranks_; ++lost) {
    meanwhile([&] { lose_copies(store_, lost); });
    EXPECT_EQ(info().lost, 1);
    ASSERT_NO_FATAL_FAILURE(open_again(options("lost")));
    expect_restored(2, rank_ == lost ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
    EXPECT_EQ(info().lost, 0);
    expect_restored(2, PSNAM_CHECKPOINT_OWN);
  }
}

TEST_F(Managed, MoreLostThanParitiesIsToldAndTheOlderVersionOffered) {
  if (ranks_ < 2) return;
  ASSERT_NO_FATAL_FAILURE(open(options("more")));
  ASSERT_NO_FATAL_FAILURE(save(1));
  ASSERT_NO_FATAL_FAILURE(save(2));
  meanwhile([&] {
    for (const int rank : {0, 1}) lose_copies(store_, rank, 2);
  });
  fill(77);
  std::uint64_t version = 0;
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version, nullptr), -1, EPIPE,
                   "ranks 0, 1 are lost, and 1 rank of a set can be made again at most; version 1 is complete");
  expect_filled(77);
  EXPECT_NAM_FAILS((version = 2, psnam_checkpoint_restart(checkpoint_, &version, nullptr)), -1, EPIPE, "ranks 0, 1");
  expect_restored(1, PSNAM_CHECKPOINT_OWN, 1);
  psnam_checkpoint_options_t older = options("more");
  older.flags = PSNAM_CHECKPOINT_OR_OLDER;
  ASSERT_NO_FATAL_FAILURE(open_again(older));
  expect_restored(1, PSNAM_CHECKPOINT_OWN);
  ASSERT_NO_FATAL_FAILURE(save(2));
  expect_restored(2, PSNAM_CHECKPOINT_OWN);
}

TEST_F(Managed, AsManyAreRebuiltAsThereAreParities) {
  if (ranks_ < 3) return;
  ASSERT_NO_FATAL_FAILURE(open(options("two", 2)));
  ASSERT_NO_FATAL_FAILURE(save(4));
  meanwhile([&] {
    for (const int rank : {0, 2}) lose_copies(store_, rank);
  });
  expect_restored(4, rank_ == 0 || rank_ == 2 ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
}

TEST_F(Managed, ParityThatIsGoneIsMadeAnewFromTheCopies) {
  for (int parities = 1; parities <= std::min(2, ranks_); ++parities) {
    ASSERT_NO_FATAL_FAILURE(open(options("anew", parities)));
    ASSERT_NO_FATAL_FAILURE(save(1));
    ASSERT_NO_FATAL_FAILURE(save(2));
    meanwhile([&] { lose_parity(store_); });
    ASSERT_NO_FATAL_FAILURE(open_again(options("anew", parities)));
    expect_restored(2, PSNAM_CHECKPOINT_OWN);
    meanwhile([&] {
      for (int rank = 0; rank < parities; ++rank) lose_copies(store_, rank);
    });
    expect_restored(2, rank_ < parities ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
    ASSERT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
    checkpoint_ = nullptr;
  }
}

TEST_F(Managed, DamagedCopiesAreRepairedAndNeverGivenOut) {
  ASSERT_NO_FATAL_FAILURE(open(options("damaged")));
  ASSERT_NO_FATAL_FAILURE(save(3));
  const int last = ranks_ - 1;
  meanwhile([&] { damage_copy(store_, last, 3, 66'000); });
  expect_restored(3, rank_ == last ? PSNAM_CHECKPOINT_REPAIRED : PSNAM_CHECKPOINT_OWN);
  expect_restored(3, PSNAM_CHECKPOINT_OWN);
  // A header that is not as it was written is no copy.
  meanwhile([&] {
    for (const CopyFile& copy : copy_files(store_, last)) change_byte(copy.path, 40);
  });
  expect_restored(3, rank_ == last ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
  if (ranks_ < 2) return;
  // The same block of two ranks is too much for one parity.
  meanwhile([&] {
    for (const int rank : {0, 1}) damage_copy(store_, rank, 3, 100);
  });
  fill(8);
  std::uint64_t version = 0;
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version, nullptr), -1, EIO, "block 0");
  expect_filled(8);
}

TEST_F(Managed, EachSetRebuildsItsOwn) {
  if (ranks_ < 3) return;
  ASSERT_NO_FATAL_FAILURE(open(options("sets", 1, 2)));
  const psnam_checkpoint_info_t mine = info();
  EXPECT_EQ(mine.sets, (ranks_ + 1) / 2);
  EXPECT_LE(mine.members, 2);
  ASSERT_NO_FATAL_FAILURE(save(1));
  ASSERT_NO_FATAL_FAILURE(save(2));
  // One of each set.
  std::vector<int> sets(static_cast<std::size_t>(ranks_)), members(sets);
  MPI_Allgather(&mine.set, 1, MPI_INT, sets.data(), 1, MPI_INT, MPI_COMM_WORLD);
  MPI_Allgather(&mine.member, 1, MPI_INT, members.data(), 1, MPI_INT, MPI_COMM_WORLD);
  meanwhile([&] {
    for (int rank = 0; rank < ranks_; ++rank)
      if (members[static_cast<std::size_t>(rank)] == 0) lose_copies(store_, rank);
  });
  ASSERT_NO_FATAL_FAILURE(open_again(options("sets", 1, 2)));
  expect_restored(2, mine.member == 0 ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
}

TEST_F(Managed, TheProgramGoesOnWhileAVersionIsSaved) {
  int provided = 0;
  MPI_Query_thread(&provided);
  ASSERT_EQ(provided, MPI_THREAD_SINGLE);
  ASSERT_NO_FATAL_FAILURE(open(options("async")));
  for (const std::uint64_t number : {1U, 2U, 3U}) {
    fill(number);
    ASSERT_EQ(psnam_checkpoint_start(checkpoint_, 0), 0) << nam_strerror();
    int sum = 0;
    MPI_Allreduce(&rank_, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    EXPECT_NAM_FAILS(psnam_checkpoint_register(checkpoint_, 50, &sum, sizeof sum), -1, EBUSY, "is being saved");
    EXPECT_NAM_FAILS(psnam_checkpoint_save(checkpoint_, 0), -1, EBUSY, "has not waited");
    EXPECT_NAM_FAILS(psnam_checkpoint_close(checkpoint_), -1, EBUSY, "has not waited");
    while (psnam_checkpoint_test(checkpoint_) == 0) MPI_Barrier(MPI_COMM_SELF);
    std::uint64_t saved = 0;
    ASSERT_EQ(psnam_checkpoint_wait(checkpoint_, &saved), 0) << nam_strerror();
    EXPECT_EQ(saved, number);
    expect_restored(number, PSNAM_CHECKPOINT_OWN);
  }
  EXPECT_NAM_FAILS(psnam_checkpoint_wait(checkpoint_, nullptr), -1, EINVAL, "no version is being saved");
}

TEST_F(Managed, DataGrowAndShrink) {
  ASSERT_NO_FATAL_FAILURE(open(options("grow")));
  std::uint64_t version = 0;
  for (const std::size_t bytes :
       {std::size_t{10}, std::size_t{3'000'000}, std::size_t{65'536}, std::size_t{0}, std::size_t{9'000'001}}) {
    ASSERT_EQ(psnam_checkpoint_unregister(checkpoint_, 7), 0) << nam_strerror();
    large_ = Bytes(bytes + static_cast<std::size_t>(rank_));
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 7, large_.data(), large_.size()), 0) << nam_strerror();
    ASSERT_NO_FATAL_FAILURE(save(++version));
    const int lost = static_cast<int>(version) % ranks_;
    meanwhile([&] { lose_copies(store_, lost); });
    expect_restored(version, rank_ == lost ? PSNAM_CHECKPOINT_REBUILT : PSNAM_CHECKPOINT_OWN);
  }
}

TEST_F(Managed, WhereAllMemoryIsGoneFilesAreRead) {
  const std::string folder = store_.string() + "-files";
  psnam_checkpoint_options_t to_file = options("a/b%");
  to_file.to_file = folder.c_str();
  ASSERT_NO_FATAL_FAILURE(open(to_file));
  for (const std::uint64_t number : {1U, 2U, 3U}) ASSERT_NO_FATAL_FAILURE(save(number));
  ASSERT_NO_FATAL_FAILURE(open_again(to_file));
  expect_restored(3, PSNAM_CHECKPOINT_OWN);
  const auto files = [&] {
    const auto all = std::filesystem::directory_iterator{folder};
    return static_cast<int>(
        std::count_if(begin(all), end(all), [](const auto& entry) { return entry.is_regular_file(); }));
  };
  meanwhile([&] {
    EXPECT_EQ(files(), 2 * ranks_);
    for (int rank = 0; rank < ranks_; ++rank) lose_copies(store_, rank);
  });
  if (ranks_ > 1) {
    expect_restored(3, PSNAM_CHECKPOINT_FILE);
  } else {
    expect_restored(3, PSNAM_CHECKPOINT_REBUILT);
  }
  expect_restored(3, PSNAM_CHECKPOINT_OWN);
  // A file that was changed is not believed: the version before it is had.
  meanwhile([&] {
    for (int rank = 0; rank < ranks_; ++rank) lose_copies(store_, rank);
    for (const auto& entry : std::filesystem::directory_iterator{folder})
      if (entry.path().filename().string().starts_with("a%2fb%25.3.")) change_byte(entry.path(), 70'000);
  });
  if (ranks_ > 1) expect_restored(2, PSNAM_CHECKPOINT_FILE);
  ASSERT_NO_FATAL_FAILURE(save(4));
  EXPECT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror();
  checkpoint_ = nullptr;
  meanwhile([&] { EXPECT_EQ(files(), 0); });
}

TEST_F(Managed, EachVersionThatIsKeptCanBeAskedFor) {
  psnam_checkpoint_options_t four = options("four");
  four.versions = 4;
  ASSERT_NO_FATAL_FAILURE(open(four));
  EXPECT_EQ(psnam_checkpoint_versions(checkpoint_, nullptr, 0), 0) << nam_strerror();
  for (std::uint64_t version = 1; version <= 6; ++version) ASSERT_NO_FATAL_FAILURE(save(version));
  ASSERT_NO_FATAL_FAILURE(open_again(four));
  std::vector<std::uint64_t> versions(PSNAM_CHECKPOINT_MAX_VERSIONS);
  ASSERT_EQ(psnam_checkpoint_versions(checkpoint_, versions.data(), static_cast<int>(versions.size())), 4)
      << nam_strerror();
  EXPECT_EQ(versions, (std::vector<std::uint64_t>{6, 5, 4, 3, 0, 0, 0, 0}));
  EXPECT_EQ(psnam_checkpoint_versions(checkpoint_, versions.data(), 1), 4) << nam_strerror();
  for (const std::uint64_t asked : {3U, 5U, 4U, 6U}) {
    std::uint64_t version = asked;
    ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version, nullptr), 0) << nam_strerror();
    EXPECT_EQ(version, asked);
    expect_filled(asked);
  }
  std::uint64_t gone = 2;
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &gone, nullptr), -1, ENOENT, "version 2");
  EXPECT_NAM_FAILS(psnam_checkpoint_versions(checkpoint_, versions.data(), -1), -1, EINVAL, "-1 versions");
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
  psnam_checkpoint_options_t nine = four;
  nine.versions = 9;
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&nine, MPI_COMM_WORLD), kNone, EINVAL, "9 versions: 2 to 8");
  nine.versions = 0;  // as programs say that know of no choice
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&nine, MPI_COMM_WORLD), kNone, EINVAL, "keep 4 versions, 2 are asked for");
  ASSERT_NO_FATAL_FAILURE(open(four));
}

/// Of the MPI library itself: nothing is preloaded here.
TEST_F(Managed, AWholeWindowIsSavedAndRestored) {
  const MPI_Aint bytes = 1024 + 65'536 * rank_;
  unsigned char* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(bytes, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  ASSERT_NO_FATAL_FAILURE(open(options("window")));
  ASSERT_EQ(psnam_checkpoint_register_window(checkpoint_, 20, win), 0) << nam_strerror();
  MPI_Win_fence(0, win);
  std::fill_n(base, bytes, static_cast<unsigned char>(7 + rank_));
  const unsigned char mark = 99;
  MPI_Win_fence(0, win);
  ASSERT_EQ(MPI_Put(&mark, 1, MPI_BYTE, (rank_ + 1) % ranks_, 999, 1, MPI_BYTE, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  ASSERT_NO_FATAL_FAILURE(save(1));
  std::fill_n(base, bytes, static_cast<unsigned char>(0));
  std::uint64_t version = 0;
  ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &version, nullptr), 0) << nam_strerror();
  for (MPI_Aint i = 0; i < bytes; ++i) EXPECT_EQ(base[i], i == 999 ? mark : 7 + rank_) << i;
  ASSERT_EQ(psnam_checkpoint_unregister(checkpoint_, 20), 0) << nam_strerror();
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST_F(Managed, OtherRegionsThanWereSavedAreRefusedOnAllRanks) {
  ASSERT_NO_FATAL_FAILURE(open(options("regions")));
  ASSERT_NO_FATAL_FAILURE(save(1));
  const int last = ranks_ - 1;
  std::uint64_t version = 0;
  if (rank_ == last) {
    ASSERT_EQ(psnam_checkpoint_unregister(checkpoint_, 1), 0);
  }
  fill(9);
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version, nullptr), -1, EINVAL,
                   "region 1 of 8 bytes was saved and is not registered");
  if (rank_ == last) {
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 1, &step_, 4), 0);
  }
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version, nullptr), -1, EINVAL,
                   "region 1 had 8 bytes when it was saved and is registered with 4");
  expect_filled(9);
  if (rank_ == last) {
    ASSERT_EQ(psnam_checkpoint_unregister(checkpoint_, 1), 0);
    ASSERT_EQ(psnam_checkpoint_register(checkpoint_, 1, &step_, sizeof step_), 0);
  }
  expect_restored(1, PSNAM_CHECKPOINT_OWN);
}

TEST_F(Managed, WrongUseIsRefusedOnAllRanksAlike) {
  EXPECT_NAM_FAILS(psnam_checkpoint_open(nullptr, MPI_COMM_WORLD), kNone, EINVAL, "NULL");
  auto wrong = options("wrong", 0);
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&wrong, MPI_COMM_WORLD), kNone, EINVAL, "0 parities");
  wrong = options(rank_ == 0 ? "" : "wrong");
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&wrong, MPI_COMM_WORLD), kNone, EINVAL, "name of 1 to 127");
  wrong = options("wrong");
  wrong.bytes += 8;
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&wrong, MPI_COMM_WORLD), kNone, EPROTO, "options of");
  if (ranks_ > 1) {
    wrong = options(rank_ == 0 ? "wrong" : "other");
    EXPECT_NAM_FAILS(psnam_checkpoint_open(&wrong, MPI_COMM_WORLD), kNone, EINVAL, "\"other\" on rank 1");
  }
  EXPECT_NAM_FAILS(psnam_checkpoint_save(nullptr, 0), -1, EINVAL, "NULL");
  ASSERT_NO_FATAL_FAILURE(open(options("use")));
  EXPECT_NAM_FAILS(psnam_checkpoint_register(checkpoint_, 1, &step_, 8), -1, EBUSY, "registered already");
  EXPECT_NAM_FAILS(psnam_checkpoint_register(checkpoint_, 2, nullptr, 8), -1, EINVAL, "8 bytes at null");
  EXPECT_NAM_FAILS(psnam_checkpoint_unregister(checkpoint_, 2), -1, ENOENT, "not registered");
  ASSERT_NO_FATAL_FAILURE(save(5));
  EXPECT_NAM_FAILS(psnam_checkpoint_save(checkpoint_, 5), -1, EINVAL, "version 5 is complete");
  std::uint64_t version = 4;
  EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version, nullptr), -1, ENOENT, "the newest is 5");
  version = static_cast<std::uint64_t>(rank_);
  if (ranks_ > 1) {
    EXPECT_NAM_FAILS(psnam_checkpoint_restart(checkpoint_, &version, nullptr), -1, EINVAL, "rank 1");
  }
  wrong = options("use", 2);
  MPI_Barrier(MPI_COMM_WORLD);
  ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror();
  EXPECT_NAM_FAILS(psnam_checkpoint_save(checkpoint_, 0), -1, EINVAL, "no handle");
  EXPECT_NAM_FAILS(psnam_checkpoint_open(&wrong, MPI_COMM_WORLD), kNone, EINVAL, "have 1 parities, 2 are asked for");
  ASSERT_NO_FATAL_FAILURE(open(options("use")));
}

}  // namespace
}  // namespace psnam::test
