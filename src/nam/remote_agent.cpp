#include "nam/remote_agent.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace psnam::nam {
namespace {

// How long the server may keep us before it says "not yet": what we do between its answers must not wait for long.
constexpr std::uint64_t kFirstStepUs = 500;
constexpr std::uint64_t kLongestStepUs = 10'000;

}  // namespace

Result<std::unique_ptr<WindowAgent>> RemoteAgent::open(std::shared_ptr<ClientLink> link, std::uint64_t window_id) {
  std::unique_ptr<RemoteAgent> agent{new RemoteAgent{std::move(link), window_id}};
  PSNAM_CHECK(agent->seat().status());
  return std::unique_ptr<WindowAgent>{std::move(agent)};
}

RemoteAgent::~RemoteAgent() {
  if (seat_.agent == 0) return;
  close();
  link_->let_go(window_id_);
}

void RemoteAgent::close() {
  const auto session = link_->session();
  if (!session || *session != seat_.session) return;
  const auto closed = link_->ask<reply::Done>(request::CloseAgent{seat_.agent});
  if (!closed) log::debug("the agent of window {} ends with the session: {}", window_id_, closed.error().message);
}

Error RemoteAgent::lost() const {
  return {Code::peer_lost, fmt::format("the connection to {} was lost, and with it the locks that this process had on "
                                       "the window {}",
                                       link_->options().address.text(), window_id_)};
}

Error RemoteAgent::explained(Error error, const Seat& seat) const {
  if (error.code != Code::name_not_found) return error;
  const auto session = link_->session();
  return session && *session != seat.session ? lost() : error;
}

Result<RemoteAgent::Seat> RemoteAgent::seat() {
  PSNAM_CHECK(link_->require_there(window_id_));
  PSNAM_TRY(const std::uint64_t session, link_->session());
  const std::lock_guard lock{mutex_};
  if (seat_.session == session) return seat_;
  if (!held_.empty()) return lost();
  PSNAM_TRY(const auto agent, link_->ask<reply::Agent>(request::OpenAgent{window_id_}));
  if (seat_.agent == 0) link_->hold(agent.object);
  seat_ = {.session = session, .agent = agent.number};
  return seat_;
}

Status RemoteAgent::wait_for(const Key& key, LockKind kind, Waiter& waiter) {
  PSNAM_TRY(const Seat seat, this->seat());
  for (std::uint64_t step = kFirstStepUs;; step = std::min(2 * step, kLongestStepUs)) {
    auto had = link_->ask<reply::Flag>(request::Lock{seat.agent, key, kind, step});
    if (!had) return explained(had.take_error(), seat);
    if (had->value) break;
    waiter.poll();
  }
  const std::lock_guard lock{mutex_};
  if (seat_.session != seat.session) return lost();
  held_.insert(key);
  return {};
}

Status RemoteAgent::give_back(const Key& key) {
  const auto session = link_->session();
  Seat seat;
  {
    const std::lock_guard lock{mutex_};
    seat = seat_;
    const bool held = held_.erase(key) != 0;
    if (held && (!session || *session != seat.session)) return lost();
  }
  return link_->ask<reply::Done>(request::Unlock{seat.agent, key}).status();
}

Status RemoteAgent::lock(std::uint32_t rank, LockKind kind, Waiter& waiter) { return wait_for(rank, kind, waiter); }
Status RemoteAgent::unlock(std::uint32_t rank) { return give_back(rank); }
Status RemoteAgent::lock_all(Waiter& waiter) { return wait_for(std::nullopt, LockKind::shared, waiter); }
Status RemoteAgent::unlock_all() { return give_back(std::nullopt); }

Result<std::vector<std::byte>> RemoteAgent::execute(std::uint32_t rank, const backends::IndivisibleRequest& operation) {
  PSNAM_TRY(const Seat seat, this->seat());
  auto old = link_->ask<reply::Bytes>(request::Execute{seat.agent, rank, operation});
  if (!old) return explained(old.take_error(), seat);
  return std::move(old->bytes);
}

}  // namespace psnam::nam
