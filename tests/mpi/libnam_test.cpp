// nam_ext.h over real ranks: sets, collectives through the NAM with every root and uneven sizes, saved records. Nothing
// is preloaded.
#include <nam_ext.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "mpi/errors.hpp"
#include "mpi/libnam_fixture.hpp"
#include "support/nam_failure.hpp"

namespace psnam::test {
namespace {

constexpr nam_ext_allocation_t* kNoSet = nullptr;
constexpr int kGuard = 64;
constexpr unsigned char kUntouched = 0xee;

class Libnam : public LibnamTest {
 protected:
  void TearDown() override {
    LibnamTest::TearDown();
    expect_files(0, MPI_COMM_WORLD);
  }
  [[nodiscard]] std::filesystem::path records() const { return home() / ".libNAM"; }
  [[nodiscard]] std::filesystem::path record_of(std::uint64_t challenge) const {
    std::array<char, 40> name{};
    std::snprintf(name.data(), name.size(), "%016llx.alloc_ext", static_cast<unsigned long long>(challenge));
    return records() / name.data();
  }
};

/// What rank `rank` contributes: 10 rank + 3 bytes, but rank 1 has none.
std::size_t part_bytes(int rank) { return rank == 1 ? 0 : static_cast<std::size_t>(10 * rank + 3); }
std::size_t bytes_before(int rank) {
  std::size_t bytes = 0;
  for (int i = 0; i < rank; ++i) bytes += part_bytes(i);
  return bytes;
}
std::vector<unsigned char> part(int rank, int salt) {
  std::vector<unsigned char> bytes(part_bytes(rank));
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<unsigned char>(static_cast<std::size_t>(31 * rank + salt) + i);
  return bytes;
}
std::vector<unsigned char> all_parts(int ranks, int salt) {
  std::vector<unsigned char> bytes;
  for (int i = 0; i < ranks; ++i) {
    const auto one = part(i, salt);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return bytes;
}
std::vector<unsigned char> guarded(std::size_t bytes) { return std::vector<unsigned char>(bytes + kGuard, kUntouched); }
bool guard_is_whole(const std::vector<unsigned char>& buffer) {
  return std::all_of(buffer.end() - kGuard, buffer.end(), [](unsigned char byte) { return byte == kUntouched; });
}

TEST_F(Libnam, EveryRootMakesAnAllocationThatAllUse) {
  for (int root = 0; root < ranks_; ++root) {
    // The size counts at the root.
    nam_ext_allocation_t* const set = nam_malloc_all(rank_ == root || rank_ == 0 ? 1000 : 0, root, MPI_COMM_WORLD);
    ASSERT_NE(set, nullptr) << nam_strerror();
    EXPECT_EQ(set->ranks, ranks_);
    EXPECT_EQ(set->rank, rank_);
    EXPECT_EQ(set->max_bytes, 1000U / static_cast<unsigned>(ranks_));
    EXPECT_EQ(nam_get_max_bytes(set), set->max_bytes);
    EXPECT_EQ(set->allocation->size, 1000U);
    const int mine = 100 + rank_;
    ASSERT_EQ(nam_put_sync(&mine, static_cast<std::size_t>(rank_) * 4, 4, set->allocation), 4) << nam_strerror();
    MPI_Barrier(MPI_COMM_WORLD);
    const int next = (rank_ + 1) % ranks_;
    int got = 0;
    ASSERT_EQ(nam_get_sync(&got, static_cast<std::size_t>(next) * 4, 4, set->allocation), 4) << nam_strerror();
    EXPECT_EQ(got, 100 + next);
    nam_allocation_t* const handle = set->allocation;
    EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
    EXPECT_NAM_FAILS(nam_get_sync(&got, 0, 4, handle), -1, EINVAL, "no handle");
    EXPECT_NAM_FAILS(nam_free_all(set), -1, EINVAL, "no handle");
    EXPECT_NAM_FAILS(nam_get_max_bytes(set), 0U, EINVAL, "no handle");
  }
}

TEST_F(Libnam, CallocAllIsZeroedAndItsProductIsChecked) {
  nam_ext_allocation_t* const set = nam_calloc_all(10, 20, ranks_ - 1, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  std::vector<unsigned char> got(200, 1);
  EXPECT_EQ(nam_get_sync(got.data(), 0, 200, set->allocation), 200) << nam_strerror();
  EXPECT_EQ(got, std::vector<unsigned char>(200, 0));
  EXPECT_EQ(nam_free_all(set), 0);
  EXPECT_NAM_FAILS(nam_calloc_all(SIZE_MAX, 2, 0, MPI_COMM_WORLD), kNoSet, ENOMEM, "times 2 bytes");
}

TEST_F(Libnam, GatherOfUnevenPartsFillsTheBufferOfAnyRootAndNotAByteMore) {
  const std::size_t all = bytes_before(ranks_);
  nam_ext_allocation_t* const set = nam_malloc_all(all + 5, ranks_ - 1, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  for (int root = 0; root < ranks_; ++root) {
    const auto mine = part(rank_, root);
    auto received = guarded(all);
    const bool am_root = rank_ == root;
    ASSERT_EQ(nam_gather(5, mine.empty() ? nullptr : mine.data(), mine.size(), am_root ? received.data() : nullptr,
                         am_root ? all : 0, root, set),
              0)
        << nam_strerror();
    EXPECT_TRUE(guard_is_whole(received));
    received.resize(all);
    EXPECT_EQ(received, am_root ? all_parts(ranks_, root) : std::vector<unsigned char>(all, kUntouched));
  }
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
}

TEST_F(Libnam, ScatterOfUnevenPartsGivesEachItsOwnFromAnyRoot) {
  const std::size_t all = bytes_before(ranks_);
  nam_ext_allocation_t* const set = nam_malloc_all(all, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  for (int root = 0; root < ranks_; ++root) {
    const auto sent = all_parts(ranks_, root);
    auto received = guarded(part_bytes(rank_));
    const bool am_root = rank_ == root;
    ASSERT_EQ(nam_scatter(0, am_root ? sent.data() : nullptr, am_root ? all : 0, received.data(), part_bytes(rank_),
                          root, set),
              0)
        << nam_strerror();
    EXPECT_TRUE(guard_is_whole(received));
    received.resize(part_bytes(rank_));
    EXPECT_EQ(received, part(rank_, root));
  }
  EXPECT_EQ(nam_free_all(set), 0);
}

TEST_F(Libnam, BroadcastComesFromAnyRoot) {
  nam_ext_allocation_t* const set = nam_malloc_all(100, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  for (int root = 0; root < ranks_; ++root) {
    auto buffer = guarded(60);
    if (rank_ == root) std::iota(buffer.begin(), buffer.begin() + 60, static_cast<unsigned char>(root));
    ASSERT_EQ(nam_bcast(40, buffer.data(), 60, root, set), 0) << nam_strerror();
    for (int i = 0; i < 60; ++i) ASSERT_EQ(buffer[static_cast<std::size_t>(i)], i + root);
    EXPECT_TRUE(guard_is_whole(buffer));
  }
  EXPECT_EQ(nam_bcast(100, nullptr, 0, 0, set), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(set), 0);
}

TEST_F(Libnam, CollectivesRepeatedWithoutABarrierDoNotOverwriteEachOther) {
  nam_ext_allocation_t* const set = nam_malloc_all(sizeof(int) * static_cast<std::size_t>(ranks_), 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  for (int round = 0; round < 50; ++round) {
    const int root = round % ranks_, mine = 1000 * round + rank_;
    std::vector<int> got(static_cast<std::size_t>(ranks_), -1);
    ASSERT_EQ(nam_gather(0, &mine, sizeof(int), got.data(), got.size() * sizeof(int), root, set), 0) << nam_strerror();
    if (rank_ != root) continue;
    for (int i = 0; i < ranks_; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], 1000 * round + i);
  }
  EXPECT_EQ(nam_free_all(set), 0);
}

TEST_F(Libnam, WhatOneRankDoesWrongIsAnErrorOnAll) {
  nam_ext_allocation_t* const set = nam_calloc_all(100, 1, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  std::vector<unsigned char> bytes(200, 9), large(400, 9);
  const std::size_t share = 50 / static_cast<std::size_t>(ranks_);
  const int last = ranks_ - 1;
  EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), 101, large.data(), 400, 0, set), -1, ERANGE, "has 100");
  EXPECT_NAM_FAILS(nam_gather(SIZE_MAX, bytes.data(), share, large.data(), 400, 0, set), -1, ERANGE, "");
  EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), rank_ == last ? SIZE_MAX - 2 : share, large.data(), 400, 0, set), -1,
                   ERANGE, "");
  EXPECT_NAM_FAILS(
      nam_gather(0, bytes.data(), share, large.data(), share * static_cast<std::size_t>(ranks_) - 1, last, set), -1,
      ERANGE, "the root has room for");
  EXPECT_NAM_FAILS(nam_gather(0, rank_ == last ? nullptr : bytes.data(), share, large.data(), 400, 0, set), -1, EINVAL,
                   "is NULL on rank " + std::to_string(last));
  EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), share, nullptr, 400, last, set), -1, EINVAL, "is NULL on rank");
  EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), share, large.data(), 400, ranks_, set), -1, EINVAL, "root");
  EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), share, large.data(), 400, -1, set), -1, EINVAL, "root -1");
  EXPECT_NAM_FAILS(nam_scatter(0, large.data(), 3, bytes.data(), share, 0, set), -1, ERANGE, "the root sends 3");
  EXPECT_NAM_FAILS(nam_scatter(0, nullptr, 400, bytes.data(), share, 0, set), -1, EINVAL, "is NULL on rank 0");
  EXPECT_NAM_FAILS(nam_scatter(60, large.data(), 400, bytes.data(), 50, 0, set), -1, ERANGE, "has 100");
  EXPECT_NAM_FAILS(nam_bcast(1, bytes.data(), 100, 0, set), -1, ERANGE, "has 100");
  EXPECT_NAM_FAILS(nam_bcast(0, nullptr, 100, 0, set), -1, EINVAL, "is NULL on rank 0");
  if (ranks_ > 1) {
    EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), share, large.data(), 400, rank_ == last ? 1 : 0, set), -1, EINVAL,
                     "the root is 0 on rank 0 and 1 on rank");
    EXPECT_NAM_FAILS(nam_scatter(rank_ == last ? 1 : 0, large.data(), 400, bytes.data(), share, 0, set), -1, EINVAL,
                     "the offset is 0 on rank 0 and 1 on rank");
    EXPECT_NAM_FAILS(nam_bcast(0, bytes.data(), rank_ == last ? 7 : 8, 0, set), -1, EINVAL, "8 bytes on rank 0 and 7");
    EXPECT_NAM_FAILS(rank_ == last ? nam_bcast(0, bytes.data(), 8, 0, set)
                                   : nam_gather(0, bytes.data(), 8, large.data(), 400, 0, set),
                     -1, EINVAL, "the operation");
  }
  EXPECT_EQ(large, std::vector<unsigned char>(400, 9));
  std::vector<unsigned char> inside(100, 1);
  EXPECT_EQ(nam_get_sync(inside.data(), 0, 100, set->allocation), 100);
  EXPECT_EQ(inside, std::vector<unsigned char>(100, 0)) << "nothing was written";
  EXPECT_NAM_FAILS(nam_gather(0, bytes.data(), 1, large.data(), 400, 0, nullptr), -1, EINVAL, "NULL");
  EXPECT_EQ(nam_bcast(0, bytes.data(), 100, last, set), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(set), 0);
}

