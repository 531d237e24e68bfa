// A running job that can be asked from outside to save a version, to stop and go on, to go back, or to end. Its ranks
// come to safe points; what was asked is done at one that all have agreed on, by all of them together.
//
// Where every rank maps the record, a safe point costs a store and a load (job/agreement.hpp). Where one does not, rank
// 0 looks for all, and tells them by a broadcast at every n-th safe point: it chooses n so that this happens about 50
// times in a second, whatever the time between safe points, and n grows slowly, so that a job that becomes slow is
// not deaf for long.
//
// Functions without another word are collective, and are called by one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/team.hpp"
#include "job/agreement.hpp"
#include "job/record.hpp"

namespace psnam::job {

enum class Phase { checkpoint = 1, proceed = 2, restart = 3, failure = 4 };
/// What a safe point tells the program.
enum class Verdict { go_on = 0, end = 1, restarted = 2, failed = 3, saved = 4 };

/// Called on every rank; not 0: it could not do its part.
using Handler = std::function<int(Phase)>;

/// What a job saves. Both are collective, return the number of the version, and fail on all ranks alike.
class Versions {
 public:
  virtual ~Versions() = default;
  virtual Result<std::uint64_t> save() = 0;
  virtual Result<std::uint64_t> restart() = 0;
};

struct JobOptions {
  std::string name;
  std::uint32_t mode = 0600;  ///< who may ask and look, as for a file
};

struct JobInfo {
  bool mapped = false;        ///< the record, by all ranks
  std::uint32_t leaving = 0;  ///< format::kJobLeaves, kJobStayed, or 0: see there
  std::uint64_t safe_points = 0;
  std::uint32_t requests = 0;
};

class Job {
 public:
  /// `node` is the store of this rank's node; `versions` may be null.
  static Result<std::unique_ptr<Job>> open(const checkpoint::Team& team, ServicePointer nam, const format::Uuid& node,
                                           const JobOptions& options, std::unique_ptr<Versions> versions);
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() = default;

  [[nodiscard]] const checkpoint::Team& team() const noexcept { return team_; }
  /// Two words by which a program comes to a safe point itself: it adds one to the first, and calls act() if the second
  /// is odd. As long as the job lives.
  [[nodiscard]] std::uint64_t* count() noexcept { return count_; }
  [[nodiscard]] const std::uint64_t* asked() const noexcept { return asked_; }

  /// Not collective. They are called in this order before a version, and the other way round after it.
  Status add_handler(Handler handler);
  /// At a safe point that this rank has come to.
  Result<Verdict> act();
  /// The handlers hear that this process came back from a version.
  Status came_back();
  /// Not collective.
  [[nodiscard]] JobInfo info() const noexcept;
  /// The record goes, unless the next job is to read it.
  Status close();

 private:
  /// What is asked, as rank 0 has read it. Plain bytes.
  struct Order {
    std::uint32_t sequence = 0;
    std::uint32_t acts = 0;
    format::JobRequest request = format::JobRequest::nothing;
    std::uint8_t options = 0;
    std::uint64_t next = 0;  ///< safe point at which rank 0 tells again
  };
  using Clock = std::chrono::steady_clock;
  /// Of a stopped job: whether all its ranks are alive, looked at now and then.
  struct Watch {
    Clock::time_point next = {};
    int missed = 0;
    bool complete(const Record& record);
  };

  Job(const checkpoint::Team& team, std::unique_ptr<Versions> versions) : team_{team}, versions_{std::move(versions)} {}
  Status open_record(const ServicePointer& nam, const format::Uuid& node, const JobOptions& options);
  Status take_seat(const format::Uuid& node, std::vector<Departure> departures);

  [[nodiscard]] bool leads() const noexcept { return team_.rank() == 0; }
  [[nodiscard]] std::uint32_t rank() const noexcept { return static_cast<std::uint32_t>(team_.rank()); }
  [[nodiscard]] const Control& control() const noexcept { return record_->control(); }
  Result<bool> is_told_to_act();
  [[nodiscard]] std::uint64_t next_look(Clock::time_point now) noexcept;

  // actions.cpp: all ranks stand at the safe point.
  Result<Verdict> serve();
  Result<Order> hear();
  Result<Verdict> carry_out(const Order& order);
  Result<Verdict> conclude(const Order& order, std::uint64_t version);
  Result<std::uint64_t> work_on(const Order& order);
  Verdict fail(const Order& order, const Status& why);
  Status await_next(const Order& order);
  Result<bool> watch_as_first(const Order& order) const;
  Result<bool> watch_as_other(const Order& order) const;
  void forget_departures(const Order& order) const;
  Status tell(Phase phase);
  /// Rank 0 says it; a failure costs only that it is not heard outside.
  void say(const Order& order, format::JobState state, bool asked) const;
  void publish(const Order& order, std::uint64_t version, const Status& status) const;

  checkpoint::Team team_;
  std::unique_ptr<Versions> versions_;
  std::unique_ptr<Record> record_;
  std::vector<Handler> handlers_;
  bool mapped_ = false;  ///< by all ranks
  bool stopped_ = false;
  bool ended_ = false;
  bool keeps_record_ = false;
  std::uint32_t leaving_ = 0;
  std::uint32_t requests_ = 0;
  // What the program counts in, where the record is not mapped.
  std::uint64_t own_count_ = 0;
  std::uint64_t always_ = 1;
  std::uint64_t next_ = 1;
  std::uint64_t looked_at_ = 0;
  Clock::time_point looked_{};
  std::uint64_t* count_ = &own_count_;
  const std::uint64_t* asked_ = &always_;
};

}  // namespace psnam::job
