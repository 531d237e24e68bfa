#include "nam/sigbus_guard.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csetjmp>
#include <csignal>
#include <thread>
#include <vector>

#include "base/system.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

/// A file of some pages, mapped; cut() is what a client does to it.
class SigbusGuard : public ::testing::Test {
 protected:
  static constexpr std::size_t kPages = 8;

  void SetUp() override {
    page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    file_ = Fd{::memfd_create("guarded", MFD_CLOEXEC)};
    ASSERT_TRUE(file_.valid());
    ASSERT_EQ(::ftruncate(file_.get(), static_cast<off_t>(kPages * page_)), 0);
    auto mapping = Mapping::map(file_.get(), kPages * page_, Protection::read_write, "guarded");
    ASSERT_TRUE(mapping) << mapping.error().message;
    mapping_ = std::move(*mapping);
  }
  void cut(std::size_t pages) { ASSERT_EQ(::ftruncate(file_.get(), static_cast<off_t>(pages * page_)), 0); }
  /// The access is made, whatever becomes of its value.
  unsigned read(std::size_t page) { return *reinterpret_cast<volatile unsigned char*>(mapping_.data() + page * page_); }
  void write(std::size_t page, unsigned char value) {
    *reinterpret_cast<volatile unsigned char*>(mapping_.data() + page * page_) = value;
  }
  [[nodiscard]] Mapping& mapping() { return mapping_; }
  [[nodiscard]] std::size_t page() const { return page_; }

 private:
  std::size_t page_ = 0;
  Fd file_;
  Mapping mapping_;
};

TEST_F(SigbusGuard, AMissingPageIsOneOfZerosAndTheRangeIsMarked) {
  const auto range = GuardedRange::over(mapping().data(), mapping().bytes());
  ASSERT_TRUE(range) << range.error().message;
  write(1, 1);
  write(6, 6);
  EXPECT_FALSE(range->faulted());
  cut(4);
  EXPECT_EQ(read(6), 0U);
  EXPECT_TRUE(range->faulted());
  EXPECT_EQ(read(1), 1U);
  write(7, 7);
  EXPECT_EQ(read(7), 7U);
}

TEST_F(SigbusGuard, ManyThreadsMayFaultAtOnceWhileOthersRegister) {
  const auto range = GuardedRange::over(mapping().data(), mapping().bytes());
  ASSERT_TRUE(range);
  cut(0);
  std::vector<std::thread> threads;
  for (std::size_t page = 0; page < kPages; ++page)
    threads.emplace_back([this, page] {
      std::byte elsewhere{};
      for (int round = 0; round < 100; ++round) {
        const auto other = GuardedRange::over(&elsewhere, 1);
        EXPECT_TRUE(other);
        if (round == 50) {
          EXPECT_EQ(read(page), 0U);
        }
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(range->faulted());
}

TEST_F(SigbusGuard, MoreRangesThanATableHasAreAllGuarded) {
  std::vector<GuardedRange> others;
  std::byte elsewhere{};
  for (int count = 0; count < 3000; ++count) {
    auto other = GuardedRange::over(&elsewhere, 1);
    ASSERT_TRUE(other);
    others.push_back(std::move(*other));
  }
  const auto range = GuardedRange::over(mapping().data(), mapping().bytes());
  ASSERT_TRUE(range);
  cut(0);
  EXPECT_EQ(read(3), 0U);
  EXPECT_TRUE(range->faulted());
  EXPECT_FALSE(others.front().faulted());
}

TEST_F(SigbusGuard, AFaultInARangeThatIsGuardedNoMoreEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  {
    const auto range = GuardedRange::over(mapping().data(), mapping().bytes());
    ASSERT_TRUE(range);
  }
  cut(0);
  EXPECT_EXIT(read(2), ::testing::KilledBySignal(SIGBUS), "");
}

TEST_F(SigbusGuard, ASignalThatWasSentIsNotAFault) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const auto range = GuardedRange::over(mapping().data(), mapping().bytes());
        ::raise(SIGBUS);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

extern "C" void end_with_seven(int) { ::_exit(7); }

TEST_F(SigbusGuard, AFaultElsewhereGoesToTheFormerHandler) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        // A new process runs this alone, so no guard has been before.
        ::signal(SIGBUS, end_with_seven);
        std::byte elsewhere{};
        const auto range = GuardedRange::over(&elsewhere, 1);
        cut(0);
        read(2);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace psnam::nam
