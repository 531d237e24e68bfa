#include "nam/helpers.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/log.hpp"

namespace psnam::nam {
namespace {

constexpr std::size_t kKeptIdle = 8;

}  // namespace

struct Helpers::State {
  explicit State(std::size_t most_jobs) : most{most_jobs} {}

  const std::size_t most;
  std::mutex mutex;
  std::condition_variable called;
  std::condition_variable ended;
  std::deque<std::function<void()>> jobs;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool stopping = false;
};

Helpers::Helpers(std::size_t most) : state_{std::make_shared<State>(most)} {}

Helpers::~Helpers() {
  std::unique_lock lock{state_->mutex};
  state_->stopping = true;
  state_->called.notify_all();
  if (!state_->ended.wait_for(lock, kPatience, [&] { return state_->threads == 0; }))
    log::warn("{} helper threads still wait for others and are left behind", state_->threads);
}

Status Helpers::run(std::function<void()> job) {
  const std::lock_guard lock{state_->mutex};
  if (state_->stopping) return Error{Code::unreachable, "the server is ending"};
  if (state_->idle <= state_->jobs.size()) {
    if (state_->threads >= state_->most)
      return Error{Code::no_memory,
                   fmt::format("{} requests wait for locks and the like, more are not served", state_->threads)};
    try {
      std::thread{[state = state_] { work(state); }}.detach();
    } catch (const std::system_error& error) {
      return Error{Code::no_memory, fmt::format("a thread to wait with is not to be had: {}", error.what())};
    }
    ++state_->threads;
  }
  state_->jobs.push_back(std::move(job));
  state_->called.notify_one();
  return {};
}

void Helpers::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock{state->mutex};
  for (;;) {
    if (state->jobs.empty()) {
      if (state->stopping || state->idle >= kKeptIdle) break;
      ++state->idle;
      state->called.wait(lock, [&] { return state->stopping || !state->jobs.empty(); });
      --state->idle;
      continue;
    }
    {
      const std::function<void()> job = std::move(state->jobs.front());
      state->jobs.pop_front();
      lock.unlock();
      job();
    }
    lock.lock();
  }
  --state->threads;
  state->ended.notify_all();
}

}  // namespace psnam::nam
