// Who may do what: the rights of the mode of a window or an allocation, as for a file, and what only its owner, or who
// administers the store, may do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nam/service.hpp"

namespace psnam::nam {

/// On whose behalf a store decides.
struct Caller {
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> gids = {};  ///< effective and supplementary
  std::uint32_t gid = 65534;             ///< effective: the group of what is made; nobody's if nobody says
  std::uint32_t pid = 0;                 ///< of a session, for people
  std::uint64_t session = 0;             ///< the session that asks; 0: none, it is this process
};

/// The calling process, by its effective ids.
[[nodiscard]] Result<Caller> this_caller();

/// The first class that fits the caller (owner, group, others) decides alone, as for a file; user 0 always may.
[[nodiscard]] bool may_access(const format::WindowRecord& window, AccessRight right, const Caller& caller) noexcept;
[[nodiscard]] bool may_access(const format::AllocationRecord& allocation, AccessRight right,
                              const Caller& caller) noexcept;
/// Code::access.
[[nodiscard]] Status require_access(const format::WindowRecord& window, AccessRight right, const Caller& caller);
[[nodiscard]] Status require_access(const format::AllocationRecord& allocation, AccessRight right,
                                    const Caller& caller);

/// "window 7 "heat"", for messages.
[[nodiscard]] std::string shown(const format::WindowRecord& window);
[[nodiscard]] std::string shown(const format::AllocationRecord& allocation);

/// What a caller may do in a store beside using it. The user that a store belongs to administers it, as user 0 does:
/// every file in it is his.
class Rights {
 public:
  Rights(Caller caller, std::uint32_t store_uid) : caller_{std::move(caller)}, store_uid_{store_uid} {}

  [[nodiscard]] const Caller& caller() const noexcept { return caller_; }
  [[nodiscard]] bool administers() const noexcept { return caller_.uid == 0 || caller_.uid == store_uid_; }

  /// Its owner sees it whatever the mode says.
  template <class Record>
  [[nodiscard]] bool may_see(const Record& record) const noexcept {
    return administers() || caller_.uid == record.uid || may_access(record, AccessRight::read_only, caller_);
  }
  /// Code::access, each of them.
  template <class Record>
  [[nodiscard]] Status require_sight(const Record& record) const {
    if (may_see(record)) return {};
    return require_access(record, AccessRight::read_only, caller_);
  }
  template <class Record>
  [[nodiscard]] Status require_writing(const Record& record) const {
    if (administers()) return {};
    return require_access(record, AccessRight::read_write, caller_);
  }
  template <class Record>
  [[nodiscard]] Status require_ownership(const Record& record, std::string_view to_do) const {
    if (administers() || caller_.uid == record.uid) return {};
    return not_owner(shown(record), record.uid, record.mode, to_do);
  }
  [[nodiscard]] Status require_administrator(std::string_view to_do, std::string_view store) const;
  /// Whether he may make something that belongs to `uid` and `gid`, with `mode`. Code::invalid_argument for a mode that
  /// is none.
  [[nodiscard]] Status require_making(std::uint32_t uid, std::uint32_t gid, std::uint32_t mode) const;

  /// Showing the challenge is how somebody proves that an allocation is his, so it is not told to others.
  [[nodiscard]] format::AllocationRecord told(format::AllocationRecord allocation) const {
    if (!administers() && caller_.uid != allocation.uid) allocation.challenge = 0;
    return allocation;
  }

 private:
  [[nodiscard]] Error not_owner(const std::string& object, std::uint32_t uid, std::uint32_t mode,
                                std::string_view to_do) const;

  Caller caller_;
  std::uint32_t store_uid_;
};

}  // namespace psnam::nam
