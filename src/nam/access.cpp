#include "nam/access.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace psnam::nam {

Result<Caller> this_caller() {
  Caller caller{.uid = ::geteuid(), .gid = ::getegid()};
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

std::string shown(const format::WindowRecord& window) {
  return window.name.empty() ? fmt::format("window {}", window.id)
                             : fmt::format("window {} \"{}\"", window.id, window.name);
}

std::string shown(const format::AllocationRecord& allocation) {
  const std::string_view kind = allocation.parent_id == 0 ? "allocation" : "segment";
  return allocation.name.empty() ? fmt::format("{} {}", kind, allocation.id)
                                 : fmt::format("{} {} \"{}\"", kind, allocation.id, allocation.name);
}

Status require_access(const format::WindowRecord& window, AccessRight right, const Caller& caller) {
  if (may_access(window, right, caller)) return {};
  return Error{Code::access, fmt::format("the window \"{}\" of user {} has mode {:04o}: user {} may not {} it",
                                         window.name, window.uid, window.mode, caller.uid,
                                         right == AccessRight::read_only ? "read" : "read and write")};
}

Status require_access(const format::AllocationRecord& allocation, AccessRight right, const Caller& caller) {
  if (may_access(allocation, right, caller)) return {};
  return Error{Code::access, fmt::format("the allocation {} of user {} has mode {:04o}: user {} may not {} it",
                                         allocation.id, allocation.uid, allocation.mode, caller.uid,
                                         right == AccessRight::read_only ? "read" : "read and write")};
}

Status Rights::require_administrator(std::string_view to_do, std::string_view store) const {
  if (administers()) return {};
  return Error{Code::access, fmt::format("user {} may not {} the store {}: only user 0 and user {}, whose it is, may",
                                         caller_.uid, to_do, store, store_uid_)};
}

Status Rights::require_making(std::uint32_t uid, std::uint32_t gid, std::uint32_t mode) const {
  constexpr std::uint32_t kModeBits = 0777;
  if ((mode & ~kModeBits) != 0)
    return Error{Code::invalid_argument, fmt::format("mode {:04o}: modes are 0 to {:04o}", mode, kModeBits)};
  if (administers()) return {};
  if (uid != caller_.uid)
    return Error{Code::access, fmt::format("user {} cannot make anything with mode {:04o} that belongs to user {}",
                                           caller_.uid, mode, uid)};
  const bool member =
      gid == caller_.gid || std::find(caller_.gids.begin(), caller_.gids.end(), gid) != caller_.gids.end();
  if (!member)
    return Error{Code::access,
                 fmt::format("user {} cannot make anything with mode {:04o} for the group {}, to which he does not "
                             "belong",
                             caller_.uid, mode, gid)};
  return {};
}

Error Rights::not_owner(const std::string& object, std::uint32_t uid, std::uint32_t mode,
                        std::string_view to_do) const {
  return Error{Code::access, fmt::format("the {} of user {} has mode {:04o}: user {} may not {} it", object, uid, mode,
                                         caller_.uid, to_do)};
}

}  // namespace psnam::nam
