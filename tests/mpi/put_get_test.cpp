// Put and get with fence in windows of every kind, by predefined types; see derived_types_test.cpp for the other types.
#include <algorithm>
#include <numeric>

#include "window.hpp"

namespace psnam::test {
namespace {

class EveryKind : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind, testing::ValuesIn(kKinds), kind_name);

TEST_P(EveryKind, WhatEachRankPutsToEachPartIsReadByAll) {
  const int ranks = world_size();
  const int me = world_rank();
  constexpr std::size_t kBlock = 200;
  const PartedWindow window{GetParam(), kBlock * static_cast<std::size_t>(ranks)};
  for (int round = 0; round < 3; ++round) {
    std::vector<std::vector<std::byte>> blocks;
    window.fence();
    for (int owner = 0; owner < ranks; ++owner) {
      auto& block = blocks.emplace_back(kBlock);
      for (std::size_t i = 0; i < kBlock; ++i) block[i] = pattern(me, owner, i, round);
      EXPECT_EQ(MPI_Put(block.data(), kBlock, MPI_BYTE, window.target(owner),
                        window.displacement(owner, kBlock * static_cast<std::size_t>(me)), kBlock, MPI_BYTE, window),
                MPI_SUCCESS);
    }
    window.fence();
    std::vector<std::vector<std::byte>> parts;
    for (int owner = 0; owner < ranks; ++owner)
      parts.push_back(window.read(owner, kBlock * static_cast<std::size_t>(ranks)));
    window.fence();
    for (int owner = 0; owner < ranks; ++owner) {
      const auto& part = parts[static_cast<std::size_t>(owner)];
      for (int writer = 0; writer < ranks; ++writer)
        for (std::size_t i = 0; i < kBlock; ++i)
          ASSERT_EQ(part[static_cast<std::size_t>(writer) * kBlock + i], pattern(writer, owner, i, round))
              << "byte " << i << " from rank " << writer << " in the part of rank " << owner << ", round " << round;
    }
  }
  window.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(EveryKind, ARegionIsZeroWhenItIsNew) {
  const PartedWindow window{GetParam(), 5000};
  window.fence();
  std::vector<std::vector<std::byte>> parts;
  for (int owner = 0; owner < world_size(); ++owner) parts.push_back(window.read(owner, 5000));
  window.fence(MPI_MODE_NOSUCCEED);
  for (std::size_t owner = 0; owner < parts.size(); ++owner)
    EXPECT_EQ(parts[owner], std::vector<std::byte>(5000)) << "part of rank " << owner;
}

TEST_P(EveryKind, ARankPutsToItself) {
  const PartedWindow window{GetParam(), 64};
  const int me = world_rank();
  window.fence();
  const double value = 1.5 + me;
  EXPECT_EQ(MPI_Put(&value, 1, MPI_DOUBLE, window.target(me), window.displacement(me, 16), 1, MPI_DOUBLE, window),
            MPI_SUCCESS);
  window.fence();
  double received = 0;
  EXPECT_EQ(MPI_Get(&received, 1, MPI_DOUBLE, window.target(me), window.displacement(me, 16), 1, MPI_DOUBLE, window),
            MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(received, value);
}

TEST_P(EveryKind, DisplacementsCountInUnits) {
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  for (const std::size_t unit : {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{8}}) {
    const PartedWindow window{GetParam(), 240, unit};
    std::vector<std::byte> expected(240, std::byte{0});
    std::array<std::byte, 3> values{};
    std::size_t nth = 0;
    window.fence();
    for (const std::size_t units : {std::size_t{0}, std::size_t{7}, 240 / unit - 1}) {
      std::byte& value = values[nth++];
      value = pattern(me, next, units);
      EXPECT_EQ(
          MPI_Put(&value, 1, MPI_BYTE, window.target(next), window.displacement(next, units), 1, MPI_BYTE, window),
          MPI_SUCCESS);
      expected[units * unit] = pattern((me + world_size() - 1) % world_size(), me, units);
    }
    window.fence();
    const auto part = window.read(me, 240);
    window.fence(MPI_MODE_NOSUCCEED);
    EXPECT_EQ(part, expected) << "unit " << unit;
  }
}

TEST_P(EveryKind, TheLargeCountTwinsMoveTheSameBytes) {
  const PartedWindow window{GetParam(), 400};
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  std::vector<int> sent(100);
  std::iota(sent.begin(), sent.end(), 1000 * me);
  window.fence();
  EXPECT_EQ(MPI_Put_c(sent.data(), 100, MPI_INT, window.target(next), window.displacement(next), 100, MPI_INT, window),
            MPI_SUCCESS);
  window.fence();
  std::vector<int> received(100);
  EXPECT_EQ(
      MPI_Get_c(received.data(), 100, MPI_INT, window.target(next), window.displacement(next), 100, MPI_INT, window),
      MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(received, sent);
}

TEST_P(EveryKind, MpiProcNullIsATargetThatMovesNothing) {
  const PartedWindow window{GetParam(), 64};
  window.fence();
  int value = 42;
  EXPECT_EQ(MPI_Put(&value, 1, MPI_INT, MPI_PROC_NULL, 1 << 30, 1, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&value, 1, MPI_INT, MPI_PROC_NULL, 0, 1, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put_c(&value, 1, MPI_INT, MPI_PROC_NULL, 0, 1, MPI_INT, window), MPI_SUCCESS);
  window.fence();
  const auto part = window.read(world_rank(), 64);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(part, std::vector<std::byte>(64));
  EXPECT_EQ(value, 42);
}

TEST_P(EveryKind, NoElementsAreNoAccessEvenAtTheEndAndWithoutABuffer) {
  const PartedWindow window{GetParam(), 64};
  const int me = world_rank();
  const int last = world_size() - 1;
  int value = 42;
  window.fence();
  EXPECT_EQ(MPI_Put(&value, 0, MPI_INT, window.target(me), window.displacement(me), 0, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(nullptr, 0, MPI_INT, window.target(me), window.displacement(me), 0, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(nullptr, 0, MPI_INT, window.target(me), window.displacement(me), 0, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(&value, 0, MPI_INT, window.target(last), window.displacement(last, 64), 0, MPI_INT, window),
            MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&value, 0, MPI_BYTE, window.target(last), window.displacement(last, 64), 0, MPI_BYTE, window),
            MPI_SUCCESS);
  EXPECT_EQ(MPI_Get_c(nullptr, 0, MPI_BYTE, window.target(last), window.displacement(last, 64), 0, MPI_BYTE, window),
            MPI_SUCCESS);
  window.fence();
  const auto part = window.read(me, 64);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(part, std::vector<std::byte>(64));
  EXPECT_EQ(value, 42);
}

TEST_P(EveryKind, TheLastByteOfAPartCanBeWritten) {
  const PartedWindow window{GetParam(), 4097};
  const int me = world_rank();
  window.fence();
  const std::byte value = pattern(me, me, 4096);
  EXPECT_EQ(MPI_Put(&value, 1, MPI_BYTE, window.target(me), window.displacement(me, 4096), 1, MPI_BYTE, window),
            MPI_SUCCESS);
  window.fence();
  std::vector<std::vector<std::byte>> parts;
  for (int owner = 0; owner < world_size(); ++owner) parts.push_back(window.read(owner, 4097));
  window.fence(MPI_MODE_NOSUCCEED);
  for (int owner = 0; owner < world_size(); ++owner)
    EXPECT_EQ(parts[static_cast<std::size_t>(owner)][4096], pattern(owner, owner, 4096));
}

TEST(PutGet, SizesAndUnitsMayDifferFromRankToRank) {
  constexpr std::array<int, 4> kUnits{1, 4, 8, 3};
  const int me = world_rank();
  const auto size_of_rank = [](int rank) { return rank % 3 == 1 ? 0 : 48 * (rank + 1); };
  const auto unit_of_rank = [&](int rank) { return kUnits[static_cast<std::size_t>(rank) % kUnits.size()]; };
  for (const Kind& kind : kKinds) {
    if (kind.flat()) continue;
    Info info{};
    kind.set(info, me);
    const Window window{size_of_rank(me), unit_of_rank(me), info};
    std::vector<std::byte> values(static_cast<std::size_t>(world_size()));
    std::vector<std::vector<std::byte>> regions(values.size());
    window.fence();
    for (int target = 0; target < world_size(); ++target) {
      if (size_of_rank(target) == 0) continue;
      std::byte& value = values[static_cast<std::size_t>(target)];
      value = pattern(me, target, 0);
      EXPECT_EQ(MPI_Put(&value, 1, MPI_BYTE, target, me, 1, MPI_BYTE, window), MPI_SUCCESS);
    }
    window.fence();
    for (int target = 0; target < world_size(); ++target) {
      if (size_of_rank(target) == 0) continue;
      const int count = size_of_rank(target);
      auto& region = regions[static_cast<std::size_t>(target)];
      region.resize(static_cast<std::size_t>(count));
      EXPECT_EQ(MPI_Get(region.data(), count, MPI_BYTE, target, 0, count, MPI_BYTE, window), MPI_SUCCESS);
    }
    window.fence(MPI_MODE_NOSUCCEED);
    for (int target = 0; target < world_size(); ++target) {
      const auto& region = regions[static_cast<std::size_t>(target)];
      std::vector<std::byte> expected(region.size());
      for (int writer = 0; writer < world_size() && !region.empty(); ++writer)
        expected[static_cast<std::size_t>(writer * unit_of_rank(target))] = pattern(writer, target, 0);
      EXPECT_EQ(region, expected) << kind.manifestation << ' ' << kind.structure << ", region of rank " << target;
    }
  }
}

TEST(PutGet, AWindowOfNoBytesAtAllCanBeFencedAndFreed) {
  for (const Kind& kind : kKinds) {
    Info info{};
    kind.set(info, world_rank());
    const Window window{0, 1, info};
    window.fence();
    EXPECT_EQ(MPI_Put(nullptr, 0, MPI_BYTE, 0, 0, 0, MPI_BYTE, window), MPI_SUCCESS);
    window.fence(MPI_MODE_NOSUCCEED);
  }
}

// Everything about a communicator that a window could confuse with the world.
void use_over(MPI_Comm comm) {
  const int me = rank_in(comm);
  const int ranks = size_of(comm);
  const PartedWindow window{kKinds[8], 64, 8, comm};
  window.fence();
  const std::int64_t value = 100 * me + ranks;
  EXPECT_EQ(MPI_Put(&value, 1, MPI_INT64_T, window.target((me + 1) % ranks), window.displacement((me + 1) % ranks, 3),
                    1, MPI_INT64_T, window),
            MPI_SUCCESS);
  window.fence();
  std::int64_t received = -1;
  EXPECT_EQ(MPI_Get(&received, 1, MPI_INT64_T, window.target(me), window.displacement(me, 3), 1, MPI_INT64_T, window),
            MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(received, 100 * ((me + ranks - 1) % ranks) + ranks);
}

TEST(Communicators, OfOneRank) { use_over(MPI_COMM_SELF); }

TEST(Communicators, DuplicateOfTheWorld) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  use_over(comm);
  MPI_Comm_free(&comm);
}

TEST(Communicators, WorldInReverseOrder) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, 0, -world_rank(), &comm);
  use_over(comm);
  MPI_Comm_free(&comm);
}

TEST(Communicators, SubsetsOfTheWorldAtTheSameTime) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, world_rank() % 2, world_rank(), &comm);
  use_over(comm);
  MPI_Comm_free(&comm);
}

TEST(Communicators, OneRankAloneWhileTheOthersGoOn) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, world_rank() == world_size() - 1 ? 0 : MPI_UNDEFINED, 0, &comm);
  if (comm == MPI_COMM_NULL) return;
  use_over(comm);
  MPI_Comm_free(&comm);
}

TEST(Communicators, TheWindowOutlivesItsCommunicator) {
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  const PartedWindow window{kKinds[5], 16, 1, comm};
  MPI_Comm_free(&comm);
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  window.fence();
  EXPECT_EQ(MPI_Put(&me, 1, MPI_INT, next, 4, 1, MPI_INT, window), MPI_SUCCESS);
  window.fence();
  int received = -1;
  EXPECT_EQ(MPI_Get(&received, 1, MPI_INT, me, 4, 1, MPI_INT, window), MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(received, (me + world_size() - 1) % world_size());
}

TEST(ManyWindows, InterleavedAndFreedInAnotherOrderThanMade) {
  constexpr std::size_t kWindows = 64;
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  const int previous = (me + world_size() - 1) % world_size();
  std::vector<MPI_Win> windows(kWindows, MPI_WIN_NULL);
  for (std::size_t w = 0; w < kWindows; ++w) {
    Info info{};
    kKinds[3 * (w % 3) + 1 + w % 2].set(info, me);
    void* base = nullptr;
    ASSERT_EQ(MPI_Win_allocate(64, 4, info, MPI_COMM_WORLD, &base, &windows[w]), MPI_SUCCESS);
  }
  for (const MPI_Win window : windows) EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOPRECEDE, window), MPI_SUCCESS);
  std::vector<int> sent(kWindows);
  for (std::size_t w = kWindows; w-- > 0;) {
    sent[w] = static_cast<int>(w) * 100 + me;
    EXPECT_EQ(MPI_Put(&sent[w], 1, MPI_INT, next, static_cast<MPI_Aint>(w % 16), 1, MPI_INT, windows[w]), MPI_SUCCESS);
  }
  // In steps of 5, which has no common divisor with 64: all windows, in an order that is not that of their making.
  for (std::size_t i = 0, w = 3; i < kWindows; ++i, w = (w + 5) % kWindows) {
    EXPECT_EQ(MPI_Win_fence(0, windows[w]), MPI_SUCCESS);
    int received = -1;
    EXPECT_EQ(MPI_Get(&received, 1, MPI_INT, me, static_cast<MPI_Aint>(w % 16), 1, MPI_INT, windows[w]), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, windows[w]), MPI_SUCCESS);
    EXPECT_EQ(received, static_cast<int>(w) * 100 + previous) << "window " << w;
    EXPECT_EQ(MPI_Win_free(&windows[w]), MPI_SUCCESS);
    EXPECT_EQ(windows[w], MPI_WIN_NULL);
  }
}

TEST(ManyWindows, AHandleThatComesBackLeadsToTheNewWindow) {
  for (int round = 0; round < 8; ++round) {
    const std::size_t bytes = static_cast<std::size_t>(8) << round;
    const PartedWindow window{kKinds[static_cast<std::size_t>(round) % kKinds.size()], bytes};
    window.fence();
    const std::byte value{static_cast<unsigned char>(round + 1)};
    const int me = world_rank();
    EXPECT_EQ(MPI_Put(&value, 1, MPI_BYTE, window.target(me), window.displacement(me, bytes - 1), 1, MPI_BYTE, window),
              MPI_SUCCESS);
    window.fence();
    std::vector<std::byte> expected(bytes);
    expected.back() = value;
    const auto part = window.read(me, bytes);
    window.fence(MPI_MODE_NOSUCCEED);
    EXPECT_EQ(part, expected);
  }
}

}  // namespace
}  // namespace psnam::test
