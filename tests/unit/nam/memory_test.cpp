#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "nam/folder.hpp"
#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

class StoreMemory : public test::StoreTest {
 protected:
  [[nodiscard]] std::uint64_t blocks_of(const std::string& area, std::uint64_t id) const {
    struct stat status {};
    if (::stat((folder() / area / file_name(id)).c_str(), &status) != 0) return 0;
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
};

TEST_F(StoreMemory, IsZeroedTakenAndShared) {
  auto mine = store().create_memory(5, 100000, format::Reserve::full);
  ASSERT_TRUE(mine) << mine.error().message;
  EXPECT_EQ(mine->mapping.bytes(), 100000U);
  EXPECT_TRUE(std::all_of(mine->mapping.data(), mine->mapping.data() + mine->mapping.bytes(),
                          [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_GE(blocks_of("memory", 5), 100000U);
  auto other = store().open_memory(5, 100000, Protection::read_only);
  ASSERT_TRUE(other) << other.error().message;
  mine->mapping.data()[99999] = std::byte{42};
  EXPECT_EQ(other->mapping.data()[99999], std::byte{42});
}

TEST_F(StoreMemory, LazyTakesNothingUntilTouched) {
  auto memory = store().create_memory(6, std::uint64_t{1} << 34, format::Reserve::lazy);
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_EQ(blocks_of("memory", 6), 0U);
  memory->mapping.data()[(std::uint64_t{1} << 34) - 1] = std::byte{1};
  EXPECT_GT(blocks_of("memory", 6), 0U);
}

TEST_F(StoreMemory, OfNoBytesIsAFileToo) {
  const auto memory = store().create_memory(7, 0, format::Reserve::full);
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_TRUE(std::filesystem::exists(folder() / "memory" / file_name(7)));
  EXPECT_TRUE(store().open_memory(7, 0, Protection::read_write));
}

TEST_F(StoreMemory, TwiceIsAnError) {
  ASSERT_TRUE(store().create_memory(8, 1, format::Reserve::full));
  EXPECT_FAILS(store().create_memory(8, 1, format::Reserve::full), Code::system, "0000000000000008");
}

TEST_F(StoreMemory, ThatIsMissingIsNotFound) {
  EXPECT_FAILS(store().open_memory(9, 1, Protection::read_only), Code::name_not_found, "0000000000000009");
}

TEST_F(StoreMemory, ThatIsTooShortIsCorruptAndNeverABusError) {
  ASSERT_TRUE(store().create_memory(10, 4096, format::Reserve::full));
  EXPECT_FAILS(store().open_memory(10, 4097, Protection::read_only), Code::corrupt, "4097");
}

TEST_F(StoreMemory, MoreThanTheFileSystemHasIsNoMemoryAndLeavesNothing) {
  EXPECT_FAILS(store().create_memory(11, std::uint64_t{1} << 50, format::Reserve::full), Code::no_memory, "left");
  EXPECT_FAILS(store().create_memory(11, std::uint64_t{1} << 63, format::Reserve::lazy), Code::no_memory,
               "no file has");
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "memory"));
}

TEST_F(StoreMemory, ThatCannotBeMappedLeavesNothing) {
  // In a child, because the limit on the address space cannot be lifted again.
  test::Child child{[this] {
    const rlimit limit{.rlim_cur = std::uint64_t{3} << 30, .rlim_max = std::uint64_t{3} << 30};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return 2;
    const auto memory = store().create_memory(12, std::uint64_t{8} << 30, format::Reserve::lazy);
    if (memory || memory.error().code != Code::no_memory) return 3;
    return std::filesystem::is_empty(folder() / "memory") ? 0 : 4;
  }};
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(StoreMemory, ControlIsZeroedTakenAndGoesWithItsName) {
  auto mine = store().create_control(3, 4096);
  ASSERT_TRUE(mine) << mine.error().message;
  EXPECT_GE(blocks_of("control", 3), 4096U);
  auto other = store().open_control(3, 4096);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_TRUE(store().drop_control(3));
  EXPECT_TRUE(std::filesystem::is_empty(folder() / "control"));
  EXPECT_TRUE(store().drop_control(3)) << "once more is fine";
  mine->data()[0] = std::byte{1};
  EXPECT_EQ(other->data()[0], std::byte{1});
}

TEST_F(StoreMemory, IsNotHandedToPrograms) {
  const auto memory = store().create_memory(13, 4096, format::Reserve::full);
  ASSERT_TRUE(memory);
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(entry.path(), error).string();
    if (target.find(folder().string()) != 0) continue;
    std::ifstream info{"/proc/self/fdinfo/" + entry.path().filename().string()};
    std::string word;
    unsigned long flags = 0;
    while (info >> word)
      if (word == "flags:") info >> std::oct >> flags;
    EXPECT_NE(flags & 02000000UL, 0UL) << target << " is open across exec";
  }
}

}  // namespace
}  // namespace psnam::nam
