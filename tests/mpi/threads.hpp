// Threads of one process for the tests with MPI_THREAD_MULTIPLE.
#pragma once

#include <latch>
#include <thread>
#include <vector>

namespace psnam::test {

inline constexpr int kThreads = 4;

/// Runs `body(thread)` in kThreads threads, which begin together, and waits for them.
template <class Body>
void in_threads(Body body) {
  std::latch all{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&body, &all, t] {
      all.arrive_and_wait();
      body(t);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace psnam::test
