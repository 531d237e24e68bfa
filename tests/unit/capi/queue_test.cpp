// The queue of notifications in its page.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include "nam/notifications.hpp"
#include "support/child.hpp"
#include "support/store_fixture.hpp"

namespace psnam::test {
namespace {

using nam::Notifications;

class Queue : public StoreTest {
 protected:
  static constexpr std::uint64_t kId = 7;

  Mapping page() {
    auto mapping = store().notification_page(kId);
    if (!mapping) {
      ADD_FAILURE() << mapping.error().message;
      return {};
    }
    return std::move(*mapping);
  }
  static format::NotifyPage& contents(const Mapping& mapping) {
    return *reinterpret_cast<format::NotifyPage*>(mapping.data());
  }
  static Notifications::Clock::time_point now() { return Notifications::Clock::now(); }
};

TEST_F(Queue, WhoeverDiesWithTheLockLeavesTheQueueAsItWas) {
  auto queue = Notifications::over(page());
  ASSERT_TRUE(queue);
  ASSERT_TRUE(*queue->post(1, now()));
  const Mapping mapping = page();
  Child holder{[&] {
    // Dies between value and count.
    auto& shared = contents(mapping);
    if (::pthread_mutex_lock(reinterpret_cast<pthread_mutex_t*>(shared.mutex)) != 0) return 1;
    shared.values[shared.posted % format::kNotifyCapacity] = 99;
    ::kill(::getpid(), SIGKILL);
    return 2;
  }};
  ASSERT_EQ(holder.wait(), -SIGKILL);
  const auto posted = queue->post(2, now());
  ASSERT_TRUE(posted) << posted.error().message;
  EXPECT_EQ(*queue->size(), 2U);
  EXPECT_EQ(**queue->take(now()), 1U);
  EXPECT_EQ(**queue->take(now()), 2U);
  EXPECT_FALSE(queue->take(now())->has_value());
}

TEST_F(Queue, APageOfAnotherBootIsMadeReadyAgainAndKeepsItsValues) {
  auto queue = Notifications::over(page());
  ASSERT_TRUE(queue && *queue->post(5, now()));
  {
    // As a machine leaves it that lost its power: locked, by nobody.
    const Mapping mapping = page();
    contents(mapping).boot = format::random_uuid();
    contents(mapping).mutex[0] = 77;  // a thread of that boot
  }
  auto again = Notifications::over(page());
  ASSERT_TRUE(again);
  const auto value = again->take(now());
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(**value, 5U);
}

TEST_F(Queue, AnotherVersionAndOtherContentsAreRefused) {
  contents(page()).version += std::uint64_t{1} << 32;
  EXPECT_FAILS(Notifications::over(page()), Code::incompatible, "has version 2, this library speaks version 1");
  contents(page()).version = 0x1234;
  EXPECT_FAILS(Notifications::over(page()), Code::corrupt, "begins with 0x1234");
}

TEST_F(Queue, APageWithoutItsAllocationIsFoundByTheCheckAndSweptAway) {
  ASSERT_TRUE(page().data() != nullptr);  // of an allocation that never was
  const auto findings = store().check();
  ASSERT_TRUE(findings) << findings.error().message;
  ASSERT_EQ(findings->size(), 1U);
  EXPECT_NE(findings->front().find("notifications/0000000000000007 belongs to no allocation"), std::string::npos);
  ASSERT_TRUE(store().collect());
  expect_empty();
}

TEST_F(Queue, CountsThatCannotBeAreCorrupt) {
  auto queue = Notifications::over(page());
  ASSERT_TRUE(queue);
  contents(page()).posted = 5000;
  EXPECT_FAILS(queue->take(now()), Code::corrupt, "5000 came and 0 were taken");
}

}  // namespace
}  // namespace psnam::test
