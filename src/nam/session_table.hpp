// The sessions of a server, and the uses of windows and allocations that they are in. The catalog keeps the uses; here
// is what it does not: with which right a use was taken, and what each session holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "nam/access.hpp"
#include "nam/member_links.hpp"
#include "nam/served_agent.hpp"
#include "nam/service.hpp"
#include "nam/session_memory.hpp"

namespace psnam::nam {

/// Whose session it is, for people.
struct SessionFacts {
  std::string host;    ///< as the client says
  std::string ip;      ///< empty over the Unix socket
  std::string method;  ///< how the client was recognised
  std::uint64_t began_unix_seconds = 0;
};

/// What a session holds beside its uses. Shared by the session and those who end its uses.
struct SessionHold {
  /// `peer_ip`, `own_ip`: of the control connection; empty over the Unix socket.
  explicit SessionHold(Caller session_caller, std::string peer_ip = {}, std::string own_ip = {})
      : caller{std::move(session_caller)}, links{std::move(peer_ip), std::move(own_ip)} {}

  const Caller caller;
  SessionFacts facts = {};  ///< complete before others see the hold
  std::atomic<std::uint64_t> requests{0};
  SessionMemory memory;
  MemberLinks links;
  std::mutex mutex;                                                    ///< for what follows
  std::map<std::uint64_t, std::shared_ptr<ServedAgent>> agents;        ///< by random numbers
  std::map<std::uint64_t, std::shared_ptr<NotificationQueue>> queues;  ///< by allocation
};

/// A use, and the sessions that are in it.
struct SharedUse {
  std::uint64_t id = 0;
  std::uint64_t object_id = 0;
  AccessRight right = AccessRight::read_only;
  std::set<std::uint64_t> roots;  ///< in whose files its memory lies
  std::set<std::uint64_t> sessions;
};

/// Thread-safe.
class SessionTable {
 public:
  void add(std::shared_ptr<SessionHold> hold);
  /// The session has ended: it is in no use any more. Returns the uses it was in.
  std::vector<SharedUse> remove(std::uint64_t session);
  [[nodiscard]] bool lives(std::uint64_t session) const;
  [[nodiscard]] std::shared_ptr<SessionHold> find(std::uint64_t session) const;
  [[nodiscard]] std::vector<std::shared_ptr<SessionHold>> all() const;

  /// Whether `users` are sessions that live and belong to the same user as `caller`. Code::access, Code::peer_lost.
  [[nodiscard]] Status check_users(std::span<const format::ProcessIdentity> users, const Caller& caller) const;
  /// A use that was just recorded, `use.sessions` aside: those are `users`, as far as they live.
  void enter(SharedUse use, std::span<const format::ProcessIdentity> users);
  /// A copy of a use, as Store::duplicate() makes it.
  void duplicate(std::uint64_t use_id, std::uint64_t copy);
  /// The use has ended.
  std::optional<SharedUse> leave(std::uint64_t use_id);

  /// How many the session is in.
  [[nodiscard]] std::size_t count_uses(std::uint64_t session) const;
  /// Those that the session is in and that have memory in the file of `root_id`.
  [[nodiscard]] std::vector<SharedUse> uses_at(std::uint64_t session, std::uint64_t root_id) const;
  /// The greatest right that the session has by its uses of an object.
  [[nodiscard]] std::optional<AccessRight> right(std::uint64_t session, std::uint64_t object_id) const;
  [[nodiscard]] bool is_in(std::uint64_t session, std::uint64_t use_id) const;

 private:
  using Pairs = std::set<std::pair<std::uint64_t, std::uint64_t>>;
  struct Row {
    std::shared_ptr<SessionHold> hold;
    std::set<std::uint64_t> uses;
    Pairs by_object;  ///< object, use
    Pairs by_root;    ///< root, use
  };
  void link(const SharedUse& use);
  static void unlink(Row& row, const SharedUse& use);
  [[nodiscard]] std::vector<SharedUse> uses_in(const Pairs& pairs, std::uint64_t first) const;

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Row> sessions_;
  std::unordered_map<std::uint64_t, SharedUse> uses_;
};

}  // namespace psnam::nam
