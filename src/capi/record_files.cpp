// Records of sets as files of the user's home folder.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/log.hpp"
#include "base/options.hpp"
#include "base/system.hpp"
#include "capi/records.hpp"

namespace psnam::capi {
namespace {

constexpr std::string_view kSuffix = ".alloc_ext";
constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

std::string file_of(std::uint64_t challenge) { return fmt::format("{:016x}{}", challenge, kSuffix); }

/// The folder, if it is there and the user's own.
Result<Fd> open_folder(const std::filesystem::path& folder, bool make) {
  if (make && ::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return system_error("making " + folder.string(), errno);
  Fd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd.valid() && errno == ENOENT)
    return Error{Code::name_not_found, fmt::format("there is no folder {}", folder.string())};
  if (!fd.valid()) return system_error("opening " + folder.string(), errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(folder.string(), errno);
  if (status.st_uid != ::geteuid())
    return Error{Code::access, fmt::format("{} belongs to user {}", folder.string(), status.st_uid)};
  return fd;
}

Status write_all(int fd, std::string_view text, const std::string& shown) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("writing " + shown, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return system_error("writing " + shown, errno);
  return {};
}

Result<std::string> read_all(int folder, const char* name) {
  // Not blocked by a pipe that somebody put there.
  const Fd fd{::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!fd.valid()) return system_error("opening", errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error("asking for its size", errno);
  if (!S_ISREG(status.st_mode)) return Error{Code::corrupt, "it is no plain file"};
  if (status.st_uid != ::geteuid()) return Error{Code::access, fmt::format("it belongs to user {}", status.st_uid)};
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t bytes = ::read(fd.get(), buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return system_error("reading", errno);
    if (bytes == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(bytes));
    if (text.size() > kMaxFileBytes)
      return Error{Code::corrupt, fmt::format("it has more than {} bytes", kMaxFileBytes)};
  }
}

Result<SetRecord> read_record(int folder, const std::string& name) {
  PSNAM_TRY(const std::string text, read_all(folder, name.c_str()));
  PSNAM_TRY(SetRecord record, parse_text(text));
  if (name != file_of(record.challenge))
    return Error{Code::corrupt, fmt::format("its challenge is {:016x}", record.challenge)};
  return record;
}

}  // namespace

Result<std::filesystem::path> records_folder() {
  constexpr const char* kFolder = ".libNAM";
  if (const auto home = environment_variable("HOME"); home && !home->empty())
    return std::filesystem::path{*home} / kFolder;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  const int error = ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  if (error != 0) return system_error("asking for the user's home folder", error);
  if (found == nullptr || found->pw_dir == nullptr || *found->pw_dir == '\0')
    return Error{Code::name_not_found, fmt::format("HOME is not set, and user {} has no home folder", ::geteuid())};
  return std::filesystem::path{found->pw_dir} / kFolder;
}

Status write_record(const std::filesystem::path& folder, const SetRecord& record) {
  PSNAM_TRY(const Fd directory, open_folder(folder, true));
  const std::string name = file_of(record.challenge);
  const std::string temporary = fmt::format(".{}.{}", name, ::getpid());
  const std::string shown = (folder / temporary).string();
  const Fd fd{
      ::openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd.valid()) return system_error("making " + shown, errno);
  Status written = write_all(fd.get(), to_text(record), shown);
  if (written && ::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0)
    written = system_error("naming " + (folder / name).string(), errno);
  if (!written) ::unlinkat(directory.get(), temporary.c_str(), 0);
  return written;
}

Status remove_record(const std::filesystem::path& folder, std::uint64_t challenge) {
  const std::filesystem::path file = folder / file_of(challenge);
  if (::unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
    return system_error("removing " + file.string(), errno);
  return {};
}

std::vector<SetRecord> read_records(const std::filesystem::path& folder) {
  std::vector<SetRecord> records;
  const auto directory = open_folder(folder, false);
  if (!directory) {
    if (directory.error().code != Code::name_not_found) log::warn("{}", directory.error().message);
    return records;
  }
  const int again = ::openat(directory->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseDirectory> listing{again < 0 ? nullptr : ::fdopendir(again)};
  if (!listing) {
    log::warn("listing {}: {}", folder.string(), system_error("opening", errno).message);
    if (again >= 0) ::close(again);
    return records;
  }
  while (const dirent* const entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (name.front() == '.' || !name.ends_with(kSuffix)) continue;
    auto record = read_record(directory->get(), name);
    if (record)
      records.push_back(std::move(*record));
    else
      log::warn("{} is no record of a set and is skipped: {}", (folder / name).string(), record.error().message);
  }
  return records;
}

}  // namespace psnam::capi
