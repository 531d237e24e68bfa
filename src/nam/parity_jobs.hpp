// The work on parity that a server has in hand: for each area the newest attempt.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "base/result.hpp"
#include "nam/helpers.hpp"
#include "nam/parity_job.hpp"

namespace psnam::nam {

/// Thread-safe.
class ParityJobs {
 public:
  /// At the same time; more wait for their turn. Each takes a processor, and some memory for what is read ahead.
  static constexpr std::size_t kMostRunning = 4;

  using Open = std::function<Result<std::shared_ptr<ParityJob>>()>;
  explicit ParityJobs(Helpers& helpers) : helpers_{helpers} {}

  /// A member of the session comes to its attempt, which `open` makes for the first of them; an earlier attempt that
  /// still waits is given up. The last member begins the work. Code::busy while an earlier attempt is worked on.
  [[nodiscard]] Status join(std::uint64_t session, const request::JoinParity& member, const Open& open,
                            ParityJob::Connect connect);
  /// Code::name_not_found if there is no such attempt.
  [[nodiscard]] Result<std::shared_ptr<ParityJob>> find(std::uint64_t allocation_id, std::uint64_t attempt);
  /// Lets go of an attempt whose members have all heard its end.
  void forget(std::uint64_t allocation_id);
  /// A session has ended.
  void leave(std::uint64_t session);

 private:
  [[nodiscard]] Result<std::shared_ptr<ParityJob>> job_of(const request::JoinParity& member, const Open& open);
  void begin(std::shared_ptr<ParityJob> job);
  void work(const std::shared_ptr<ParityJob>& first);

  Helpers& helpers_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<ParityJob>> jobs_;  ///< by allocation
  std::deque<std::shared_ptr<ParityJob>> waiting_;            ///< for their turn
  std::size_t running_ = 0;
};

}  // namespace psnam::nam
