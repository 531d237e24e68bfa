#include "base/system.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace psnam {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
bool is_mapped(const void* address, std::size_t bytes) {
  return ::msync(const_cast<void*>(address), bytes, MS_ASYNC) == 0;
}

Fd memory_file(std::size_t bytes) {
  Fd fd{::memfd_create("system_test", MFD_CLOEXEC)};
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  return fd;
}

TEST(SystemError, HasTextNumberAndAFittingCode) {
  const Error error = system_error("opening /x", ENOENT);
  EXPECT_EQ(error.message, std::string{"opening /x: "} + std::strerror(ENOENT));
  EXPECT_EQ(error.detail, ENOENT);
  EXPECT_EQ(error.code, Code::system);
  for (const int number : {ENOSPC, ENOMEM, EDQUOT, EMFILE, ENFILE, EFBIG})
    EXPECT_EQ(system_error("x", number).code, Code::no_memory) << number;
  for (const int number : {EACCES, EPERM, EROFS}) EXPECT_EQ(system_error("x", number).code, Code::access) << number;
}

TEST(OwnedDescriptor, ClosesItself) {
  int number = -1;
  {
    const Fd fd = memory_file(1);
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(OwnedDescriptor, MovesWithoutClosing) {
  Fd first = memory_file(1);
  const int number = first.get();
  Fd second{std::move(first)};
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(is_open(number));
  Fd third = memory_file(1);
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(number));
  EXPECT_EQ(third.get(), number);
}

TEST(OwnedDescriptor, OfNothingIsNotValid) { EXPECT_FALSE(Fd{}.valid()); }

TEST(OwnedMapping, IsSharedAndUnmapsItself) {
  const Fd fd = memory_file(4096);
  const std::byte* address = nullptr;
  {
    auto first = Mapping::map(fd.get(), 4096, Protection::read_write, "a file");
    auto second = Mapping::map(fd.get(), 4096, Protection::read_only, "a file");
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->bytes(), 4096U);
    first->data()[4095] = std::byte{42};
    EXPECT_EQ(second->data()[4095], std::byte{42});
    address = first->data();
    const Mapping moved = std::move(*first);
    EXPECT_EQ(moved.data(), address);
    EXPECT_EQ(first->data(), nullptr);
    EXPECT_TRUE(is_mapped(address, 4096));
  }
  EXPECT_FALSE(is_mapped(address, 4096));
}

TEST(OwnedMapping, OutlivesItsDescriptor) {
  Mapping mapping;
  {
    const Fd fd = memory_file(4096);
    auto mapped = Mapping::map(fd.get(), 4096, Protection::read_write, "a file");
    ASSERT_TRUE(mapped);
    mapping = std::move(*mapped);
  }
  mapping.data()[0] = std::byte{1};
  EXPECT_EQ(mapping.data()[0], std::byte{1});
}

TEST(OwnedMapping, OfARangeBeginsAtItsFirstByteAndUnmapsTheWholePagesAroundIt) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const Fd fd = memory_file(4 * page);
  std::byte* first_page = nullptr;
  {
    auto whole = Mapping::map(fd.get(), 4 * page, Protection::read_write, "a file");
    auto range = Mapping::map_range(fd.get(), page + 100, page, Protection::read_write, "a file");
    ASSERT_TRUE(whole && range);
    EXPECT_EQ(range->bytes(), page);
    range->data()[0] = std::byte{7};
    range->data()[page - 1] = std::byte{8};
    EXPECT_EQ(whole->data()[page + 100], std::byte{7});
    EXPECT_EQ(whole->data()[2 * page + 99], std::byte{8});
    first_page = range->data() - 100;
    EXPECT_TRUE(is_mapped(first_page, 2 * page));
    const Mapping moved = std::move(*range);
    EXPECT_EQ(moved.data(), first_page + 100);
  }
  EXPECT_FALSE(is_mapped(first_page, page));
  EXPECT_FALSE(is_mapped(first_page + page, page));
}

TEST(OwnedMapping, OfNoBytesIsEmpty) {
  const auto mapping = Mapping::map(-1, 0, Protection::read_write, "nothing");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->data(), nullptr);
  EXPECT_EQ(mapping->bytes(), 0U);
}

TEST(OwnedMapping, ARefusalNamesSizeAndSubject) {
  const auto mapping = Mapping::map(-1, 4096, Protection::read_write, "the thing");
  ASSERT_FALSE(mapping);
  EXPECT_NE(mapping.error().message.find("4096 bytes of the thing"), std::string::npos) << mapping.error().message;
  EXPECT_EQ(mapping.error().detail, EBADF);
}

}  // namespace
}  // namespace psnam
