// Processes that want the same locks: exactness, progress of all, and readers together.
#include <array>
#include <vector>

#include "support/child.hpp"
#include "unit/locks/lock_fixture.hpp"

namespace psnam::test {
namespace {

constexpr std::uint32_t kRanks = 4;
constexpr std::size_t kProcesses = 8;

struct Board {
  std::atomic<std::size_t> ready;
  std::atomic<std::uint64_t> rounds;
  std::array<std::atomic<std::uint64_t>, kProcesses> share;
  std::array<std::uint64_t, kRanks> counters;  // not atomic: the locks are what keeps them
  std::atomic<std::uint32_t> readers;
};

/// Runs `body(locks, number)` in processes that begin together; the first `groups` in process groups of their own, as
/// jobs are.
template <class Body>
void run(const PageFile& page, const Shared<Board>& board, std::size_t processes, std::size_t groups, Body body) {
  std::vector<Child> children;
  for (std::size_t i = 0; i < processes; ++i)
    children.emplace_back([&, i] {
      if (i < groups) ::setpgid(0, 0);
      const auto locks = page.attach();
      ++board->ready;
      while (board->ready.load() < processes) std::this_thread::yield();
      return body(*locks, i) ? 0 : 1;
    });
  for (auto& child : children) EXPECT_EQ(child.wait(), 0);
}

TEST(LockContention, IncrementsOfTwoJobsUnderExclusiveLocksAreExact) {
  const PageFile page{kRanks};
  const Shared<Board> board;
  constexpr std::uint64_t kTurns = 4'000;
  run(page, board, 4, 2, [&](WindowLocks& locks, std::size_t me) {
    NoPoll waiter;
    bool good = true;
    for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
      const auto rank = static_cast<std::uint32_t>((turn + me) % kRanks);
      good &= locks.lock(rank, LockKind::exclusive, waiter).ok();
      const std::uint64_t before = board->counters[rank];
      if (turn % 16 == 0) std::this_thread::yield();  // so that others come while the lock is held
      board->counters[rank] = before + 1;
      good &= locks.unlock(rank).ok();
    }
    return good;
  });
  std::uint64_t sum = 0;
  for (const auto counter : board->counters) sum += counter;
  EXPECT_EQ(sum, 4 * kTurns);
}

TEST(LockContention, EightProcessesAllGetTheirShare) {
  const PageFile page{kRanks};
  const Shared<Board> board;
  constexpr std::uint64_t kRounds = 4'000;
  run(page, board, kProcesses, 2, [&](WindowLocks& locks, std::size_t me) {
    NoPoll waiter;
    while (board->rounds.load() < kRounds) {
      if (!locks.lock(2, LockKind::exclusive, waiter)) return false;
      ++board->rounds;
      ++board->share[me];
      std::this_thread::yield();  // so that the others come, whatever the number of processors
      if (!locks.unlock(2)) return false;
    }
    return true;
  });
  for (std::size_t i = 0; i < kProcesses; ++i)
    EXPECT_GT(board->share[i].load(), kRounds / kProcesses / 4) << "process " << i;
}

TEST(LockContention, ReadersAreInsideTogether) {
  const PageFile page{kRanks};
  const Shared<Board> board;
  run(page, board, 3, 1, [&](WindowLocks& locks, std::size_t) {
    NoPoll waiter;
    if (!locks.lock(1, LockKind::shared, waiter)) return false;
    ++board->readers;
    while (board->readers.load() < 3) std::this_thread::yield();  // ends only if all three are in
    return locks.unlock(1).ok();
  });
}

TEST(LockContention, AllRanksAndSingleOnesBothGetOn) {
  const PageFile page{kRanks};
  const Shared<Board> board;
  constexpr std::uint64_t kTurns = 400;
  run(page, board, kProcesses, 2, [&](WindowLocks& locks, std::size_t me) {
    NoPoll waiter;
    bool good = true;
    for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
      if (me % 4 == 0) {
        good &= locks.lock_all(waiter).ok();
        std::array<std::uint64_t, kRanks> before = board->counters;
        std::this_thread::yield();
        good &= before == board->counters;
        good &= locks.unlock_all().ok();
        continue;
      }
      // One after another, the first held while the second is waited for, in an order that all of them keep.
      const auto first = static_cast<std::uint32_t>(turn % (kRanks - 1));
      good &= locks.lock(first, LockKind::exclusive, waiter).ok() &&
              locks.lock(first + 1, LockKind::exclusive, waiter).ok();
      ++board->counters[first];
      ++board->counters[first + 1];
      good &= locks.unlock(first).ok() && locks.unlock(first + 1).ok();
    }
    return good;
  });
  std::uint64_t sum = 0;
  for (const auto counter : board->counters) sum += counter;
  EXPECT_EQ(sum, 2 * kTurns * (kProcesses - kProcesses / 4));
}

}  // namespace
}  // namespace psnam::test
