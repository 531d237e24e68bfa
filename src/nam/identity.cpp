#include "nam/identity.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "base/process.hpp"
#include "base/system.hpp"
#include "nam/store.hpp"

namespace psnam::nam {
namespace {

constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";
constexpr const char* kPidNamespaceFile = "/proc/self/ns/pid";

Result<std::string> read_small_file(const char* path) {
  const Fd fd{::open(path, O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return system_error(path, errno);
  std::array<char, 1024> buffer{};
  const ssize_t bytes = ::read(fd.get(), buffer.data(), buffer.size());
  if (bytes < 0) return system_error(path, errno);
  return std::string{buffer.data(), static_cast<std::size_t>(bytes)};
}

}  // namespace

Result<format::Uuid> parse_boot_id(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != '-' && c != '\n'; });
  format::Uuid uuid;
  bool valid = digits.size() == 2 * uuid.bytes.size();
  for (std::size_t at = 0; valid && at < uuid.bytes.size(); ++at) {
    const char* const first = digits.data() + 2 * at;
    const auto [end, error] = std::from_chars(first, first + 2, uuid.bytes[at], 16);
    valid = error == std::errc{} && end == first + 2;
  }
  if (!valid) return Error{Code::system, fmt::format("{}: \"{}\" is not a boot id", kBootIdFile, text)};
  return uuid;
}

Result<format::Uuid> this_boot() {
  PSNAM_TRY(const std::string text, read_small_file(kBootIdFile));
  return parse_boot_id(text);
}

Result<std::uint64_t> this_pid_namespace() {
  struct stat status {};
  if (::stat(kPidNamespaceFile, &status) != 0) return system_error(kPidNamespaceFile, errno);
  return std::uint64_t{status.st_ino};
}

Result<format::ProcessIdentity> this_process(std::uint32_t rank) {
  PSNAM_TRY(const std::string text, read_small_file("/proc/self/stat"));
  const auto stat = parse_process_stat(text);
  const auto pid = static_cast<std::uint32_t>(::getpid());
  std::uint32_t shown_pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), shown_pid);
  // A /proc of another pid namespace would make everybody's judgement about this process wrong.
  if (!stat || shown_pid != pid)
    return Error{
        Code::unsupported,
        fmt::format("/proc is not that of this process's pid namespace: it calls {} what is {}", shown_pid, pid)};
  PSNAM_TRY(const std::uint64_t pid_namespace, this_pid_namespace());
  return format::ProcessIdentity{
      .pid = pid, .rank = rank, .start_time_ticks = stat->start_time_ticks, .pid_namespace = pid_namespace};
}

bool Judge::may_be_alive(const format::ProcessIdentity& process, const format::Uuid& boot) {
  if (is_session(process))
    return serving_ != nullptr && boot == serving_->instance &&
           (process.start_time_ticks == 0 || serving_->lives(process.start_time_ticks));
  if (boot != boot_) return false;
  if (process.pid_namespace != pid_namespace_) return true;
  const auto key = std::pair{process.pid, process.start_time_ticks};
  auto found = ended_.find(key);
  if (found == ended_.end())
    found = ended_.emplace(key, process_has_ended(process.pid, process.start_time_ticks)).first;
  return !found->second;
}

bool Judge::may_be_alive(const format::UseRecord& use) {
  return std::any_of(use.processes.begin(), use.processes.end(),
                     [&](const auto& process) { return may_be_alive(process, use.boot); });
}

bool may_be_alive(const format::ProcessIdentity& process, const format::Uuid& boot) {
  if (is_session(process)) return true;  // only its server knows
  const auto here = this_boot();
  const auto pid_namespace = this_pid_namespace();
  if (!here || !pid_namespace) return true;
  return Judge{*here, *pid_namespace}.may_be_alive(process, boot);
}

}  // namespace psnam::nam
