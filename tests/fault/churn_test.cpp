// A job of two ranks that makes, fills, keeps, publishes, removes windows, over and over, until its own timer kills it:
// all of it, launcher included, or the one rank. The instant is a random one within a chosen phase, by the time that
// phase has taken so far. Each job begins by looking at everything the one before has left.
#include "churn_board.hpp"

#include <csignal>
#include <ctime>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRanks = 2;
constexpr int kSlots = 6;   ///< names in use; a slot's structure follows from its number
constexpr int kWarmUp = 6;  ///< iterations before the kill, to learn how long the phases take
constexpr int kMostIterations = 2000;

// For the signal handler.
Board* g_board = nullptr;
std::array<pid_t, 4> g_victims{};  ///< in this order, self last; 0: none

void kill_now(int) {
  g_board->fired.store(1);
  for (const pid_t victim : g_victims)
    if (victim > 0) ::kill(victim, SIGKILL);
}

/// The ranks are children of a proxy, and that is one of the launcher.
pid_t parent_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(file, line);)
    if (line.rfind("PPid:", 0) == 0) return std::stoi(line.substr(5));
  return 0;
}

Shape shape_of(int slot) {
  constexpr const char* kStructures[] = {"managed_distributed", "managed_contiguous", "raw_and_flat"};
  return {kStructures[slot % 3]};
}
/// Windows that are persistent from the start may be found half filled; the others are filled first.
bool is_born_persistent(int slot) { return slot >= 4; }
std::string name_of(int slot) { return "churn." + std::to_string(slot); }
std::string service_of(int slot) { return "churn service " + std::to_string(slot); }

std::size_t bytes_of(int slot, int rank) {
  // Rank 1 of the shape gives nothing; here it does, so that both ranks take memory.
  return shape_of(slot).structure == "raw_and_flat" ? shape_of(slot).size_of_rank(rank)
                                                    : shape_of(slot).size_of_rank(2 * rank);
}

