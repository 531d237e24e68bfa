// One version on its way to a rank's file, behind the program's back. Rank 0 may tell how far all ranks are: it looks
// at their files, as nobody calls MPI meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/result.hpp"
#include "checkpoint/files.hpp"
#include "checkpoint/local_copy.hpp"

namespace psnam::checkpoint {

class Flush {
 public:
  /// Begins. `copy` is not written to, and `files` stays, until wait() has returned. `reported_bytes`: those of all
  /// ranks, if this process tells, at most once in a second, how many of them there are; else 0.
  Flush(const Files& files, const CopyView& copy, std::uint64_t reported_bytes);
  Flush(const Flush&) = delete;
  Flush& operator=(const Flush&) = delete;
  ~Flush();

  /// Until the file is there. The error is told by a warning too, as nobody may ask. May be called again.
  Status wait();
  /// The version, if it is in the file.
  [[nodiscard]] VersionKey written() const noexcept { return done_ ? key_ : VersionKey{}; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_written_; }

 private:
  void report(const std::stop_token& stop) const;

  const Files& files_;
  VersionKey key_;
  std::uint64_t bytes_;
  std::uint64_t reported_bytes_;
  std::atomic<std::uint64_t> bytes_written_{0};
  std::atomic<bool> done_{false};
  Status status_;
  std::thread writer_;
  std::jthread reporter_;
};

}  // namespace psnam::checkpoint
