// What every RemoteMemory promises, on the fabric as it is set up in all the ways that this library may choose.
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "contract/backends/fabric_fixture.hpp"

namespace psnam::test {
namespace {

constexpr std::size_t kBytes = std::size_t{8} << 20;

struct Setting {
  const char* name;
  FabricCompletion completion;
  bool staged;
  std::size_t chunk_bytes;
};
constexpr Setting kSettings[] = {
    {"ReadBehind", FabricCompletion::read_behind, false, std::size_t{1} << 20},
    {"Delivery", FabricCompletion::delivery, false, std::size_t{1} << 20},
    {"SmallChunks", FabricCompletion::read_behind, false, 8192},
    {"Staged", FabricCompletion::read_behind, true, std::size_t{1} << 20},
};

class RemoteMemoryContract : public ::testing::TestWithParam<Setting> {
 protected:
  static FabricOptions options() {
    FabricOptions options;
    options.completion = GetParam().completion;
    options.staged = GetParam().staged;
    options.chunk_bytes = GetParam().chunk_bytes;
    return options;
  }

  void SetUp() override {
    ASSERT_NE(fabric_, nullptr);
    endpoint_ = peer_.endpoint();
    client_ = connect(*fabric_, peer_, endpoint_, options());
    ASSERT_NE(client_, nullptr);
    shared_ = peer_.share(endpoint_, 0, kBytes);
    memory_ = client_->open(shared_.key, shared_.base, kBytes, Protection::read_write);
  }

  std::vector<std::byte> random_bytes(std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_());
    return bytes;
  }
  /// Pieces in ascending order with gaps, up to `count`, of sizes around `most`.
  std::vector<Piece> scattered(std::byte* local, std::size_t count, std::size_t most) {
    std::vector<Piece> pieces;
    std::uint64_t offset = random_() % 64;
    std::size_t used = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t bytes = random_() % (most + 1);
      if (offset + bytes > kBytes || used + bytes > kBytes) break;
      pieces.push_back({offset, local + used, bytes});
      used += bytes;
      offset += bytes + random_() % (most + 1);
    }
    return pieces;
  }

  std::mt19937 random_{20240607};
  FabricPeer peer_{kBytes};
  std::shared_ptr<Fabric> fabric_ = fabric();
  FabricPeer::Endpoint endpoint_;
  FabricPeer::Registration shared_;
  std::shared_ptr<FabricClient> client_;
  std::shared_ptr<RemoteMemory> memory_;
};

TEST_P(RemoteMemoryContract, WritesOfAllSizesArrive) {
  for (const std::size_t bytes : {0, 1, 7, 8, 128, 129, 4095, 4096, 4097, 65536, 65537, 1048576, 1048577, 5000001}) {
    const std::uint64_t offset = random_() % (kBytes - bytes + 1);
    auto local = random_bytes(bytes);
    ASSERT_TRUE(memory_->write(One{offset, local.data(), bytes})) << bytes;
    const Status flushed = memory_->flush();
    ASSERT_TRUE(flushed) << flushed.error().message;
    ASSERT_TRUE(bytes == 0 || std::memcmp(peer_.memory() + offset, local.data(), bytes) == 0) << bytes;
  }
}

TEST_P(RemoteMemoryContract, ReadsOfAllSizesArrive) {
  const auto content = random_bytes(kBytes);
  std::memcpy(peer_.memory(), content.data(), kBytes);
  for (const std::size_t bytes : {0, 1, 7, 8, 128, 129, 4095, 4096, 4097, 65536, 65537, 1048576, 1048577, 5000001}) {
    const std::uint64_t offset = random_() % (kBytes - bytes + 1);
    std::vector<std::byte> local(bytes);
    ASSERT_TRUE(memory_->read(One{offset, local.data(), bytes})) << bytes;
    const Status flushed = memory_->flush();
    ASSERT_TRUE(flushed) << flushed.error().message;
    ASSERT_TRUE(bytes == 0 || std::memcmp(content.data() + offset, local.data(), bytes) == 0) << bytes;
  }
}

TEST_P(RemoteMemoryContract, ScatteredWritesTouchTheirBytesOnly) {
  auto local = random_bytes(kBytes);
  for (const std::size_t most : {1, 16, 300, 2000, 20000}) {
    std::vector<std::byte> expected(peer_.memory(), peer_.memory() + kBytes);
    const auto pieces = scattered(local.data(), 3000, most);
    for (const Piece& piece : pieces)
      if (piece.bytes != 0) std::memcpy(expected.data() + piece.offset_bytes, piece.local, piece.bytes);
    ASSERT_TRUE(memory_->write(pieces));
    ASSERT_TRUE(memory_->flush());
    ASSERT_EQ(std::memcmp(expected.data(), peer_.memory(), kBytes), 0) << most;
  }
}

TEST_P(RemoteMemoryContract, ScatteredReadsFillTheirBytesOnly) {
  const auto content = random_bytes(kBytes);
  std::memcpy(peer_.memory(), content.data(), kBytes);
  for (const std::size_t most : {1, 16, 300, 2000, 20000}) {
    std::vector<std::byte> local(kBytes);
    std::vector<std::byte> expected(kBytes);
    auto pieces = scattered(local.data(), 3000, most);
    std::shuffle(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(pieces.size() / 4), random_);
    for (const Piece& piece : pieces)
      if (piece.bytes != 0)
        std::memcpy(expected.data() + (piece.local - local.data()), content.data() + piece.offset_bytes, piece.bytes);
    ASSERT_TRUE(memory_->read(pieces));
    ASSERT_TRUE(memory_->flush());
    ASSERT_EQ(local, expected) << most;
  }
}