TEST_F(Libnam, ASetIsMadeByAllOrByNone) {
  const int last = ranks_ - 1;
  EXPECT_NAM_FAILS(nam_malloc_all(std::size_t{1} << 60, last, MPI_COMM_WORLD), kNoSet, ENOMEM,
                   "rank " + std::to_string(last) + ": ");
  EXPECT_NAM_FAILS(nam_malloc_all(0, 0, MPI_COMM_WORLD), kNoSet, EINVAL, "0 bytes");
  EXPECT_NAM_FAILS(nam_malloc_all(10, ranks_, MPI_COMM_WORLD), kNoSet, EINVAL, "root");
  EXPECT_NAM_FAILS(nam_malloc_all(10, 0, MPI_COMM_NULL), kNoSet, EINVAL, "MPI_COMM_NULL");
  EXPECT_NAM_FAILS(nam_connect_all(1, 0, MPI_COMM_WORLD), kNoSet, ENOENT, "no set of challenge 0000000000000001");
  if (ranks_ == 1) return;
  EXPECT_NAM_FAILS(nam_malloc_all(10, rank_ == last ? 1 : 0, MPI_COMM_WORLD), kNoSet, EINVAL,
                   "the root is 0 on rank 0");
  EXPECT_NAM_FAILS(nam_malloc_all(rank_ == last ? 11 : 10, 0, MPI_COMM_WORLD), kNoSet, EINVAL, "asks for 11");
  EXPECT_NAM_FAILS(
      rank_ == last ? nam_malloc_all(10, 0, MPI_COMM_WORLD) : nam_malloc_all_persistent(10, 0, MPI_COMM_WORLD), kNoSet,
      EINVAL, "kind of operation");
  // One rank that cannot connect is enough.
  ASSERT_EQ(nam_finalize(), 0);
  const char* const manager = ::getenv("PSNAM_MANAGER");
  const std::string before = manager != nullptr ? manager : "";
  if (rank_ == last) ::setenv("PSNAM_MANAGER", "127.0.0.1:1", 1);
  EXPECT_NAM_FAILS(nam_malloc_all_persistent(10, 0, MPI_COMM_WORLD), kNoSet, EHOSTUNREACH, "127.0.0.1:1");
  if (manager == nullptr)
    ::unsetenv("PSNAM_MANAGER");
  else
    ::setenv("PSNAM_MANAGER", before.c_str(), 1);
  EXPECT_EQ(nam_load_ext_allocations(), 0) << "the half-made set is gone";
}

