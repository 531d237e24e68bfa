#include "nam/session_table.hpp"

#include <fmt/format.h>

namespace psnam::nam {

void SessionTable::add(std::shared_ptr<SessionHold> hold) {
  const std::lock_guard lock{mutex_};
  const std::uint64_t session = hold->caller.session;
  sessions_[session].hold = std::move(hold);
}

std::vector<SharedUse> SessionTable::remove(std::uint64_t session) {
  const std::lock_guard lock{mutex_};
  std::vector<SharedUse> left;
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return left;
  for (const std::uint64_t id : found->second.uses) {
    const auto use = uses_.find(id);
    if (use == uses_.end()) continue;
    use->second.sessions.erase(session);
    left.push_back(use->second);
    if (use->second.sessions.empty()) uses_.erase(use);
  }
  sessions_.erase(found);
  return left;
}

bool SessionTable::lives(std::uint64_t session) const {
  const std::lock_guard lock{mutex_};
  return sessions_.contains(session);
}

std::shared_ptr<SessionHold> SessionTable::find(std::uint64_t session) const {
  const std::lock_guard lock{mutex_};
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : found->second.hold;
}

std::vector<std::shared_ptr<SessionHold>> SessionTable::all() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::shared_ptr<SessionHold>> holds;
  holds.reserve(sessions_.size());
  for (const auto& row : sessions_) holds.push_back(row.second.hold);
  return holds;
}

Status SessionTable::check_users(std::span<const format::ProcessIdentity> users, const Caller& caller) const {
  const std::lock_guard lock{mutex_};
  for (const auto& user : users) {
    if (user.pid_namespace != 0)
      return Error{Code::access,
                   fmt::format("process {} is no session of this server and cannot use its memory", user.pid)};
    const auto found = sessions_.find(user.start_time_ticks);
    if (found == sessions_.end())
      return Error{Code::peer_lost, fmt::format("the session of process {} (rank {}) has ended", user.pid, user.rank)};
    if (found->second.hold->caller.uid != caller.uid)
      return Error{Code::access, fmt::format("user {} may not name a session of user {} as a user", caller.uid,
                                             found->second.hold->caller.uid)};
  }
  return {};
}

void SessionTable::link(const SharedUse& use) {
  for (const std::uint64_t session : use.sessions) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) continue;
    found->second.uses.insert(use.id);
    found->second.by_object.emplace(use.object_id, use.id);
    for (const std::uint64_t root : use.roots) found->second.by_root.emplace(root, use.id);
  }
}

void SessionTable::unlink(Row& row, const SharedUse& use) {
  row.uses.erase(use.id);
  row.by_object.erase({use.object_id, use.id});
  for (const std::uint64_t root : use.roots) row.by_root.erase({root, use.id});
}

void SessionTable::enter(SharedUse use, std::span<const format::ProcessIdentity> users) {
  if (use.id == 0) return;
  const std::lock_guard lock{mutex_};
  for (const auto& user : users)
    if (sessions_.contains(user.start_time_ticks)) use.sessions.insert(user.start_time_ticks);
  if (use.sessions.empty()) return;
  link(use);
  const std::uint64_t id = use.id;
  uses_.insert_or_assign(id, std::move(use));
}

void SessionTable::duplicate(std::uint64_t use_id, std::uint64_t copy) {
  const std::lock_guard lock{mutex_};
  const auto found = uses_.find(use_id);
  if (found == uses_.end()) return;
  SharedUse use = found->second;
  use.id = copy;
  link(use);
  uses_.insert_or_assign(copy, std::move(use));
}

std::optional<SharedUse> SessionTable::leave(std::uint64_t use_id) {
  const std::lock_guard lock{mutex_};
  const auto found = uses_.find(use_id);
  if (found == uses_.end()) return std::nullopt;
  SharedUse use = std::move(found->second);
  uses_.erase(found);
  for (const std::uint64_t session : use.sessions)
    if (const auto row = sessions_.find(session); row != sessions_.end()) unlink(row->second, use);
  return use;
}

std::vector<SharedUse> SessionTable::uses_in(const Pairs& pairs, std::uint64_t first) const {
  std::vector<SharedUse> uses;
  for (auto at = pairs.lower_bound({first, 0}); at != pairs.end() && at->first == first; ++at)
    if (const auto use = uses_.find(at->second); use != uses_.end()) uses.push_back(use->second);
  return uses;
}

std::size_t SessionTable::count_uses(std::uint64_t session) const {
  const std::lock_guard lock{mutex_};
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.uses.size();
}

std::vector<SharedUse> SessionTable::uses_at(std::uint64_t session, std::uint64_t root_id) const {
  const std::lock_guard lock{mutex_};
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? std::vector<SharedUse>{} : uses_in(found->second.by_root, root_id);
}

std::optional<AccessRight> SessionTable::right(std::uint64_t session, std::uint64_t object_id) const {
  const std::lock_guard lock{mutex_};
  std::optional<AccessRight> right;
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return right;
  for (const SharedUse& use : uses_in(found->second.by_object, object_id))
    if (!right || use.right == AccessRight::read_write) right = use.right;
  return right;
}

bool SessionTable::is_in(std::uint64_t session, std::uint64_t use_id) const {
  const std::lock_guard lock{mutex_};
  const auto found = uses_.find(use_id);
  return found != uses_.end() && found->second.sessions.contains(session);
}

}  // namespace psnam::nam
