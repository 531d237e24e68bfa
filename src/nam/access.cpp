#include "nam/access.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace psnam::nam {

Result<Caller> this_caller() {
  Caller caller{.uid = ::geteuid(), .gids = {}};
  const int count = ::getgroups(0, nullptr);
  if (count < 0) return system_error("asking for the groups of this process", errno);
  caller.gids.resize(static_cast<std::size_t>(count));
  const int got = ::getgroups(count, caller.gids.data());
  if (got < 0) return system_error("asking for the groups of this process", errno);
  caller.gids.resize(static_cast<std::size_t>(got));
  caller.gids.push_back(::getegid());
  return caller;
}

namespace {

template <class Record>
bool mode_lets(const Record& record, AccessRight right, const Caller& caller) noexcept {
  constexpr std::uint32_t kRead = 4;
  constexpr std::uint32_t kWrite = 2;
  const std::uint32_t wanted = right == AccessRight::read_only ? kRead : kRead | kWrite;
  if (caller.uid == 0) return true;
  unsigned shift = 0;
  if (caller.uid == record.uid)
    shift = 6;
  else if (std::find(caller.gids.begin(), caller.gids.end(), record.gid) != caller.gids.end())
    shift = 3;
  return ((record.mode >> shift) & wanted) == wanted;
}

}  // namespace

bool may_access(const format::WindowRecord& window, AccessRight right, const Caller& caller) noexcept {
  return mode_lets(window, right, caller);
}

bool may_access(const format::AllocationRecord& allocation, AccessRight right, const Caller& caller) noexcept {
  return mode_lets(allocation, right, caller);
}

Status require_access(const format::AllocationRecord& allocation, AccessRight right, const Caller& caller) {
  if (may_access(allocation, right, caller)) return {};
  return Error{Code::access, fmt::format("the allocation {} of user {} has mode {:04o}: user {} may not {} it",
                                         allocation.id, allocation.uid, allocation.mode, caller.uid,
                                         right == AccessRight::read_only ? "read" : "read and write")};
}

}  // namespace psnam::nam
