// Whoever waits in a call of ours, or looks again and again by calls of ours until something has come, lets the MPI
// library get on with what the program has begun: somebody may need just that before the wait can end.
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "window.hpp"

namespace psnam::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLongEnough = std::chrono::seconds{30};
constexpr int kAwaited = 1;  // tags: of the message that is awaited, and of one that is received only at the end
constexpr int kLast = 0;

/// Rank 1's synchronous send ends only when rank 0, whose receive is posted, gets on with it; then rank 1 puts a 1
/// where rank 0 looks for it.
class Progress : public testing::Test {
 protected:
  void SetUp() override {
    if (size_of(MPI_COMM_WORLD) < 2) GTEST_SKIP() << "needs two ranks";
  }

  /// Rank 0 calls `look`, which gives what it sees, until that is 1.
  void look_for_the_end_of_a_send(const std::function<int(MPI_Win)>& look) {
    const Info info{kPershm};
    const Window window{world_rank() == 0 ? static_cast<MPI_Aint>(sizeof(int)) : 0, 1, info};
    if (world_rank() == 0) receive_and_look(window, look);
    if (world_rank() == 1) send(window);
    MPI_Barrier(MPI_COMM_WORLD);
  }

 private:
  static void put(MPI_Win window, int value) {
    MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window);
    MPI_Put(&value, 1, MPI_INT, 0, 0, 1, MPI_INT, window);
    MPI_Win_unlock(0, window);
  }
  static void receive_and_look(MPI_Win window, const std::function<int(MPI_Win)>& look) {
    put(window, 0);
    MPI_Request request = MPI_REQUEST_NULL;
    int message = 0;
    MPI_Irecv(&message, 1, MPI_INT, 1, kAwaited, MPI_COMM_WORLD, &request);
    MPI_Send(nullptr, 0, MPI_INT, 1, kAwaited, MPI_COMM_WORLD);
    const auto deadline = Clock::now() + kLongEnough;
    int seen = 0;
    while (seen == 0 && Clock::now() < deadline) seen = look(window);
    EXPECT_EQ(seen, 1) << "the send has not ended while its receiver was looking";
    MPI_Wait(&request, MPI_STATUS_IGNORE);
  }
  static void send(MPI_Win window) {
    const int message = 1;
    MPI_Recv(nullptr, 0, MPI_INT, 0, kAwaited, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Ssend(&message, 1, MPI_INT, 0, kAwaited, MPI_COMM_WORLD);
    put(window, 1);
  }
};

int get(MPI_Win window, const std::function<int()>& complete) {
  int seen = 0;
  EXPECT_EQ(MPI_Get(&seen, 1, MPI_INT, 0, 0, 1, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(complete(), MPI_SUCCESS);
  return seen;
}

TEST_F(Progress, ASendEndsWhileItsReceiverLocksAndUnlocks) {
  look_for_the_end_of_a_send([](MPI_Win window) {
    MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window);
    return get(window, [&] { return MPI_Win_unlock(0, window); });
  });
}

TEST_F(Progress, ASendEndsWhileItsReceiverLocksAndUnlocksAll) {
  look_for_the_end_of_a_send([](MPI_Win window) {
    MPI_Win_lock_all(0, window);
    return get(window, [&] { return MPI_Win_unlock_all(window); });
  });
}

/// One form of completing a get that leaves the epoch open.
struct Completion {
  const char* name;
  int (*complete)(MPI_Win);
};
const Completion kCompletions[] = {{"Flush", [](MPI_Win w) { return MPI_Win_flush(0, w); }},
                                   {"FlushAll", [](MPI_Win w) { return MPI_Win_flush_all(w); }},
                                   {"FlushLocal", [](MPI_Win w) { return MPI_Win_flush_local(0, w); }},
                                   {"FlushLocalAll", [](MPI_Win w) { return MPI_Win_flush_local_all(w); }},
                                   {"Sync", [](MPI_Win w) { return MPI_Win_sync(w); }}};

class ProgressOf : public Progress, public testing::WithParamInterface<Completion> {};
INSTANTIATE_TEST_SUITE_P(Calls, ProgressOf, testing::ValuesIn(kCompletions),
                         [](const auto& each) { return std::string{each.param.name}; });

TEST_P(ProgressOf, ASendEndsWhileItsReceiverLooksAndCompletes) {
  bool open = false;
  MPI_Win used = MPI_WIN_NULL;
  look_for_the_end_of_a_send([&](MPI_Win window) {
    used = window;
    if (!std::exchange(open, true)) MPI_Win_lock_all(0, window);
    const int seen = get(window, [&] { return GetParam().complete(window); });
    if (seen != 0) MPI_Win_unlock_all(used);
    return seen;
  });
}

TEST_F(Progress, ASendEndsWhileItsReceiverWaitsForRequests) {
  bool open = false;
  look_for_the_end_of_a_send([&](MPI_Win window) {
    if (!std::exchange(open, true)) MPI_Win_lock_all(0, window);
    int seen = 0;
    MPI_Request request = MPI_REQUEST_NULL;
    EXPECT_EQ(MPI_Rget(&seen, 1, MPI_INT, 0, 0, 1, MPI_INT, window, &request), MPI_SUCCESS);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (seen != 0) MPI_Win_unlock_all(window);
    return seen;
  });
}

TEST_F(Progress, ASendEndsWhileItsReceiverIsInAFenceWithAnotherMessageStillToReceive) {
  const Info info{kPershm};
  const Window window{sizeof(int), 1, info};
  MPI_Request request = MPI_REQUEST_NULL;
  int message = 1;
  if (world_rank() == 0) {
    MPI_Probe(1, kLast, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Irecv(&message, 1, MPI_INT, 1, kAwaited, MPI_COMM_WORLD, &request);
    MPI_Send(nullptr, 0, MPI_INT, 1, kAwaited, MPI_COMM_WORLD);
  } else if (world_rank() == 1) {
    MPI_Send(nullptr, 0, MPI_INT, 0, kLast, MPI_COMM_WORLD);
    MPI_Recv(nullptr, 0, MPI_INT, 0, kAwaited, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Issend(&message, 1, MPI_INT, 0, kAwaited, MPI_COMM_WORLD, &request);
    const auto deadline = Clock::now() + kLongEnough;
    int ended = 0;
    while (ended == 0 && Clock::now() < deadline) MPI_Request_get_status(request, &ended, MPI_STATUS_IGNORE);
    EXPECT_EQ(ended, 1) << "the send has not ended while its receiver was in the fence";
  }
  window.fence();
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  if (world_rank() == 0) MPI_Recv(nullptr, 0, MPI_INT, 1, kLast, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

}  // namespace
}  // namespace psnam::test
