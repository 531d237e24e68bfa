// What the objects of a store cost whom, and how much of it each may have: the capacity of the store, and the limits
// that a server sets for its users. Everything is counted in the transaction in which a record comes or goes, so the
// sums are true whoever dies.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "nam/catalog.hpp"
#include "nam/folder.hpp"

namespace psnam::nam {

/// What a server limits, beside the capacity. User 0 has no quota unless one is set for it. What is there already
/// stays, even if it is more.
struct Limits {
  std::uint64_t capacity_bytes = 0;  ///< of the store; 0: what it has now
  /// Of memory files of a user; sparse ones count with their whole size, since he may fill them.
  std::optional<std::uint64_t> user_bytes = {};
  std::map<std::uint32_t, std::uint64_t> bytes_of_user = {};  ///< instead, for some
  std::optional<std::uint64_t> user_objects = {};             ///< windows, allocations and segments of a user
  std::optional<std::uint64_t> objects = {};                  ///< of all users together
  std::optional<std::uint64_t> catalog_bytes = {};            ///< of records: Catalog::set_limit(); its default if none
};

/// Adds up what records say, for who has no sums to go on from.
class Tally {
 public:
  void add(const format::WindowRecord& window) { ++of(window.uid).objects; }
  void add(const format::AllocationRecord& allocation);
  [[nodiscard]] const std::map<std::uint32_t, format::UserRecord>& users() const noexcept { return users_; }

 private:
  format::UserRecord& of(std::uint32_t uid) {
    auto& user = users_[uid];
    user.uid = uid;
    return user;
  }
  std::map<std::uint32_t, format::UserRecord> users_;
};

/// The accounts in one transaction, which outlives it, as do the other arguments.
class Accounts {
 public:
  Accounts(CatalogTransaction& transaction, format::StoreRecord& store, const Limits& limits,
           const Folder& folder) noexcept
      : transaction_{transaction}, store_{store}, limits_{limits}, folder_{folder} {}

  [[nodiscard]] format::StoreRecord& store() noexcept { return store_; }

  /// Code::no_memory when the store has not enough left, Code::quota when its owner has not.
  [[nodiscard]] Status charge(const format::WindowRecord& window);
  [[nodiscard]] Status charge(const format::AllocationRecord& allocation);
  [[nodiscard]] Status give_back(const format::WindowRecord& window);
  [[nodiscard]] Status give_back(const format::AllocationRecord& allocation);
  /// Puts all sums that changed; before the commit.
  [[nodiscard]] Status settle();

 private:
  [[nodiscard]] Result<format::UserRecord*> user(std::uint32_t uid);
  [[nodiscard]] Result<format::UserRecord*> charge_object(std::uint32_t uid);
  [[nodiscard]] Status require_bytes(const format::UserRecord& user, std::uint64_t bytes) const;

  CatalogTransaction& transaction_;
  format::StoreRecord& store_;
  const Limits& limits_;
  const Folder& folder_;
  std::map<std::uint32_t, format::UserRecord> users_;
  std::optional<std::uint64_t> objects_;  ///< in the store, with what was charged
};

}  // namespace psnam::nam
