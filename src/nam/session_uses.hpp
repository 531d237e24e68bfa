// The uses that each session of a server is in, so that what a session leaves is found without a look at everybody's.
// What is in here is only where to look: whether a use still exists, and has ended, the catalog and the judge say.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "format/catalog.hpp"
#include "nam/identity.hpp"

namespace psnam::nam {

/// Thread-safe.
class SessionUses {
 public:
  void add(std::uint64_t use_id, std::span<const format::ProcessIdentity> users) {
    const std::lock_guard lock{mutex_};
    for (const auto& user : users)
      if (is_session(user)) uses_[user.start_time_ticks].insert(use_id);
  }
  void remove(std::uint64_t use_id, std::span<const format::ProcessIdentity> users) {
    const std::lock_guard lock{mutex_};
    for (const auto& user : users) {
      const auto found = uses_.find(user.start_time_ticks);
      if (!is_session(user) || found == uses_.end()) continue;
      found->second.erase(use_id);
      if (found->second.empty()) uses_.erase(found);
    }
  }
  [[nodiscard]] std::vector<std::uint64_t> of(std::uint64_t session) const {
    const std::lock_guard lock{mutex_};
    const auto found = uses_.find(session);
    if (found == uses_.end()) return {};
    return {found->second.begin(), found->second.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::unordered_set<std::uint64_t>> uses_;
};

}  // namespace psnam::nam
