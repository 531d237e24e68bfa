#include "nam/access.hpp"

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

bool may_access(const format::WindowRecord& window, AccessRight right, const Caller& caller) noexcept {
  constexpr std::uint32_t kRead = 4;
  constexpr std::uint32_t kWrite = 2;
  const std::uint32_t wanted = right == AccessRight::read_only ? kRead : kRead | kWrite;
  if (caller.uid == 0) return true;
  unsigned shift = 0;
  if (caller.uid == window.uid)
    shift = 6;
  else if (std::find(caller.gids.begin(), caller.gids.end(), window.gid) != caller.gids.end())
    shift = 3;
  return ((window.mode >> shift) & wanted) == wanted;
}

}  // namespace psnam::nam
