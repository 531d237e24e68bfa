// Sessions of a server as users of its store: they take the place of processes, and their uses end with them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {

Result<format::ProcessIdentity> Store::Impl::itself() const {
  if (!serving) return this_process(0);
  return session_user(static_cast<std::uint32_t>(::getpid()), 0, 0);
}

Status Store::Impl::check_users(std::span<const format::ProcessIdentity> users) const {
  if (!serving) return {};
  for (const auto& user : users) {
    // The server is no user for others to name: what it uses would be kept for as long as it runs.
    if (is_session(user) && user.start_time_ticks != 0 && serving->lives(user.start_time_ticks)) continue;
    return Error{Code::access, fmt::format("process {} (rank {}) has no session with the server of the store {} that "
                                           "lives, and cannot be a user of anything in it",
                                           user.pid, user.rank, folder.path().string())};
  }
  return {};
}

Status Store::Impl::entered(std::uint64_t use_id, std::span<const format::ProcessIdentity> users) {
  if (!serving) return {};
  session_uses.add(use_id, users);
  // Sessions that ended before this line were looked after without the use.
  Judge judge = this->judge();
  if (std::any_of(users.begin(), users.end(),
                  [&](const auto& user) { return judge.may_be_alive(user, serving->instance); }))
    return {};
  PSNAM_CHECK(end({{use_id}}, {}).status());
  return Error{Code::peer_lost, fmt::format("the sessions for which use {} was made have ended meanwhile", use_id)};
}

/// Who ends the last use commits that before he removes the file, so who still finds the allocation alive after making
/// the file leaves that to him.
Result<Mapping> Store::Impl::make_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) {
  PSNAM_TRY(Mapping mapping, memory.create(allocation_id, bytes, reserve));
  if (!serving) return mapping;
  Status alive;
  {
    PSNAM_TRY(CatalogTransaction transaction, catalog->read());
    alive = living_allocation(transaction, allocation_id, folder).status();
  }
  if (alive) return mapping;
  PSNAM_CHECK(memory.remove(allocation_id));
  return Error{Code::peer_lost, "the session ended while memory was made for it: " + alive.error().message};
}

bool Store::Impl::may_clean() noexcept {
  if (!serving) return true;
  constexpr auto kBetween = std::chrono::steady_clock::duration{std::chrono::seconds{1}}.count();
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  auto last = last_cleaned.load();
  return (last == 0 || now - last >= kBetween) && last_cleaned.compare_exchange_strong(last, now);
}

Result<Collected> Store::end_session(std::uint64_t session) {
  const auto uses = impl_->session_uses.of(session);
  return end_uses(uses);
}

Result<Collected> Store::end_uses(std::span<const std::uint64_t> uses) {
  std::vector<std::uint64_t> dead;
  Judge judge = impl_->judge();
  {
    PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
    for (const std::uint64_t id : uses) {
      PSNAM_TRY(const auto use, transaction.use(id));
      if (use && !judge.may_be_alive(*use)) dead.push_back(id);
    }
  }
  return impl_->end_in_steps(dead, {});
}

Result<UsedObject> Store::object_of_use(std::uint64_t use_id) {
  UsedObject used;
  PSNAM_TRY(used.use, own_use(use_id));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
  PSNAM_TRY(auto object, find_object(transaction, used.use.object_id));
  if (!object)
    return Error{Code::name_not_found,
                 fmt::format("what the use {} of the store {} was of is gone", use_id, impl_->folder.path().string())};
  used.window = std::move(object->window);
  used.allocation = std::move(object->allocation);
  return used;
}

}  // namespace psnam::nam
