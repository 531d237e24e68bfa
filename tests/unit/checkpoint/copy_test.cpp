#include <gtest/gtest.h>

#include <vector>

#include "checkpoint/local_copy.hpp"
#include "parity/code.hpp"

namespace psnam::checkpoint {
namespace {

constexpr std::uint32_t kBlock = 4096;
constexpr std::uint64_t kBytes = 3 * kBlock + 100;

class CopyInMemory : public ::testing::Test {
 protected:
  void SetUp() override { write(); }
  void write() {
    view_.invalidate();
    const auto room = view_.room(kBytes, kBlock);
    std::vector<std::uint32_t> row;
    for (std::size_t i = 0; i < room.size(); ++i) room[i] = static_cast<std::byte>(i * 5);
    for (std::size_t at = 0; at < room.size(); at += kBlock)
      row.push_back(parity::checksum(room.subspan(at, std::min<std::size_t>(kBlock, room.size() - at))));
    view_.commit({7, 99}, kBytes, kBlock, row.data());
  }

  std::vector<std::byte> storage_ = std::vector<std::byte>(8 * kBlock + 64);
  std::span<std::byte> memory_{storage_.data() + (64 - reinterpret_cast<std::uintptr_t>(storage_.data()) % 64),
                               8 * kBlock};
  CopyOwner owner_{.series = {{1, 2, 3}}, .ranks = 4, .rank = 2};
  CopyView view_{memory_, owner_};
};

TEST_F(CopyInMemory, IsThereWhenItIsCommitted) {
  EXPECT_EQ(view_.version(), (VersionKey{7, 99}));
  EXPECT_EQ(view_.payload().size(), kBytes);
  EXPECT_EQ(view_.payload().data(), view_.room(kBytes, kBlock).data());
  EXPECT_EQ(view_.count_damaged(), 0U);
  view_.invalidate();
  EXPECT_FALSE(view_.version());
  EXPECT_TRUE(view_.payload().empty());
}

TEST_F(CopyInMemory, IsThatOfItsOwnerOnly) {
  CopyOwner other = owner_;
  other.rank = 1;
  EXPECT_FALSE((CopyView{memory_, other}.version()));
  other = owner_;
  other.ranks = 5;
  EXPECT_FALSE((CopyView{memory_, other}.version()));
  other = owner_;
  other.series.bytes[15] = 1;
  EXPECT_FALSE((CopyView{memory_, other}.version()));
}

TEST_F(CopyInMemory, AFlippedBitIsFoundWhereverItIs) {
  const std::uint64_t payload_at = format::CheckpointCopyShape{kBytes, kBlock}.payload_at();
  for (const std::uint64_t at :
       {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{20}, std::uint64_t{33}, std::uint64_t{49}, std::uint64_t{70},
        std::uint64_t{127}, std::uint64_t{4096}, std::uint64_t{4096 + 15}}) {
    memory_[at] ^= std::byte{4};
    EXPECT_FALSE(view_.version()) << at;
    memory_[at] ^= std::byte{4};
  }
  for (const std::uint64_t at : {payload_at, payload_at + kBlock, payload_at + kBytes - 1}) {
    memory_[at] ^= std::byte{4};
    EXPECT_TRUE(view_.version()) << at;
    EXPECT_EQ(view_.count_damaged(), 1U) << at;
    memory_[at] ^= std::byte{4};
  }
  EXPECT_EQ(view_.count_damaged(), 0U);
}

TEST_F(CopyInMemory, ThatIsCutOffIsNone) {
  EXPECT_FALSE((CopyView{memory_.first(5 * kBlock), owner_}.version()));
  EXPECT_FALSE((CopyView{memory_.first(10), owner_}.version()));
  EXPECT_FALSE((CopyView{{}, owner_}.version()));
}

}  // namespace
}  // namespace psnam::checkpoint
