// Every few instructions of an operation: a client is stopped there, and another does something, or the client is
// killed.
#include <signal.h>
#include <sys/ptrace.h>

#include <functional>
#include <stdexcept>

#include "support/child.hpp"
#include "unit/locks/lock_fixture.hpp"

namespace psnam::test {
namespace {

constexpr std::uint32_t kRanks = 3;

/// A client that is stopped `steps` instructions after it has begun with `operation`. Exits with what that returns.
class Stopped {
 public:
  Stopped(unsigned steps, const PageFile& page, const std::function<int(WindowLocks&)>& operation)
      : child_{[&] {
          const auto locks = page.attach();
          if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 100;
          ::raise(SIGSTOP);
          const int result = operation(*locks);
          ::raise(SIGUSR1);
          return result;
        }} {
    await_stop();
    for (unsigned i = 0; i < steps && !over_; ++i) {
      ::ptrace(PTRACE_SINGLESTEP, child_.pid(), nullptr, nullptr);
      over_ = await_stop() == SIGUSR1;
    }
  }
  /// Whether the operation has ended already.
  [[nodiscard]] bool over() const noexcept { return over_; }
  void kill() const {
    child_.kill();
    child_.wait_until_zombie();
  }
  /// Goes on to the end.
  int finish() {
    if (!over_) {
      ::ptrace(PTRACE_CONT, child_.pid(), nullptr, nullptr);
      await_stop();
    }
    ::ptrace(PTRACE_CONT, child_.pid(), nullptr, nullptr);
    return child_.wait();
  }

 private:
  int await_stop() const {
    int status = 0;
    if (::waitpid(child_.pid(), &status, 0) != child_.pid() || !WIFSTOPPED(status))
      throw std::runtime_error{"the child cannot be traced"};
    return WSTOPSIG(status);
  }

  Child child_;
  bool over_ = false;
};

/// Kills at one of `stride` instructions of `operation`, from the first to the last.
void kill_everywhere(unsigned stride, const std::function<void(WindowLocks&)>& operation) {
  const PageFile page{kRanks};
  const auto other = page.attach();
  unsigned points = 0;
  for (unsigned steps = 1;; steps += stride, ++points) {
    const Stopped client{steps, page, [&](WindowLocks& locks) { return operation(locks), 0; }};
    if (client.over()) break;
    client.kill();
    for (std::uint32_t rank = 0; rank < kRanks; ++rank) {
      LimitedWaiter waiter;
      ASSERT_TRUE(other->lock(rank, LockKind::exclusive, waiter));
      ASSERT_TRUE(other->unlock(rank));
    }
    other->lock_stripe(1);
    other->unlock_stripe(1);
  }
  EXPECT_GT(points, 20U);
}

/// Has `other` try its kind of lock at one of `stride` instructions of the lock of another kind.
void never_both(unsigned stride, LockKind kind, LockKind other_kind) {
  const PageFile page{kRanks};
  const auto other = page.attach();
  unsigned first_had = 0, other_had = 0;
  for (unsigned steps = 1;; steps += stride) {
    Stopped client{steps, page, [&](WindowLocks& locks) {
                     const auto had = locks.try_lock(1, kind);
                     return had && *had ? 1 : 0;
                   }};
    const auto had = other->try_lock(1, other_kind);
    ASSERT_TRUE(had);
    const bool over = client.over();
    // The client leaves when it ends, so what it had it says.
    const bool first = client.finish() == 1;
    EXPECT_FALSE(first && *had) << "after " << steps << " instructions";
    first_had += first;
    other_had += *had;
    if (*had) {
      ASSERT_TRUE(other->unlock(1));
    }
    if (over) break;
  }
  EXPECT_GT(first_had, 5U);
  EXPECT_GT(other_had, 5U);
}

TEST(LockStep, AWriterThatComesBetweenTheInstructionsOfAReaderIsNeverInTogetherWithIt) {
  never_both(2, LockKind::shared, LockKind::exclusive);
}

TEST(LockStep, AReaderThatComesBetweenTheInstructionsOfAWriterIsNeverInTogetherWithIt) {
  never_both(2, LockKind::exclusive, LockKind::shared);
}

TEST(LockStep, OfTwoWritersOneIsIn) { never_both(3, LockKind::exclusive, LockKind::exclusive); }

TEST(LockStep, WhoIsKilledInAnExclusiveLockLeavesItFree) {
  kill_everywhere(5, [](WindowLocks& locks) {
    NoPoll waiter;
    static_cast<void>(locks.lock(1, LockKind::exclusive, waiter));
    static_cast<void>(locks.unlock(1));
  });
}

TEST(LockStep, WhoIsKilledInASharedLockLeavesItFree) {
  kill_everywhere(5, [](WindowLocks& locks) {
    NoPoll waiter;
    static_cast<void>(locks.lock(2, LockKind::shared, waiter));
    static_cast<void>(locks.unlock(2));
  });
}

TEST(LockStep, WhoIsKilledLockingAllRanksOrAStripeLeavesThemFree) {
  kill_everywhere(7, [](WindowLocks& locks) {
    NoPoll waiter;
    static_cast<void>(locks.lock_all(waiter));
    locks.lock_stripe(1);
    locks.unlock_stripe(1);
    static_cast<void>(locks.unlock_all());
  });
}

}  // namespace
}  // namespace psnam::test
