// Clients killed while they lock, hold and unlock: at random instants among others that live, and at every instruction
// of an operation.
#include <signal.h>
#include <time.h>

#include <array>
#include <cstdio>
#include <deque>
#include <random>
#include <vector>

#include "base/log.hpp"
#include "base/process.hpp"
#include "support/child.hpp"
#include "unit/locks/lock_fixture.hpp"

namespace psnam::test {
namespace {

constexpr std::uint32_t kRanks = 3;
constexpr std::size_t kStripes = 2;
constexpr std::size_t kSeats = 4;
constexpr unsigned kSeed = 20211;

/// Who is inside, written by those who are. A name that a dead process left counts as nobody.
struct Field {
  std::array<std::atomic<std::uint64_t>, kRanks> writer;
  std::array<std::array<std::atomic<std::uint64_t>, kSeats>, kRanks> reader;
  std::array<std::atomic<std::uint64_t>, kStripes> stripe;
  std::atomic<std::uint64_t> violations;
  std::atomic<std::uint64_t> turns_of_survivor;
  std::atomic<bool> end;
};

bool lives(std::uint64_t name) {
  if (name == 0) return false;
  const auto process = format::LockIdentity::decode(name);
  return !process_has_ended(process.pid, process.start_time_ticks);
}

/// Does everything that one can do with locks, in random order, and notes whom it meets inside.
class Worker {
 public:
  Worker(const PageFile& page, Field& field, std::size_t seat, std::uint64_t seed)
      : page_{page}, field_{field}, seat_{seat}, random_{seed}, locks_{page.attach()} {
    const auto process = nam::this_process(0);
    name_ = format::LockIdentity{process->pid, 0, process->start_time_ticks}.encode();
  }

  void turn() {
    const auto rank = static_cast<std::uint32_t>(random_() % kRanks);
    LimitedWaiter waiter;
    switch (random_() % 8) {
      case 0:
      case 1:
        require(locks_->lock(rank, LockKind::exclusive, waiter));
        write(rank);
        require(locks_->unlock(rank));
        break;
      case 2:
        require(locks_->lock(rank, LockKind::shared, waiter));
        read(rank);
        require(locks_->unlock(rank));
        break;
      case 3:
        require(locks_->lock_all(waiter));
        for (std::uint32_t each = 0; each < kRanks; ++each) read(each);
        require(locks_->unlock_all());
        break;
      case 4:
        require(locks_->lock(0, LockKind::exclusive, waiter));
        require(locks_->lock(1, LockKind::exclusive, waiter));
        write(0);
        write(1);
        require(locks_->unlock(0));
        require(locks_->unlock(1));
        break;
      case 5:
        if (const auto had = locks_->try_lock(rank, LockKind::exclusive); had && *had) {
          write(rank);
          require(locks_->unlock(rank));
        }
        break;
      case 6:
        change(rank % kStripes);
        break;
      default:
        if (random_() % 4 != 0) break;
        locks_.reset();
        locks_ = page_.attach();
    }
  }

 private:
  void require(Status status) {
    if (status) return;
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    ++field_.violations;
  }
  void meet(std::uint64_t other) {
    if (other != name_ && lives(other)) ++field_.violations;
  }
  void write(std::uint32_t rank) {
    meet(field_.writer[rank].exchange(name_));
    for (const auto& reader : field_.reader[rank]) meet(reader.load());
    if (random_() % 2 == 0) ::sched_yield();
    if (field_.writer[rank].exchange(0) != name_) ++field_.violations;
  }
  void read(std::uint32_t rank) {
    field_.reader[rank][seat_].store(name_);
    meet(field_.writer[rank].load());
    if (random_() % 2 == 0) ::sched_yield();
    meet(field_.writer[rank].load());
    field_.reader[rank][seat_].store(0);
  }
  void change(std::size_t stripe) {
    locks_->lock_stripe(stripe);
    meet(field_.stripe[stripe].exchange(name_));
    if (field_.stripe[stripe].exchange(0) != name_) ++field_.violations;
    locks_->unlock_stripe(stripe);
  }

  const PageFile& page_;
  Field& field_;
  std::size_t seat_;
  std::uint64_t name_ = 0;
  std::mt19937_64 random_;
  std::unique_ptr<WindowLocks> locks_;
};

void kill_me_in(long microseconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  const itimerspec when{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = microseconds * 1000}};
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || ::timer_settime(timer, 0, &when, nullptr) != 0)
    std::abort();
}

/// The survivor does `turns` more.
void await_turns(const Field& field, std::uint64_t turns) {
  const auto before = field.turns_of_survivor.load();
  const auto start = Clock::now();
  while (field.turns_of_survivor.load() < before + turns && Clock::now() - start < kLimit) std::this_thread::yield();
  ASSERT_GE(field.turns_of_survivor.load(), before + turns);
}

TEST(LockKill, AfterEachOfThreeHundredKillsAtRandomInstantsTheLocksHoldAndAllGetOn) {
  constexpr unsigned kKills = 300;
  std::printf("seed %u\n", kSeed);
  const PageFile page{kRanks};
  const Shared<Field> field;
  std::mt19937_64 random{kSeed};
  Child survivor{[&] {
    Worker worker{page, *field, kSeats - 1, kSeed};
    for (; !field->end.load(); ++field->turns_of_survivor) worker.turn();
    return 0;
  }};
  std::deque<Child> victims;
  for (unsigned i = 0; i < kKills; ++i) {
    const auto seed = random();
    const auto lifetime_us = static_cast<long>(50 + random() % 4000);
    victims.emplace_back([&, i, seed, lifetime_us] {
      kill_me_in(lifetime_us);
      Worker worker{page, *field, i % (kSeats - 1), seed};
      for (;;) worker.turn();
      return 0;
    });
    if (victims.size() < kSeats - 1) continue;
    ASSERT_EQ(victims.front().wait(), -SIGKILL);
    victims.pop_front();
    ASSERT_NO_FATAL_FAILURE(await_turns(*field, 20)) << "after kill " << i;
  }
  for (auto& victim : victims) ASSERT_EQ(victim.wait(), -SIGKILL);
  ASSERT_NO_FATAL_FAILURE(await_turns(*field, 100));
  field->end = true;
  EXPECT_EQ(survivor.wait(), 0);
  Worker last{page, *field, 0, 1};
  for (int i = 0; i < 100; ++i) last.turn();
  EXPECT_EQ(field->violations.load(), 0U);
}

