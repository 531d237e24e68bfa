// Windows larger than 4 GiB, sparse: the arithmetic of displacements beyond 32 bits.
#include "window.hpp"

namespace psnam::test {
namespace {

constexpr MPI_Aint kGiB = MPI_Aint{1} << 30;
constexpr MPI_Aint kSize = 6 * kGiB;

Window make(const Kind& kind, int unit) {
  Info info{{"psnam_reserve", "lazy"}};
  kind.set(info, world_rank());
  return Window{world_rank() == 0 || !kind.flat() ? kSize : 0, unit, info};
}

std::vector<std::byte> bytes_of(int writer, std::size_t count, int round) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = pattern(writer, 0, i, round);
  return bytes;
}

class LargeWindow : public testing::TestWithParam<Kind> {
 protected:
  // Each rank writes one block into the last rank's region at each byte offset, its own block behind those of lower
  // ranks.
  static void write_and_read(const Window& window, MPI_Aint unit, const std::vector<MPI_Aint>& offsets) {
    constexpr int kBlock = 4096;
    const int me = world_rank();
    const int target = GetParam().flat() ? 0 : world_size() - 1;
    std::vector<std::vector<std::byte>> blocks;
    window.fence();
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const auto& sent = blocks.emplace_back(bytes_of(me, kBlock, static_cast<int>(i)));
      const MPI_Aint displacement = (offsets[i] + (unit == 1 ? MPI_Aint{kBlock} * me : unit * me)) / unit;
      EXPECT_EQ(MPI_Put(sent.data(), kBlock, MPI_BYTE, target, displacement, kBlock, MPI_BYTE, window), MPI_SUCCESS)
          << offsets[i];
    }
    window.fence();
    blocks.clear();
    for (std::size_t i = 0; i < offsets.size(); ++i)
      for (int writer = 0; writer < world_size(); ++writer) {
        auto& received = blocks.emplace_back(kBlock);
        const MPI_Aint displacement = (offsets[i] + (unit == 1 ? MPI_Aint{kBlock} * writer : unit * writer)) / unit;
        EXPECT_EQ(MPI_Get(received.data(), kBlock, MPI_BYTE, target, displacement, kBlock, MPI_BYTE, window),
                  MPI_SUCCESS);
      }
    window.fence(MPI_MODE_NOSUCCEED);
    auto received = blocks.begin();
    for (std::size_t i = 0; i < offsets.size(); ++i)
      for (int writer = 0; writer < world_size(); ++writer)
        EXPECT_EQ(*received++, bytes_of(writer, kBlock, static_cast<int>(i)))
            << "at byte " << offsets[i] << " from rank " << writer;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, LargeWindow, testing::Values(kKinds[0], kKinds[1], kKinds[5]), kind_name);

TEST_P(LargeWindow, BothEndsAndTheFourGibibyteBorderInBytes) {
  const Window window = make(GetParam(), 1);
  const MPI_Aint ranks = world_size();
  write_and_read(window, 1, {0, 2 * kGiB - 2048, 4 * kGiB - 2048, 5 * kGiB + 1, kSize - ranks * 4096});
}

TEST_P(LargeWindow, BothEndsAndTheFourGibibyteBorderInLargeUnits) {
  constexpr int kUnit = 1 << 20;
  const Window window = make(GetParam(), kUnit);
  write_and_read(window, kUnit,
                 {0, 4 * kGiB - kUnit, 4 * kGiB + 8 * MPI_Aint{kUnit}, kSize - world_size() * MPI_Aint{kUnit}});
}

TEST_P(LargeWindow, OneDerivedTypeReachesFromEndToEnd) {
  const Window window = make(GetParam(), 1);
  const int target = GetParam().flat() ? 0 : world_size() - 1;
  MPI_Datatype ends = MPI_DATATYPE_NULL;
  MPI_Type_create_hvector(2, 1, kSize - 8, MPI_INT64_T, &ends);
  MPI_Type_commit(&ends);
  window.fence();
  const std::array<std::int64_t, 2> sent{-1234567890123, 9876543210};
  if (world_rank() == 0) {
    EXPECT_EQ(MPI_Put(sent.data(), 2, MPI_INT64_T, target, 0, 1, ends, window), MPI_SUCCESS);
  }
  window.fence();
  std::array<std::int64_t, 2> received{};
  EXPECT_EQ(MPI_Get(received.data(), 2, MPI_INT64_T, target, 0, 1, ends, window), MPI_SUCCESS);
  std::array<std::int64_t, 2> beyond{};
  EXPECT_EQ(error_class(MPI_Get(beyond.data(), 2, MPI_INT64_T, target, 1, 1, ends, window)), MPI_ERR_RMA_RANGE);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(received, sent);
  MPI_Type_free(&ends);
}

TEST_P(LargeWindow, TheFirstByteBeyondIsRefused) {
  const Window window = make(GetParam(), 1);
  const int target = GetParam().flat() ? 0 : world_size() - 1;
  const char value = 1;
  window.fence();
  EXPECT_EQ(MPI_Put(&value, 1, MPI_CHAR, target, kSize - 1, 1, MPI_CHAR, window), MPI_SUCCESS);
  EXPECT_EQ(error_class(MPI_Put(&value, 1, MPI_CHAR, target, kSize, 1, MPI_CHAR, window)), MPI_ERR_RMA_RANGE);
  EXPECT_EQ(error_class(MPI_Put(&value, 1, MPI_CHAR, target, kSize + (kGiB << 2), 1, MPI_CHAR, window)),
            MPI_ERR_RMA_RANGE);
  window.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(LargeWindow, TheSizeIsToldInFull) {
  const Window window = make(GetParam(), 1);
  MPI_Aint size = 0;
  int unit = 0;
  void* base = nullptr;
  EXPECT_EQ(MPI_Win_shared_query(window, GetParam().flat() ? 0 : world_size() - 1, &size, &unit, &base), MPI_SUCCESS);
  EXPECT_EQ(size, kSize);
}

}  // namespace
}  // namespace psnam::test