class Churn : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(world_size(), kRanks);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    g_board = open_board(argument("board"));
    ASSERT_NE(g_board, nullptr);
  }

  void enter(Phase phase) {
    const auto now = Clock::now();
    took_[static_cast<std::size_t>(phase_)] = now - since_;
    phase_ = phase;
    since_ = now;
    g_board->phase[world_rank()].store(static_cast<std::uint32_t>(phase));
    if (phase == target_ && armed_) shoot();
  }

  /// Looks for the window of `slot`; if it is there, it is whole.
  MPI_Win find(int slot) {
    MPI_Comm inter = MPI_COMM_NULL;
    const int rc = connect(name_of(slot), inter);
    if (rc != MPI_SUCCESS) {
      EXPECT_EQ(error_class(rc), MPI_ERR_PORT) << error_text(rc);
      return MPI_WIN_NULL;
    }
    MPI_Win win = window_on(inter);
    EXPECT_EQ(MPI_Comm_free(&inter), MPI_SUCCESS);
    return win;
  }

  void expect_whole(MPI_Win win, int slot) {
    std::array<std::vector<std::uint8_t>, kRanks> data;
    MPI_Win_fence(0, win);
    for (int rank = 0; rank < kRanks; ++rank) {
      auto& region = data[static_cast<std::size_t>(rank)];
      region.assign(bytes_of(slot, rank), 0xEE);
      EXPECT_EQ(get_bytes(win, rank, region), MPI_SUCCESS);
    }
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    for (int rank = 0; rank < kRanks; ++rank) {
      MPI_Aint size = -1;
      int unit = -1;
      EXPECT_EQ(MPI_Win_shared_query(win, rank, &size, &unit, nullptr), MPI_SUCCESS);
      EXPECT_EQ(size, static_cast<MPI_Aint>(bytes_of(slot, rank)));
      const auto& region = data[static_cast<std::size_t>(rank)];
      if (!is_born_persistent(slot)) {
        EXPECT_EQ(first_difference(region, slot, rank), -1) << name_of(slot) << " rank " << rank;
        continue;
      }
      for (std::size_t i = 0; i < region.size(); ++i)
        ASSERT_TRUE(region[i] == 0 || region[i] == pattern(slot, rank, i))
            << name_of(slot) << " rank " << rank << " byte " << i;
    }
  }

  /// A service leads to the window that can be connected to, or does not exist.
  void expect_service(int slot, bool window_exists) {
    char port[MPI_MAX_PORT_NAME] = "";
    if (MPI_Lookup_name(service_of(slot).c_str(), MPI_INFO_NULL, port) != MPI_SUCCESS) return;
    EXPECT_TRUE(window_exists) << "the service leads to " << port << ", which does not exist";
    EXPECT_EQ(std::string{port}, name_of(slot));
  }

  void look_at_what_is_there() {
    for (int slot = 0; slot < kSlots; ++slot) {
      MPI_Win win = find(slot);
      expect_service(slot, win != MPI_WIN_NULL);
      if (win == MPI_WIN_NULL) continue;
      ++found_;
      expect_whole(win, slot);
      EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
    }
  }

  void remove_old(int slot) {
    enter(Phase::connect);
    MPI_Win win = find(slot);
    if (win == MPI_WIN_NULL) return;
    enter(Phase::set_info);
    EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_volatile"}}), MPI_SUCCESS);
    enter(Phase::free);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  }

  void set_consistency(MPI_Win win, const std::string& consistency) {
    enter(Phase::set_info);
    EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_" + consistency}}), MPI_SUCCESS);
  }

  void publish(int slot) {
    enter(Phase::publish);
    if (world_rank() != 0) return;
    const int rc = MPI_Publish_name(service_of(slot).c_str(), MPI_INFO_NULL, name_of(slot).c_str());
    EXPECT_EQ(rc, MPI_SUCCESS) << error_text(rc);
  }

  void iterate(int i) {
    const int slot = i % kSlots;
    remove_old(slot);
    enter(Phase::create);
    const Info info{
        {"psnam_manifestation", manifestation_of("mixed", world_rank())},
        {"psnam_structure", "psnam_structure_" + shape_of(slot).structure},
        {"psnam_consistency", is_born_persistent(slot) ? "psnam_consistency_persistent" : "psnam_consistency_volatile"},
        {"psnam_window_name", name_of(slot)}};
    MPI_Win win = allocate(info, bytes_of(slot, world_rank()), 1);
    enter(Phase::put);
    const auto data = pattern_of(slot, world_rank(), bytes_of(slot, world_rank()));
    MPI_Win_fence(0, win);
    EXPECT_EQ(put_bytes(win, world_rank(), data), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
    if (!is_born_persistent(slot)) set_consistency(win, "persistent");
    publish(slot);
    if (i % 5 == 0) {
      set_consistency(win, "volatile");
      set_consistency(win, "persistent");
    }
    if (i % 2 == 0) set_consistency(win, "volatile");
    enter(Phase::free);
    EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
    enter(Phase::idle);
  }

  /// Sets the timer to an instant within the phase that begins now.
  void shoot() {
    armed_ = false;
    const auto likely =
        std::max<std::int64_t>(std::chrono::nanoseconds{took_[static_cast<std::size_t>(target_)]}.count(), 2000);
    std::uniform_int_distribution<std::int64_t> instant{1, likely};
    itimerspec at{};
    const std::int64_t delay = instant(random_);
    at.it_value.tv_sec = static_cast<time_t>(delay / 1'000'000'000);
    at.it_value.tv_nsec = static_cast<long>(delay % 1'000'000'000);
    ::timer_settime(timer_, 0, &at, nullptr);
  }

  /// `what`: "job" or "rank". The victims are known before anything is timed.
  void make_timer(const std::string& what, int shooter) {
    g_board->pid[world_rank()] = static_cast<std::uint32_t>(::getpid());
    MPI_Barrier(MPI_COMM_WORLD);
    if (world_rank() != shooter) return;
    if (what == "job")
      g_victims = {static_cast<pid_t>(g_board->pid[1 - shooter]), parent_of(::getppid()), ::getppid(), ::getpid()};
    else
      g_victims = {0, 0, 0, ::getpid()};
    struct sigaction action {};
    action.sa_handler = kill_now;
    ASSERT_EQ(::sigaction(SIGRTMIN, &action, nullptr), 0);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer_), 0);
    has_timer_ = true;
  }

  std::array<Clock::duration, kPhases> took_{};
  Phase phase_ = Phase::idle;
  Phase target_ = Phase::idle;
  Clock::time_point since_ = Clock::now();
  std::mt19937_64 random_;
  timer_t timer_{};
  bool has_timer_ = false;
  bool armed_ = false;
  int found_ = 0;
};

TEST_F(Churn, GoesOnUntilItIsKilled) {
  const auto seed = std::stoull(argument("seed"));
  random_.seed(seed);
  target_ = static_cast<Phase>(std::stoul(argument("phase")));
  look_at_what_is_there();
  ASSERT_FALSE(HasFailure());
  make_timer(argument("kill"), static_cast<int>(seed % kRanks));
  // Where in the sequence of slots and in that of the phase's occurrences it happens is random too.
  const int start = static_cast<int>(random_() % (5 * kSlots));
  const int last = kWarmUp + static_cast<int>(random_() % kSlots);
  for (int i = 0; i < kMostIterations; ++i) {
    armed_ = armed_ || (has_timer_ && i == last);
    iterate(start + i);
    ASSERT_FALSE(HasFailure());
    if (world_rank() == 0) ++g_board->iterations;
  }
  FAIL() << "the timer has not fired";
}

/// After the last kill: everything is looked at and removed.
TEST_F(Churn, EndsWell) {
  look_at_what_is_there();
  if (world_rank() == 0) std::cout << "found " << found_ << " whole windows" << std::endl;
  for (int slot = 0; slot < kSlots; ++slot) {
    remove_old(slot);
    expect_no_window(name_of(slot));
  }
}

}  // namespace
}  // namespace psnam::test