class LockDeath : public ::testing::Test {
 protected:
  /// Has a child do `operation` and be killed; gives the log of what follows.
  template <class Operation, class After>
  std::string after_death(Operation operation, After after) {
    Child child{[&] {
      const auto locks = page_.attach();
      operation(*locks);
      return ::kill(::getpid(), SIGKILL);
    }};
    child.wait_until_zombie();
    pid_ = child.pid();
    const auto start = Clock::now();
    ::testing::internal::CaptureStderr();
    after(*locks_);
    EXPECT_LT(Clock::now() - start, std::chrono::seconds{5});
    return ::testing::internal::GetCapturedStderr();
  }
  [[nodiscard]] std::string told(const std::string& what) const {
    return "psnam: warning: process " + std::to_string(pid_) + " has ended while it held of a window's locks: " + what +
           "; they are free again\n";
  }

  PageFile page_{kRanks};
  std::unique_ptr<WindowLocks> locks_ = page_.attach();
  NoPoll none_;
  LimitedWaiter waiter_;
  pid_t pid_ = 0;
};

TEST_F(LockDeath, AnExclusiveLockIsTakenOverAndTold) {
  const auto text = after_death([&](WindowLocks& locks) { EXPECT_TRUE(locks.lock(1, LockKind::exclusive, none_)); },
                                [&](WindowLocks& locks) { EXPECT_TRUE(locks.lock(1, LockKind::shared, waiter_)); });
  EXPECT_EQ(text, told("rank 1 exclusively"));
}

TEST_F(LockDeath, ASharedLockIsTakenOverByAWriter) {
  const auto text = after_death(
      [&](WindowLocks& locks) {
        EXPECT_TRUE(locks.lock(0, LockKind::shared, none_));
        EXPECT_TRUE(locks.lock(2, LockKind::shared, none_));
      },
      [&](WindowLocks& locks) { EXPECT_TRUE(locks.lock(2, LockKind::exclusive, waiter_)); });
  EXPECT_EQ(text, told("rank 0 shared, rank 2 shared"));
}

TEST_F(LockDeath, ALockOnAllRanksIsTakenOverByAWriter) {
  const auto text = after_death([&](WindowLocks& locks) { EXPECT_TRUE(locks.lock_all(none_)); },
                                [&](WindowLocks& locks) { EXPECT_TRUE(locks.lock(2, LockKind::exclusive, waiter_)); });
  EXPECT_EQ(text, told("all ranks shared"));
}

TEST_F(LockDeath, AStripeIsTakenOver) {
  const auto text =
      after_death([&](WindowLocks& locks) { locks.lock_stripe(7); }, [&](WindowLocks& locks) { locks.lock_stripe(7); });
  EXPECT_EQ(text, told("stripe 7"));
}

TEST_F(LockDeath, AllRanksAreHadAfterTheDeathOfAWriter) {
  const auto text = after_death([&](WindowLocks& locks) { EXPECT_TRUE(locks.lock(1, LockKind::exclusive, none_)); },
                                [&](WindowLocks& locks) { EXPECT_TRUE(locks.lock_all(waiter_)); });
  EXPECT_EQ(text, told("rank 1 exclusively"));
}

TEST_F(LockDeath, WhoDiesInTheQueueHoldsNobodyUp) {
  ASSERT_TRUE(locks_->lock(1, LockKind::exclusive, waiter_));
  const Signal queued;
  class SignalWaiter final : public nam::Waiter {
   public:
    explicit SignalWaiter(const Signal& signal) : signal_{signal} {}
    void poll() noexcept override {
      if (!std::exchange(told_, true)) signal_.give();
    }

   private:
    const Signal& signal_;
    bool told_ = false;
  } in_queue{queued};
  Child child{[&] {
    const auto locks = page_.attach();
    return locks->lock(1, LockKind::exclusive, in_queue).ok() ? 0 : 1;
  }};
  queued.await();
  child.kill();
  child.wait_until_zombie();
  ASSERT_TRUE(locks_->unlock(1));
  const auto start = Clock::now();
  ASSERT_TRUE(locks_->lock(1, LockKind::exclusive, waiter_));
  EXPECT_LT(Clock::now() - start, std::chrono::seconds{5});
}

TEST_F(LockDeath, TheGuardOfWhoDiedInsideIsTakenOver) {
  Child child{[] { return 0; }};
  child.wait_until_zombie();
  const auto me = nam::this_process(0);
  ASSERT_TRUE(me);
  const Mapping raw = page_.map();
  auto& guard = reinterpret_cast<format::LockHeader*>(raw.data())->guard;
  guard = format::LockIdentity{static_cast<std::uint32_t>(child.pid()), 0, me->start_time_ticks + 1}.encode();
  EXPECT_TRUE(page_.try_attach());
  EXPECT_EQ(guard.load(), 0U);
}

}  // namespace
}  // namespace psnam::test
