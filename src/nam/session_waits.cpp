// What a session has done by helpers, because it may have to wait: agents of windows and queues of notifications.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "nam/notifications.hpp"
#include "nam/session.hpp"
#include "nam/sigbus_guard.hpp"

namespace psnam::nam {
namespace {

constexpr std::uint64_t kLongestWaitUs = 100'000;
constexpr std::size_t kMostAgents = 4096;
constexpr std::ptrdiff_t kMostAgentsOfWindow = 16;  // each is a client of the window's locks, which are limited
constexpr std::size_t kMostQueues = 4096;

/// A client that maps the page may cut its file short. The guard goes first, when nobody touches the page any more.
struct GuardedQueue {
  GuardedQueue(Notifications opened, GuardedRange guarded) : queue{std::move(opened)}, guard{std::move(guarded)} {}
  Notifications queue;
  GuardedRange guard;
};

NotificationQueue::Clock::time_point deadline_of(std::uint64_t wait_us) {
  return NotificationQueue::Clock::now() + std::chrono::microseconds{std::min(wait_us, kLongestWaitUs)};
}

}  // namespace

void Session::by_helper(const Later& later, std::function<Answered()> job) {
  Status given = parts_.helpers.run([later, job = std::move(job)] { send(*later, job()); });
  if (!given) send(*later, given.take_error());
}

Result<std::shared_ptr<ServedAgent>> Session::agent(std::uint64_t id) {
  const std::lock_guard lock{hold_->mutex};
  const auto found = hold_->agents.find(id);
  if (found == hold_->agents.end()) return Error{Code::name_not_found, fmt::format("this session has no agent {}", id)};
  return found->second;
}

void Session::serve(const request::OpenAgent& request, const Later& later) {
  const auto right = parts_.sessions.right(number(), request.window_id);
  if (!right)
    return send(*later,
                Error{Code::access, fmt::format("this session does not have the window {} in use", request.window_id)});
  // The job may outlive the session, but not the parts: they wait for helpers when they end.
  by_helper(later, [hold = hold_, &parts = parts_, id = request.window_id, right = *right]() -> Answered {
    PSNAM_TRY(auto window, parts.store->get(id));
    reply::Object object{.id = id, .right = right, .shown = shown(window)};
    PSNAM_TRY(Mapping page, parts.store->open_locks(id, static_cast<std::uint32_t>(window.regions.size())));
    PSNAM_TRY(auto agent, ServedAgent::open(std::move(window), right, std::move(page),
                                            [&parts](std::uint64_t root) { return parts.map_root(root); }));
    const std::lock_guard lock{hold->mutex};
    const auto of_window = std::count_if(hold->agents.begin(), hold->agents.end(),
                                         [&](const auto& row) { return row.second->window().id == id; });
    if (hold->agents.size() >= kMostAgents || of_window >= kMostAgentsOfWindow)
      return Error{Code::no_memory, fmt::format("a session has at most {} agents of one window and {} in all",
                                                kMostAgentsOfWindow, kMostAgents)};
    // Under the lock that those take who end the session, or its last use, after they have said so.
    if (!parts.sessions.right(hold->caller.session, id))
      return Error{Code::peer_lost, fmt::format("the session has let go of the window {} meanwhile", id)};
    // A number of a session that was lost must not mean another agent to its client.
    const std::uint64_t number = format::random_challenge();
    hold->agents.emplace(number, std::move(agent));
    return Answer{reply::Agent{number, std::move(object)}};
  });
}

Result<Answer> Session::answer(const request::CloseAgent& request) {
  std::vector<std::shared_ptr<ServedAgent>> agents;
  {
    const std::lock_guard lock{hold_->mutex};
    const auto found = hold_->agents.find(request.agent);
    if (found == hold_->agents.end())
      return Error{Code::name_not_found, fmt::format("this session has no agent {}", request.agent)};
    agents.push_back(std::move(found->second));
    hold_->agents.erase(found);
  }
  parts_.let_go(std::move(agents));
  return Answer{reply::Done{}};
}

void Session::serve(const request::Lock& request, const Later& later) {
  auto agent = this->agent(request.agent);
  if (!agent) return send(*later, agent.take_error());
  const auto answer = [later](Result<bool> had) {
    send(*later, had ? Answered{Answer{reply::Flag{*had}}} : Answered{had.take_error()});
  };
  Status given = parts_.helpers.run([agent = *agent, request, answer] { agent->lock(request, answer); });
  if (!given) send(*later, given.take_error());
}

void Session::serve(const request::Unlock& request, const Later& later) {
  auto agent = this->agent(request.agent);
  if (!agent) return send(*later, agent.take_error());
  Status unlocked = (*agent)->unlock(request.rank);
  send(*later, unlocked ? Answered{Answer{reply::Done{}}} : Answered{unlocked.take_error()});
}

void Session::serve(request::Execute& request, const Later& later) {
  auto agent = this->agent(request.agent);
  if (!agent) return send(*later, agent.take_error());
  parts_.agent_bytes.fetch_add(request.operation.operand.size(), std::memory_order_relaxed);
  by_helper(later, [agent = *agent, shared = std::make_shared<request::Execute>(std::move(request))]() -> Answered {
    PSNAM_TRY(auto old, agent->execute(*shared));
    return Answer{reply::Bytes{std::move(old)}};
  });
}

Result<std::shared_ptr<NotificationQueue>> Session::queue(std::uint64_t allocation_id) {
  const std::lock_guard lock{hold_->mutex};
  const auto found = hold_->queues.find(allocation_id);
  if (found != hold_->queues.end()) return found->second;
  if (!parts_.sessions.right(number(), allocation_id))
    return Error{Code::access, fmt::format("this session does not have the allocation {} in use", allocation_id)};
  if (hold_->queues.size() >= kMostQueues)
    return Error{Code::no_memory, fmt::format("a session has at most {} queues of notifications", kMostQueues)};
  PSNAM_TRY(Mapping page, store_->notification_page(allocation_id));
  PSNAM_TRY(GuardedRange guard, GuardedRange::over(page.data(), page.bytes()));
  PSNAM_TRY(Notifications opened, Notifications::over(std::move(page)));
  const auto guarded = std::make_shared<GuardedQueue>(std::move(opened), std::move(guard));
  const std::shared_ptr<NotificationQueue> queue{guarded, &guarded->queue};
  hold_->queues.emplace(allocation_id, queue);
  return queue;
}

void Session::serve(const request::PostNotification& request, const Later& later) {
  auto queue = this->queue(request.allocation_id);
  if (!queue) return send(*later, queue.take_error());
  by_helper(later, [queue = *queue, request]() -> Answered {
    PSNAM_TRY(const bool posted, queue->post(request.value, deadline_of(request.wait_us)));
    return Answer{reply::Flag{posted}};
  });
}

void Session::serve(const request::TakeNotification& request, const Later& later) {
  auto queue = this->queue(request.allocation_id);
  if (!queue) return send(*later, queue.take_error());
  by_helper(later, [queue = *queue, request]() -> Answered {
    PSNAM_TRY(const auto value, queue->take(deadline_of(request.wait_us)));
    return Answer{reply::Value{value}};
  });
}

void Session::serve(const request::CountNotifications& request, const Later& later) {
  auto queue = this->queue(request.allocation_id);
  if (!queue) return send(*later, queue.take_error());
  by_helper(later, [queue = *queue]() -> Answered {
    PSNAM_TRY(const std::uint64_t values, queue->size());
    return Answer{reply::Number{values}};
  });
}

}  // namespace psnam::nam
