#include "nam/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::nam {
namespace {

void take_away(std::uint64_t& sum, std::uint64_t what) noexcept { sum -= std::min(what, sum); }

/// The sum that a file counts in. A segment has none: its root's owner has.
std::uint64_t* sum_of(const format::AllocationRecord& allocation, format::UserRecord& user) noexcept {
  if (allocation.parent_id != 0) return nullptr;
  return allocation.reserve == format::Reserve::full ? &user.reserved_bytes : &user.lazy_bytes;
}

}  // namespace

void Tally::add(const format::AllocationRecord& allocation) {
  format::UserRecord& user = of(allocation.uid);
  ++user.objects;
  if (std::uint64_t* const sum = sum_of(allocation, user)) *sum += allocation.size_bytes;
}

Result<format::UserRecord*> Accounts::user(std::uint32_t uid) {
  const auto found = users_.find(uid);
  if (found != users_.end()) return &found->second;
  PSNAM_TRY(const format::UserRecord record, transaction_.user(uid));
  return &users_.emplace(uid, record).first->second;
}

/// Counted here, not asked of the tables, because what is charged is put into them later.
Result<format::UserRecord*> Accounts::charge_object(std::uint32_t uid) {
  if (limits_.objects) {
    if (!objects_) {
      PSNAM_TRY(const std::uint64_t windows, transaction_.entries(Table::windows));
      PSNAM_TRY(const std::uint64_t allocations, transaction_.entries(Table::allocations));
      objects_ = windows + allocations;
    }
    if (*objects_ >= *limits_.objects)
      return Error{Code::no_memory, fmt::format("the store {} has {} of at most {} windows, allocations and segments",
                                                folder_.path().string(), *objects_, *limits_.objects)};
    ++*objects_;
  }
  PSNAM_TRY(format::UserRecord* const user, this->user(uid));
  if (limits_.user_objects && uid != 0 && user->objects >= *limits_.user_objects)
    return Error{Code::quota, fmt::format("user {} has {} of at most {} windows, allocations and segments in the store "
                                          "{}",
                                          uid, user->objects, *limits_.user_objects, folder_.path().string())};
  ++user->objects;
  return user;
}

Status Accounts::require_bytes(const format::UserRecord& user, std::uint64_t bytes) const {
  const auto own = limits_.bytes_of_user.find(user.uid);
  std::optional<std::uint64_t> limit = user.uid == 0 ? std::nullopt : limits_.user_bytes;
  if (own != limits_.bytes_of_user.end()) limit = own->second;
  if (!limit) return {};
  const std::uint64_t used = user.reserved_bytes + user.lazy_bytes;
  const std::uint64_t left = *limit - std::min(used, *limit);
  if (bytes <= left) return {};
  return Error{Code::quota, fmt::format("user {} has {} of {} bytes left in the store {}, {} more are wanted", user.uid,
                                        left, *limit, folder_.path().string(), bytes)};
}

Status Accounts::charge(const format::WindowRecord& window) { return charge_object(window.uid).status(); }

Status Accounts::charge(const format::AllocationRecord& allocation) {
  PSNAM_TRY(format::UserRecord* const user, charge_object(allocation.uid));
  std::uint64_t* const sum = sum_of(allocation, *user);
  if (sum == nullptr) return {};
  const std::uint64_t bytes = allocation.size_bytes;
  if (allocation.reserve == format::Reserve::full) {
    const std::uint64_t left = store_.capacity_bytes - std::min(store_.reserved_bytes, store_.capacity_bytes);
    if (bytes > left)
      return Error{Code::no_memory, fmt::format("the store {} has {} of {} bytes left, {} more are wanted",
                                                folder_.path().string(), left, store_.capacity_bytes, bytes)};
  }
  PSNAM_CHECK(require_bytes(*user, bytes));
  if (bytes > ~std::uint64_t{0} - user->lazy_bytes - user->reserved_bytes)
    return Error{Code::no_memory, fmt::format("user {} would have more than 2^64 bytes in the store {}", user->uid,
                                              folder_.path().string())};
  if (allocation.reserve == format::Reserve::full) store_.reserved_bytes += bytes;
  *sum += bytes;
  return {};
}

Status Accounts::give_back(const format::WindowRecord& window) {
  PSNAM_TRY(format::UserRecord* const user, this->user(window.uid));
  take_away(user->objects, 1);
  return {};
}

Status Accounts::give_back(const format::AllocationRecord& allocation) {
  PSNAM_TRY(format::UserRecord* const user, this->user(allocation.uid));
  take_away(user->objects, 1);
  std::uint64_t* const sum = sum_of(allocation, *user);
  if (sum == nullptr) return {};
  take_away(*sum, allocation.size_bytes);
  if (allocation.reserve == format::Reserve::full) take_away(store_.reserved_bytes, allocation.size_bytes);
  return {};
}

Status Accounts::settle() {
  for (const auto& [uid, user] : users_) PSNAM_CHECK(transaction_.put(user));
  return transaction_.put(store_);
}

}  // namespace psnam::nam
