#include "nam/served_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nam/store.hpp"

namespace psnam::nam {
namespace {

/// Longer steps would keep a client from what it has to do meanwhile.
constexpr std::chrono::microseconds kLongestStep{100'000};

}  // namespace

/// One wait for a lock: its client asks for it again and again, and gets an answer each time.
class ServedAgent::Wait final : public Waiter {
 public:
  /// What is to be answered at the next occasion; an answer that is still owed is "not yet".
  void ask(Answer answer, std::chrono::microseconds step) {
    const std::lock_guard lock{mutex_};
    if (answer_) std::exchange(answer_, nullptr)(false);
    answer_ = std::move(answer);
    deadline_ = Clock::now() + step;
  }
  void give_up() {
    const std::lock_guard lock{mutex_};
    given_up_ = true;
  }
  void poll() noexcept override {
    const std::lock_guard lock{mutex_};
    if (answer_ && Clock::now() >= deadline_) std::exchange(answer_, nullptr)(false);
  }
  [[nodiscard]] bool gives_up() const noexcept override {
    const std::lock_guard lock{mutex_};
    return given_up_;
  }
  /// False if nobody waits for an answer now; the status is kept for the next who asks.
  bool finish(Status& status) {
    const std::lock_guard lock{mutex_};
    if (!answer_) {
      ended_ = std::move(status);
      return false;
    }
    std::exchange(answer_, nullptr)(result_of(status));
    return true;
  }
  /// Answers if the wait has ended.
  bool answer_if_ended(const Answer& answer) {
    const std::lock_guard lock{mutex_};
    if (!ended_) return false;
    answer(result_of(*ended_));
    return true;
  }

 private:
  static Result<bool> result_of(Status& status) {
    if (status) return true;
    return status.take_error();
  }

  mutable std::mutex mutex_;
  Answer answer_;
  Clock::time_point deadline_;
  std::optional<Status> ended_;
  bool given_up_ = false;
};

Result<std::shared_ptr<ServedAgent>> ServedAgent::open(format::WindowRecord window, AccessRight right, Mapping page,
                                                       Region region) {
  PSNAM_TRY(const auto process, this_process(0));
  PSNAM_TRY(const auto boot, this_boot());
  PSNAM_TRY(GuardedRange guard, GuardedRange::over(page.data(), page.bytes()));
  PSNAM_TRY(auto locks,
            WindowLocks::attach(std::move(page), static_cast<std::uint32_t>(window.regions.size()), process, boot));
  return std::shared_ptr<ServedAgent>{
      new ServedAgent{std::move(window), right, std::move(guard), std::move(locks), std::move(region)}};
}

void ServedAgent::lock(const request::Lock& request, Answer answer) {
  const auto step =
      std::chrono::microseconds{std::min(request.wait_us, static_cast<std::uint64_t>(kLongestStep.count()))};
  std::shared_ptr<Wait> wait;
  {
    const std::lock_guard guard{mutex_};
    if (closed_) return answer(Error{Code::peer_lost, "the session has ended"});
    if (const auto found = waits_.find(request.rank); found != waits_.end()) {
      if (found->second->answer_if_ended(answer))
        waits_.erase(found);
      else
        found->second->ask(std::move(answer), step);
      return;
    }
    wait = std::make_shared<Wait>();
    wait->ask(std::move(answer), step);
    waits_.emplace(request.rank, wait);
  }
  finish(request.rank, wait, request.rank ? locks_->lock(*request.rank, request.kind, *wait) : locks_->lock_all(*wait));
}

void ServedAgent::finish(const Key& key, const std::shared_ptr<Wait>& wait, Status status) {
  const std::lock_guard guard{mutex_};
  if (wait->finish(status) || closed_) waits_.erase(key);
}

Status ServedAgent::unlock(const std::optional<std::uint32_t>& rank) {
  return rank ? locks_->unlock(*rank) : locks_->unlock_all();
}

Result<std::shared_ptr<RootMapping>> ServedAgent::mapping_of(std::uint64_t root_id) {
  const std::lock_guard guard{mutex_};
  if (const auto found = mappings_.find(root_id); found != mappings_.end()) return found->second;
  PSNAM_TRY(auto mapping, region_(root_id));
  mappings_.emplace(root_id, mapping);
  return mapping;
}

Result<std::vector<std::byte>> ServedAgent::execute(const request::Execute& request) {
  if (request.rank >= window_.regions.size())
    return Error{Code::rank, fmt::format("there is no rank {} in the window {} of {} ranks", request.rank, window_.id,
                                         window_.regions.size())};
  const format::RegionRecord& target = window_.regions[request.rank];
  const backends::IndivisibleRequest& operation = request.operation;
  const bool reads =
      operation.action == backends::IndivisibleRequest::Action::accumulate && operation.op == backends::Op::no_op;
  if (!reads && right_ == AccessRight::read_only)
    return Error{Code::access, fmt::format("the window {} was opened for reading only", window_.id)};
  PSNAM_CHECK(backends::check(operation, target.allocation_id == 0 ? 0 : target.size_bytes));
  if (target.allocation_id == 0) return std::vector<std::byte>{};
  PSNAM_TRY(const auto mapping, mapping_of(target.allocation_id));
  PSNAM_TRY(const auto region, mapping->part(target.offset_bytes, target.size_bytes));
  return backends::execute(operation, region, element_locks_);
}

void ServedAgent::close() {
  const std::lock_guard guard{mutex_};
  closed_ = true;
  for (const auto& wait : waits_) wait.second->give_up();
}

}  // namespace psnam::nam
