#include "nam/serving.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace psnam::nam {
namespace {

constexpr const char* kFile = "serving";
constexpr std::string_view kTitle = "psnam-serving 1";
/// A path has at most 4096 bytes, and the other two lines are short.
constexpr std::size_t kMaxBytes = 8192;

/// False if somebody else has it.
Result<bool> try_lock(int fd, int how, const std::string& shown) {
  for (;;) {
    if (::flock(fd, how | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return system_error(fmt::format("locking {}", shown), errno);
  }
}

/// The value of the line that begins with `key` and a blank.
std::string_view value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return line.substr(key.size() + 1);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return {};
}

Server read_server(int fd) {
  std::array<char, kMaxBytes> buffer{};
  const ssize_t bytes = ::pread(fd, buffer.data(), buffer.size(), 0);
  const std::string_view text{buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
  Server server;
  if (!text.starts_with(kTitle)) return server;
  const std::string_view pid = value_of(text, "process");
  std::from_chars(pid.data(), pid.data() + pid.size(), server.pid);
  server.address = value_of(text, "address");
  return server;
}

Status write_server(int fd, const std::string& address, const std::string& shown) {
  const std::string text = fmt::format("{}\nprocess {}\naddress {}\n", kTitle, ::getpid(), address);
  if (text.size() > kMaxBytes)
    return Error{Code::invalid_argument, fmt::format("an address of {} bytes is too long", address.size())};
  if (::ftruncate(fd, 0) != 0) return system_error(fmt::format("writing {}", shown), errno);
  const ssize_t bytes = ::pwrite(fd, text.data(), text.size(), 0);
  if (bytes < 0) return system_error(fmt::format("writing {}", shown), errno);
  if (static_cast<std::size_t>(bytes) != text.size()) return system_error(fmt::format("writing {}", shown), ENOSPC);
  return {};
}

Result<Fd> open_file(const Folder& folder, int flags) {
  Fd fd{::openat(folder.fd(), kFile, flags | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd.valid()) return system_error(fmt::format("opening {}", folder.shown(kFile)), errno);
  return fd;
}

std::string process_of(const Server& server) {
  return server.pid == 0 ? "a process that just starts" : fmt::format("process {}", server.pid);
}

}  // namespace

Result<ServingLock> ServingLock::share(const Folder& folder) {
  PSNAM_TRY(Fd fd, open_file(folder, O_RDWR | O_CREAT));
  PSNAM_TRY(const bool locked, try_lock(fd.get(), LOCK_SH, folder.shown(kFile)));
  if (locked) return ServingLock{std::move(fd), ::getpid()};
  const Server server = read_server(fd.get());
  return Error{Code::busy,
               fmt::format("the store {} is served by namd ({}): name it by PSNAM_MANAGER={}", folder.path().string(),
                           process_of(server), server.address.empty() ? "and its address" : server.address)};
}

Result<ServingLock> ServingLock::own(const Folder& folder, const std::string& address) {
  PSNAM_TRY(Fd fd, open_file(folder, O_RDWR | O_CREAT));
  PSNAM_TRY(const bool locked, try_lock(fd.get(), LOCK_EX, folder.shown(kFile)));
  if (!locked) {
    // Whether it is a server or not shows in whether the lock can be shared.
    PSNAM_TRY(const bool embedded, try_lock(fd.get(), LOCK_SH, folder.shown(kFile)));
    if (embedded)
      return Error{Code::busy, fmt::format("the store {} cannot be served: processes that embed it have it open, and "
                                           "have to end first",
                                           folder.path().string())};
    return Error{Code::busy, fmt::format("the store {} is served by namd ({}) already", folder.path().string(),
                                         process_of(read_server(fd.get())))};
  }
  PSNAM_CHECK(write_server(fd.get(), address, folder.shown(kFile)));
  return ServingLock{std::move(fd), ::getpid()};
}

ServingLock& ServingLock::operator=(ServingLock&& other) noexcept {
  if (this != &other) {
    give_back();
    fd_ = std::move(other.fd_);
    process_ = other.process_;
  }
  return *this;
}

ServingLock::~ServingLock() { give_back(); }

void ServingLock::give_back() noexcept {
  // The description may be shared with a forked child, so closing alone would not do.
  if (fd_.valid() && process_ == ::getpid()) ::flock(fd_.get(), LOCK_UN);
}

Result<std::optional<Server>> server_of(const std::filesystem::path& path) {
  PSNAM_TRY(const Folder folder, Folder::open(path, false));
  PSNAM_TRY(const bool there, folder.contains(kFile));
  if (!there) return std::optional<Server>{};
  PSNAM_TRY(const Fd fd, open_file(folder, O_RDWR));
  PSNAM_TRY(const bool locked, try_lock(fd.get(), LOCK_SH, folder.shown(kFile)));
  if (locked) return std::optional<Server>{};
  return std::optional{read_server(fd.get())};
}

}  // namespace psnam::nam
