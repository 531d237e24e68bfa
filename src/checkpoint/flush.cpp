#include "checkpoint/flush.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "base/log.hpp"
#include "checkpoint/team.hpp"

namespace psnam::checkpoint {

Flush::Flush(const Files& files, const CopyView& copy, std::uint64_t reported_bytes)
    : files_{files}, key_{copy.version()}, bytes_{copy.whole().size()}, reported_bytes_{reported_bytes} {
  writer_ = std::thread{[this, copy] {
    status_ = locally([&] { return files_.add(copy, &bytes_written_); });
    done_ = status_.ok();
    if (!status_) log::warn("version {} is in memory only: {}", key_.number, status_.error().message);
  }};
  if (reported_bytes_ != 0) reporter_ = std::jthread{[this](const std::stop_token& stop) { report(stop); }};
}

Flush::~Flush() {
  if (writer_.joinable()) writer_.join();
}

Status Flush::wait() {
  if (writer_.joinable()) writer_.join();
  // What the other ranks still write is told until the program wants to go on.
  if (reporter_.joinable()) {
    reporter_.request_stop();
    reporter_.join();
  }
  if (status_) return {};
  return Error{status_.error().code, status_.error().message, status_.error().detail};
}

void Flush::report(const std::stop_token& stop) const {
  constexpr std::uint64_t kMega = 1 << 20;
  const auto begun = std::chrono::steady_clock::now();
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock{mutex};
  std::uint64_t there = 0;
  const auto complete = [&] { return (there = files_.bytes_of_all(key_)) >= reported_bytes_; };
  while (!stopped.wait_for(lock, stop, std::chrono::seconds{1}, [] { return false; })) {
    const bool all = complete();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
    fmt::print(stderr, "psnam: checkpoints \"{}\", version {}: {} of {} MiB in files, {:.0f} s\n", files_.series(),
               key_.number, std::min(there, reported_bytes_) / kMega, reported_bytes_ / kMega, seconds.count());
    if (all || stop.stop_requested()) return;
  }
}

}  // namespace psnam::checkpoint
