// The checkpoint functions of nam_ext.h over real ranks, with the least thread level. Nothing is preloaded.
#include <nam_ext.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "mpi/libnam_fixture.hpp"
#include "support/gated_memory.hpp"
#include "support/nam_failure.hpp"

namespace psnam::test {
namespace {

constexpr nam_ext_allocation_t* kNoSet = nullptr;
using Bytes = std::vector<unsigned char>;

class Checkpoints : public LibnamTest {
 protected:
  void TearDown() override {
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank_ == 0) {
      EXPECT_EQ(nam_delete_all_ext_allocations(), 0) << "a set was left";
    }
    LibnamTest::TearDown();
  }
  /// Uneven, more than one block, and nothing at all of rank 1.
  [[nodiscard]] std::size_t bytes(int rank) const {
    return rank == 1 ? 0 : 150'001 + static_cast<std::size_t>(rank) * 40'003;
  }
  [[nodiscard]] Bytes data(int version, int rank) const {
    Bytes all(bytes(rank));
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<unsigned char>(i * 7 + i / 251 + static_cast<std::size_t>(31 * rank + 101 * version));
    return all;
  }
  [[nodiscard]] Bytes data(int version) const { return data(version, rank_); }
  void save(int version, nam_ext_allocation_t* set) const {
    const Bytes mine = data(version);
    ASSERT_EQ(nam_checkpoint_sync(mine.data(), mine.size(), set), 0) << nam_strerror();
  }
  /// Loses the data of the ranks of `lost` and gets those of `version` back.
  void expect_restored(int version, const std::vector<int>& lost, nam_ext_allocation_t* set) const {
    const bool is_lost = std::ranges::find(lost, rank_) != lost.end();
    Bytes mine = is_lost ? Bytes(bytes(rank_), 0xee) : data(version);
    ASSERT_EQ(nam_restart_sync(mine.data(), mine.size(), is_lost ? 0 : 1, set), 0) << nam_strerror();
    EXPECT_TRUE(mine == data(version)) << "version " << version;
  }
  [[nodiscard]] std::size_t files() const {
    std::size_t count = 0;
    if (std::filesystem::exists(home() / ".libNAM"))
      for (const auto& entry : std::filesystem::directory_iterator{home() / ".libNAM"})
        count += entry.is_regular_file();
    return count;
  }
};

TEST_F(Checkpoints, EachRankThatIsLostComesBack) {
  nam_ext_allocation_t* const set = nam_alloc_cprs(ranks_ - 1, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  EXPECT_EQ(set->ranks, ranks_);
  EXPECT_EQ(set->rank, rank_);
  EXPECT_EQ(set->allocation, nullptr);
  EXPECT_GE(nam_get_max_bytes(set), bytes(3));
  for (int version = 1; version <= 3; ++version) {
    ASSERT_NO_FATAL_FAILURE(save(version, set));
    expect_restored(version, {}, set);
    for (int lost = 0; lost < ranks_; ++lost) expect_restored(version, {lost}, set);
  }
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  EXPECT_EQ(files(), 0U);
}

TEST_F(Checkpoints, AsManyAreRebuiltAsThereAreParitiesAndNotOneMore) {
  if (ranks_ < 3) return;
  nam_ext_allocation_t* const set = nam_alloc_cprs_named("two", 2, 1000, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  ASSERT_NO_FATAL_FAILURE(save(1, set));
  for (int one = 0; one < ranks_; ++one)
    for (int other = one + 1; other < ranks_; ++other) expect_restored(1, {one, other}, set);
  Bytes mine = data(1);
  EXPECT_NAM_FAILS(nam_restart_sync(mine.data(), mine.size(), rank_ > 2 ? 1 : 0, set), -1, EPIPE,
                   "(ranks 0, 1, 2): 2 parities can rebuild 2");
  EXPECT_TRUE(mine == data(1)) << "a refusal touches nothing";
  expect_restored(1, {0, 2}, set);
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, ALaterJobFindsTheSetAndItsNewestVersion) {
  nam_ext_allocation_t* set = nam_alloc_cprs_named("mine", 1, 0, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  EXPECT_NAM_FAILS(nam_reuse_cprs(0, MPI_COMM_WORLD), kNoSet, ENOENT, "1 of them are in use");
  ASSERT_NO_FATAL_FAILURE(save(1, set));
  ASSERT_NO_FATAL_FAILURE(save(2, set));
  MPI_Barrier(MPI_COMM_WORLD);
  ASSERT_EQ(nam_finalize(), 0) << nam_strerror();
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(files(), 1U);
  EXPECT_NAM_FAILS(nam_reuse_cprs_named("another", 0, MPI_COMM_WORLD), kNoSet, ENOENT,
                   "no set of checkpoints \"another\"");
  set = nam_reuse_cprs(0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  expect_restored(2, {ranks_ - 1}, set);
  ASSERT_NO_FATAL_FAILURE(save(3, set));
  expect_restored(3, {0}, set);
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, ASetGrowsWithTheData) {
  nam_ext_allocation_t* const set = nam_alloc_cprs(0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  for (std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{65'536}, std::size_t{65'537},
                            std::size_t{3'000'000}, std::size_t{10}}) {
    const Bytes before(bytes, static_cast<unsigned char>(rank_ + 1));
    ASSERT_EQ(nam_checkpoint_sync(before.data(), bytes, set), 0) << nam_strerror();
    Bytes after(bytes, 0);
    if (rank_ != 0) after = before;
    ASSERT_EQ(nam_restart_sync(after.data(), bytes, rank_ == 0 ? 0 : 1, set), 0) << nam_strerror();
    EXPECT_TRUE(after == before) << bytes;
  }
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, TheyGoOnWhileTheProgramDoes) {
  int provided = 0;
  MPI_Query_thread(&provided);
  ASSERT_EQ(provided, MPI_THREAD_SINGLE);
  nam_ext_allocation_t* const set = nam_alloc_cprs(0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  for (int version = 1; version <= 3; ++version) {
    Bytes mine = data(version);
    nam_async_request_t request = NAM_ASYNC_REQUEST_NULL;
    ASSERT_EQ(nam_checkpoint_async(mine.data(), mine.size(), 0, MPI_COMM_WORLD, set, &request), 0) << nam_strerror();
    // What a program does meanwhile.
    int sum = 0;
    MPI_Allreduce(&rank_, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    while (nam_test(&request) == 0) MPI_Barrier(MPI_COMM_SELF);
    EXPECT_EQ(request.error, 0);
    EXPECT_EQ(request.bytes, static_cast<ssize_t>(bytes(rank_)));
    MPI_Barrier(MPI_COMM_WORLD);
    const bool lost = rank_ == version % ranks_;
    if (lost) std::memset(mine.data(), 0, mine.size());
    ASSERT_EQ(nam_restart_async(mine.data(), mine.size(), lost ? 0 : 1, 0, MPI_COMM_WORLD, set, &request), 0);
    ASSERT_EQ(nam_wait(&request), 0) << nam_strerror();
    EXPECT_TRUE(mine == data(version));
    MPI_Barrier(MPI_COMM_WORLD);
  }
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, ASecondOneIsRefusedAsLongAsTheFirstIsUnderWay) {
  nam_ext_allocation_t* const set = nam_alloc_cprs(0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  GatedMemory gate{200'000};
  const std::span<std::byte> mine = gate.bytes();
  for (std::size_t i = 0; i < mine.size(); ++i)
    mine[i] = static_cast<std::byte>(i * 3 + static_cast<std::size_t>(rank_));
  // Rank 0 does not give its data before it is told to.
  if (rank_ == 0) gate.close();
  nam_async_request_t request = NAM_ASYNC_REQUEST_NULL;
  ASSERT_EQ(nam_checkpoint_async(mine.data(), mine.size(), 0, MPI_COMM_WORLD, set, &request), 0) << nam_strerror();
  int value = 1;
  EXPECT_NAM_FAILS(nam_checkpoint_sync(&value, sizeof value, set), -1, EBUSY, "rank 0 has not waited");
  EXPECT_NAM_FAILS(nam_restart_sync(&value, sizeof value, 1, set), -1, EBUSY, "rank 0 has not waited");
  EXPECT_NAM_FAILS(nam_free_all(set), -1, EBUSY, "rank 0 has not waited");
  if (rank_ == 0) {
    EXPECT_EQ(nam_test(&request), 0);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  gate.open();
  ASSERT_EQ(nam_wait(&request), 0) << nam_strerror();
  MPI_Barrier(MPI_COMM_WORLD);
  // What was refused has changed nothing.
  std::vector<std::byte> back(mine.begin(), mine.end());
  if (rank_ == 0) std::ranges::fill(back, std::byte{0});
  ASSERT_EQ(nam_restart_sync(back.data(), back.size(), rank_ == 0 ? 0 : 1, set), 0) << nam_strerror();
  EXPECT_TRUE(std::ranges::equal(back, mine));
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, ASetThatAJobHasIsNotGivenToAnother) {
  nam_ext_allocation_t* const set = nam_alloc_cprs_named("taken", 1, 0, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  ASSERT_NO_FATAL_FAILURE(save(1, set));
  EXPECT_NAM_FAILS(nam_reuse_cprs_named("taken", 0, MPI_COMM_WORLD), kNoSet, ENOENT, "1 of them are in use");
  expect_restored(1, {0}, set);
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, DamagedDataAreNeverTakenForGood) {
  nam_ext_allocation_t* const set = nam_alloc_cprs(0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  ASSERT_NO_FATAL_FAILURE(save(1, set));
  if (ranks_ >= 3) {
    // In different stripes: a lost rank cannot be computed where another one is damaged, everything else can.
    Bytes mine = rank_ == 0 ? Bytes(bytes(0), 0) : data(1);
    if (rank_ == 2) mine[70'000] ^= 1;
    const int done = nam_restart_sync(mine.data(), mine.size(), rank_ == 0 ? 0 : 1, set);
    EXPECT_EQ(done, -1);
    EXPECT_EQ(errno, EIO) << nam_strerror();
    EXPECT_NE(std::string{nam_strerror()}.find("block 1"), std::string::npos) << nam_strerror();
  }
  expect_restored(1, {0}, set);
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Checkpoints, WrongUseIsRefusedOnAllRanksAlike) {
  EXPECT_NAM_FAILS(nam_reuse_cprs(0, MPI_COMM_WORLD), kNoSet, ENOENT, "no set of checkpoints");
  EXPECT_NAM_FAILS(nam_alloc_cprs(ranks_, MPI_COMM_WORLD), kNoSet, EINVAL, "root");
  EXPECT_NAM_FAILS(nam_alloc_cprs_named("x", 0, 0, 0, MPI_COMM_WORLD), kNoSet, EINVAL, "0 parities");
  EXPECT_NAM_FAILS(nam_alloc_cprs_named(std::string(200, 'x').c_str(), 1, 0, 0, MPI_COMM_WORLD), kNoSet, EINVAL,
                   "a name of 200 bytes");
  EXPECT_NAM_FAILS(nam_checkpoint_sync("", 1, nullptr), -1, EINVAL, "NULL");
  nam_ext_allocation_t* const plain = nam_malloc_all(100, 0, MPI_COMM_WORLD);
  ASSERT_NE(plain, nullptr) << nam_strerror();
  EXPECT_NAM_FAILS(nam_checkpoint_sync("", 1, plain), -1, EINVAL, "not of a set of checkpoints");
  EXPECT_EQ(nam_free_all(plain), 0);
  nam_ext_allocation_t* const set = nam_alloc_cprs(0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  int value = 0;
  EXPECT_NAM_FAILS(nam_bcast(0, &value, 4, 0, set), -1, EINVAL, "set of checkpoints");
  EXPECT_NAM_FAILS(nam_restart_sync(&value, 4, 1, set), -1, ENOENT, "no whole version");
  EXPECT_NAM_FAILS(nam_checkpoint_sync(rank_ == 0 ? nullptr : &value, 4, set), -1, EINVAL, "is NULL");
  ASSERT_EQ(nam_checkpoint_sync(&value, 4, set), 0) << nam_strerror();
  EXPECT_NAM_FAILS(nam_restart_sync(&value, rank_ == ranks_ - 1 ? 3U : 4U, 1, set), -1, EINVAL,
                   "has a buffer of 3 bytes");
  EXPECT_EQ(nam_restart_sync(&value, 4, 1, set), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  EXPECT_NAM_FAILS(nam_checkpoint_sync(&value, 4, set), -1, EINVAL, "no handle");
}

}  // namespace
}  // namespace psnam::test
