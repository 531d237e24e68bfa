#include "nam/control/secret.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/system.hpp"

namespace psnam::nam::control {
namespace {

constexpr mode_t kForbidden = S_IRWXO | S_IWGRP;

Status check(const std::string& file, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return Error{Code::invalid_argument, fmt::format("secret {}: not a file", file)};
  if ((status.st_mode & kForbidden) != 0)
    return Error{Code::access,
                 fmt::format("secret {}: mode {:04o} lets others read or change it; 0600 or 0640 is right", file,
                             status.st_mode & 07777U)};
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return Error{Code::access, fmt::format("secret {}: it belongs to user {}; user {} or root should own it", file,
                                           status.st_uid, ::geteuid())};
  return {};
}

}  // namespace

Result<Secret> read_secret(const std::string& file) {
  // O_NONBLOCK: a pipe in its place must not make us wait.
  const Fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!fd.valid()) return system_error(fmt::format("secret {}", file), errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(fmt::format("secret {}", file), errno);
  PSNAM_CHECK(check(file, status));
  Secret secret{.key = std::vector<std::byte>(kMaxSecretBytes + 1),
                .owner = status.st_uid,
                .group_reads = (status.st_mode & S_IRGRP) != 0};
  const ssize_t bytes = ::read(fd.get(), secret.key.data(), secret.key.size());
  if (bytes < 0) return system_error(fmt::format("secret {}", file), errno);
  secret.key.resize(static_cast<std::size_t>(bytes));
  if (!secret.key.empty() && secret.key.back() == std::byte{'\n'}) secret.key.pop_back();
  if (secret.key.size() < kMinSecretBytes || secret.key.size() > kMaxSecretBytes)
    return Error{Code::invalid_argument, fmt::format("secret {}: it has {} bytes; {} to {} are right", file,
                                                     secret.key.size(), kMinSecretBytes, kMaxSecretBytes)};
  return secret;
}

}  // namespace psnam::nam::control
