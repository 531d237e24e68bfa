#include "nam/control/workers.hpp"

#include <algorithm>
#include <utility>

namespace psnam::nam::control {

Workers::Workers(unsigned threads) {
  for (unsigned at = 0; at < std::max(1U, threads); ++at) threads_.emplace_back([this] { work(); });
}

void Workers::push(std::function<void()> task) {
  {
    const std::lock_guard lock{mutex_};
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Workers::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Workers::work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      // A task that is running may push another one; the thread that runs it comes back for it.
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace psnam::nam::control
