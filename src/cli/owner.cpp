#include "cli/owner.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

#include "base/system.hpp"
#include "cli/report.hpp"

namespace psnam::cli {
namespace {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

std::optional<uid_t> number_of(const std::string& text) {
  uid_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Account> account_of(const std::string& owner) {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  const auto number = number_of(owner);
  for (int failed = ERANGE; failed == ERANGE;) {
    buffer.resize(buffer.size() * 2);
    failed = number ? ::getpwuid_r(*number, &entry, buffer.data(), buffer.size(), &found)
                    : ::getpwnam_r(owner.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (failed != 0 && failed != ERANGE)
      return system_error(fmt::format("asking the system for the user \"{}\"", owner), failed);
  }
  if (found == nullptr) return Error{Code::name_not_found, fmt::format("the system knows no user \"{}\"", owner)};
  return Account{.name = found->pw_name, .uid = found->pw_uid, .gid = found->pw_gid};
}

}  // namespace

Status become(const std::string& owner) {
  PSNAM_TRY(const Account account, account_of(owner));
  if (account.uid == ::geteuid()) return {};
  if (::geteuid() != 0)
    return Error{Code::access, fmt::format("--owner {}: only root may act for another user, and this is {}", owner,
                                           user_name(::geteuid()))};
  // The groups first: without root's rights they could not be changed any more.
  if (::initgroups(account.name.c_str(), account.gid) != 0 || ::setgid(account.gid) != 0 || ::setuid(account.uid) != 0)
    return system_error(fmt::format("becoming the user {}", account.name), errno);
  return {};
}

}  // namespace psnam::cli