TEST_F(Libnam, RanksWithStoresOfTheirOwnNeedAManager) {
  if (ranks_ == 1) return;
  const std::string store = ::getenv("PSNAM_STORE");
  if (rank_ == 1) ::setenv("PSNAM_STORE", (store + "-other").c_str(), 1);
  if (::getenv("PSNAM_MANAGER") == nullptr) {
    EXPECT_NAM_FAILS(nam_malloc_all(10, 0, MPI_COMM_WORLD), kNoSet, EHOSTUNREACH, "needs a manager");
  } else {
    nam_ext_allocation_t* const set = nam_malloc_all(10, 0, MPI_COMM_WORLD);
    ASSERT_NE(set, nullptr) << nam_strerror();
    EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  }
  EXPECT_EQ(nam_finalize(), 0);
  ::setenv("PSNAM_STORE", store.c_str(), 1);
}

TEST_F(Libnam, SyncHandsTheRootsAllocationToAll) {
  const int root = ranks_ - 1;
  nam_allocation_t* own = nullptr;
  if (rank_ == root) own = nam_malloc(100);
  nam_allocation_t record{};
  nam_allocation_t* const given = rank_ == root ? own : &record;
  ASSERT_EQ(nam_sync_allocation(given, root, MPI_COMM_WORLD), 0) << nam_strerror();
  const char mine = static_cast<char>('a' + rank_);
  EXPECT_EQ(nam_put_sync(&mine, static_cast<std::size_t>(rank_), 1, given), 1) << nam_strerror();
  MPI_Barrier(MPI_COMM_WORLD);
  std::string all(static_cast<std::size_t>(ranks_), ' ');
  EXPECT_EQ(nam_get_sync(all.data(), 0, all.size(), given), ranks_) << nam_strerror();
  EXPECT_EQ(all, std::string{"abcdefgh"}.substr(0, all.size()));
  if (ranks_ > 1) {
    EXPECT_NAM_FAILS(nam_sync_allocation(given, root, MPI_COMM_WORLD), -1, EBUSY, "in use here");
  }
  EXPECT_NAM_FAILS(nam_sync_allocation(nullptr, root, MPI_COMM_WORLD), -1, EINVAL, "rank 0: ");
  EXPECT_EQ(nam_free(given), 0) << nam_strerror();
  EXPECT_NAM_FAILS(nam_sync_allocation(given, root, MPI_COMM_WORLD), -1, EINVAL, "no handle");
}