TEST_P(RemoteMemoryContract, ManyOperationsAreUnderWayAtOnce) {
  constexpr std::size_t kCount = 20000;
  constexpr std::size_t kStride = 48;
  auto local = random_bytes(kCount * 8);
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_TRUE(memory_->write(One{i * kStride, local.data() + i * 8, 8}));
  ASSERT_TRUE(memory_->flush());
  for (std::size_t i = 0; i < kCount; ++i)
    ASSERT_EQ(std::memcmp(peer_.memory() + i * kStride, local.data() + i * 8, 8), 0) << i;
  std::vector<std::byte> back(local.size());
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_TRUE(memory_->read(One{i * kStride, back.data() + i * 8, 8}));
  ASSERT_TRUE(memory_->flush());
  ASSERT_EQ(back, local);
}

TEST_P(RemoteMemoryContract, AFlushedWriteIsVisibleToOtherMappersAtOnce) {
  for (std::uint64_t turn = 1; turn <= 3000; ++turn) {
    std::uint64_t words[40];
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < 40; ++i) {
      words[i] = turn * 100 + i;
      pieces.push_back({i * 512, reinterpret_cast<std::byte*>(&words[i]), 8});
    }
    // One put, some, and many of them, since each takes a way of its own.
    pieces.resize(turn % 3 == 0 ? 1 : turn % 3 == 1 ? 5 : 40);
    ASSERT_TRUE(memory_->write(pieces));
    ASSERT_TRUE(memory_->flush());
    for (std::size_t i = 0; i < pieces.size(); ++i)
      ASSERT_EQ(std::memcmp(peer_.memory() + i * 512, &words[i], 8), 0) << "turn " << turn << " word " << i;
  }
}

TEST_P(RemoteMemoryContract, FourThreadsShareIt) {
  constexpr std::size_t kPart = kBytes / 4;
  std::vector<std::thread> threads;
  std::array<std::string, 4> failures;
  for (std::size_t me = 0; me < 4; ++me)
    threads.emplace_back([&, me] {
      std::mt19937 random{static_cast<unsigned>(me)};
      std::vector<std::byte> local(kPart);
      std::vector<std::byte> back(kPart);
      for (int turn = 0; turn < 60 && failures[me].empty(); ++turn) {
        const std::size_t bytes = 1 + random() % (turn % 4 == 0 ? kPart : 3000);
        const std::size_t offset = me * kPart + random() % (kPart - bytes + 1);
        for (std::size_t i = 0; i < bytes; ++i) local[i] = static_cast<std::byte>(random());
        Status status = memory_->write(One{offset, local.data(), bytes});
        if (status) status = memory_->flush();
        if (status && std::memcmp(peer_.memory() + offset, local.data(), bytes) != 0) failures[me] = "bytes in memory";
        if (status) status = memory_->read(One{offset, back.data(), bytes});
        if (status) status = memory_->flush();
        if (!status)
          failures[me] = status.error().message;
        else if (std::memcmp(back.data(), local.data(), bytes) != 0)
          failures[me] = "bytes read";
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

TEST_P(RemoteMemoryContract, PiecesBeyondTheEndAreRangeErrorsAndMoveNothing) {
  auto local = random_bytes(64);
  const std::vector<std::byte> before(peer_.memory(), peer_.memory() + kBytes);
  for (const Piece& bad : {Piece{kBytes, local.data(), 1}, Piece{kBytes - 63, local.data(), 64},
                           Piece{~std::uint64_t{0}, local.data(), 2}, Piece{kBytes + 1, local.data(), 0}}) {
    const Piece pieces[] = {{0, local.data(), 64}, bad};
    const Status written = memory_->write(pieces);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Code::range);
    const Status got = memory_->read(pieces);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::range);
  }
  ASSERT_TRUE(memory_->flush());
  EXPECT_EQ(std::memcmp(before.data(), peer_.memory(), kBytes), 0);
  EXPECT_TRUE(memory_->write(One{kBytes, local.data(), 0}));
}

TEST_P(RemoteMemoryContract, WritingToReadOnlyMemoryIsAnAccessError) {
  const auto part = peer_.share(endpoint_, 0, 4096, false);
  const auto memory = client_->open(part.key, part.base, 4096, Protection::read_only);
  auto local = random_bytes(8);
  const Status written = memory->write(One{0, local.data(), 8});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::access);
  EXPECT_TRUE(memory->read(One{0, local.data(), 8}));
  EXPECT_TRUE(memory->flush());
  EXPECT_EQ(memory->size_bytes(), 4096U);
}

TEST_P(RemoteMemoryContract, OneFlushCompletesAllRegionsOfAClient) {
  const auto far = peer_.share(endpoint_, kBytes / 2, 4096);
  const auto other = client_->open(far.key, far.base, 4096, Protection::read_write);
  auto local = random_bytes(16);
  for (int turn = 0; turn < 200; ++turn) {
    local[0] = local[8] = static_cast<std::byte>(turn);
    ASSERT_TRUE(memory_->write(One{0, local.data(), 8}));
    ASSERT_TRUE(other->write(One{0, local.data() + 8, 8}));
    ASSERT_TRUE(client_->flush());
    ASSERT_EQ(std::memcmp(peer_.memory(), local.data(), 8), 0);
    ASSERT_EQ(std::memcmp(peer_.memory() + kBytes / 2, local.data() + 8, 8), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Fabric, RemoteMemoryContract, ::testing::ValuesIn(kSettings),
                         [](const auto& chosen) { return std::string{chosen.param.name}; });

}  // namespace
}  // namespace psnam::test
