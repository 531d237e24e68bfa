// Threads for what may wait for others: a lock, a queue, a stripe that a stopped process holds. The threads that serve
// requests never do, so nobody who makes them wait makes everybody else wait too.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/result.hpp"

namespace psnam::nam {

/// A job gets a thread at once: one that is idle, or a new one.
class Helpers {
 public:
  /// At most `most` jobs at a time.
  explicit Helpers(std::size_t most);
  /// Waits for what is under way; after `kPatience` whatever still waits for somebody is left to end with the process.
  ~Helpers();
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  /// Code::no_memory when there are no more threads to be had. A job keeps alive what it uses.
  [[nodiscard]] Status run(std::function<void()> job);

  static constexpr std::chrono::seconds kPatience{5};

 private:
  struct State;
  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace psnam::nam