TEST_F(Libnam, APersistentSetIsFoundAgainByItsRecordWithAnyNumberOfRanks) {
  nam_ext_allocation_t* set = nam_malloc_all_persistant(400, ranks_ - 1, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  EXPECT_EQ(set->allocation->persistent, 1);
  const int value = 4711;
  if (rank_ == 0) {
    EXPECT_EQ(nam_put_sync(&value, 396, 4, set->allocation), 4);
  }
  const std::uint64_t challenge = set->allocation->challenge;
  ASSERT_TRUE(std::filesystem::exists(record_of(challenge)));
  MPI_Barrier(MPI_COMM_WORLD);
  ASSERT_EQ(nam_finalize(), 0) << nam_strerror();
  MPI_Barrier(MPI_COMM_WORLD);

  ASSERT_EQ(nam_init_extended(), 0) << nam_strerror();
  nam_ext_record_t record{};
  ASSERT_EQ(nam_get_ext_record(0, &record), 0) << nam_strerror();
  EXPECT_EQ(record.challenge, challenge);
  EXPECT_EQ(record.ranks, ranks_);
  EXPECT_EQ(record.size, 400U);
  EXPECT_EQ(record.max_bytes, 400U / static_cast<unsigned>(ranks_));
  EXPECT_NAM_FAILS(nam_get_ext_record(1, &record), -1, EINVAL, "record 1 of 1");
  EXPECT_NAM_FAILS(nam_get_ext_record(-1, &record), -1, EINVAL, "record -1");
  EXPECT_NAM_FAILS(nam_get_ext_record(0, nullptr), -1, EINVAL, "NULL");
  // Each rank for itself is another number of ranks.
  nam_ext_allocation_t* const alone = nam_connect_all(challenge, 0, MPI_COMM_SELF);
  ASSERT_NE(alone, nullptr) << nam_strerror();
  EXPECT_EQ(alone->ranks, ranks_);
  int got = 0;
  EXPECT_EQ(nam_get_sync(&got, 396, 4, alone->allocation), 4) << nam_strerror();
  EXPECT_EQ(got, 4711);
  MPI_Barrier(MPI_COMM_WORLD);
  set = nam_connect_all(challenge, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  EXPECT_EQ(nam_get_max_bytes(set), record.max_bytes);
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  EXPECT_FALSE(std::filesystem::exists(record_of(challenge)));
  EXPECT_EQ(nam_load_ext_allocations(), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(alone), 0) << nam_strerror();
}

TEST_F(Libnam, TheCatalogFindsASetWithoutItsFileAndTheFileOneThatTheCatalogDoesNotKnow) {
  nam_ext_allocation_t* const set = nam_malloc_all_persistent(100, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  const std::uint64_t challenge = set->allocation->challenge;
  nam_allocation_t plain{};
  if (rank_ == 0) {
    EXPECT_TRUE(std::filesystem::remove(record_of(challenge)));
    nam_allocation_t* const own = nam_malloc_persistent(64);
    plain = *own;
    std::ofstream{record_of(own->challenge)} << "0\n"
                                             << own->challenge << "\n64\n"
                                             << own->address << "\n32\n2\n0\n1\n";
    std::ofstream{records() / "00000000000000ff.alloc_ext"} << "0\n255\n64\n99999\n32\n2\n0\n1\n";
  }
  MPI_Bcast(&plain, sizeof(plain), MPI_BYTE, 0, MPI_COMM_WORLD);
  ASSERT_EQ(nam_load_ext_allocations(), 2) << nam_strerror();
  nam_ext_record_t first{}, second{};
  ASSERT_EQ(nam_get_ext_record(0, &first), 0);
  ASSERT_EQ(nam_get_ext_record(1, &second), 0);
  EXPECT_EQ(first.challenge, challenge);
  EXPECT_EQ(second.challenge, plain.challenge);
  EXPECT_EQ(second.ranks, 2);
  EXPECT_EQ(second.max_bytes, 32U);
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank_ == 0) {
    EXPECT_EQ(nam_delete_all_ext_allocations(), 2) << nam_strerror();
    EXPECT_FALSE(std::filesystem::exists(record_of(plain.challenge)));
    std::filesystem::remove(records() / "00000000000000ff.alloc_ext");
  }
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(nam_load_ext_allocations(), 0);
}

TEST_F(Libnam, TwoSetsOfTheSameRanksAreToldApart) {
  nam_ext_allocation_t* const first = nam_malloc_all_persistent(100, 0, MPI_COMM_WORLD);
  nam_ext_allocation_t* const second = nam_malloc_all_persistent(100, ranks_ - 1, MPI_COMM_WORLD);
  ASSERT_TRUE(first != nullptr && second != nullptr) << nam_strerror();
  int value = 1;
  if (rank_ == 0) nam_put_sync(&value, 0, 4, first->allocation);
  value = 2;
  if (rank_ == 0) nam_put_sync(&value, 0, 4, second->allocation);
  const std::uint64_t wanted = first->allocation->challenge;
  EXPECT_NE(wanted, second->allocation->challenge);
  MPI_Barrier(MPI_COMM_WORLD);
  nam_ext_allocation_t* const again = nam_connect_all(wanted, 0, MPI_COMM_WORLD);
  ASSERT_NE(again, nullptr) << nam_strerror();
  EXPECT_EQ(nam_get_sync(&value, 0, 4, again->allocation), 4);
  EXPECT_EQ(value, 1);
  nam_ext_allocation_t* const other = nam_connect_all(second->allocation->challenge, 0, MPI_COMM_WORLD);
  ASSERT_NE(other, nullptr) << nam_strerror();
  EXPECT_EQ(nam_get_sync(&value, 0, 4, other->allocation), 4);
  EXPECT_EQ(value, 2);
  EXPECT_EQ(nam_free_all(first), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(again), 0) << nam_strerror();
  EXPECT_EQ(nam_load_ext_allocations(), 1);
  EXPECT_EQ(nam_free_all(second), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(other), 0) << nam_strerror();
}

TEST_F(Libnam, SetsAreFreedInAnyOrderAndManyTimes) {
  std::vector<nam_ext_allocation_t*> sets;
  for (int i = 0; i < 6; ++i) sets.push_back(nam_malloc_all(64, i % ranks_, MPI_COMM_WORLD));
  for (const int i : {3, 0, 5, 1, 4, 2}) {
    ASSERT_NE(sets[static_cast<std::size_t>(i)], nullptr);
    EXPECT_EQ(nam_free_all(sets[static_cast<std::size_t>(i)]), 0) << nam_strerror();
  }
  for (int i = 0; i < 20; ++i) {
    nam_ext_allocation_t* const set = nam_malloc_all(64, i % ranks_, MPI_COMM_WORLD);
    ASSERT_NE(set, nullptr) << nam_strerror();
    EXPECT_EQ(nam_get_max_bytes(set), 64U / static_cast<unsigned>(ranks_));
    EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  }
}

TEST_F(Libnam, SubcommunicatorsHaveSetsOfTheirOwn) {
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank_ % 2, -rank_, &half);
  nam_ext_allocation_t* const set = nam_malloc_all(8, size_of(half) - 1, half);
  ASSERT_NE(set, nullptr) << nam_strerror();
  int value = rank_;
  ASSERT_EQ(nam_bcast(0, &value, 4, 0, set), 0) << nam_strerror();
  EXPECT_EQ(value % 2, rank_ % 2);
  EXPECT_EQ(nam_free_all(set), 0);
  MPI_Comm_free(&half);
}

TEST_F(Libnam, AnIntercommunicatorIsRefused) {
  if (ranks_ < 2) return;
  MPI_Comm half = MPI_COMM_NULL, inter = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, rank_ % 2, rank_, &half);
  MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, rank_ % 2 == 0 ? 1 : 0, 7, &inter);
  EXPECT_NAM_FAILS(nam_malloc_all(10, 0, inter), kNoSet, EINVAL, "not an intracommunicator");
  MPI_Comm_free(&inter);
  MPI_Comm_free(&half);
}

}  // namespace
}  // namespace psnam::test
