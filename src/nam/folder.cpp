#include "nam/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace psnam::nam {
namespace {

// Numbers that linux/magic.h does not have; statfs(2) and the file systems' sources name them.
constexpr std::array<std::uint64_t, 22> kNetworkFileSystems{
    NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, AFS_SUPER_MAGIC,  AFS_FS_MAGIC,
    CODA_SUPER_MAGIC, NCP_SUPER_MAGIC, V9FS_MAGIC,       CEPH_SUPER_MAGIC, FUSE_SUPER_MAGIC, OCFS2_SUPER_MAGIC,
    0x0BD00BD0,  // Lustre
    0x0BD00BD1,  // Lustre, servers
    0x47504653,  // GPFS
    0x01161970,  // GFS2
    0x19830326,  // BeeGFS
    0xAAD7AAEA,  // PanFS
    0x5346414F,  // AFS, older
    0x7C7C6673,  // PRL
    0x786F4256,  // VirtualBox shared folders
    0xBACBACBC,  // VMware shared folders
};

Error missing(const std::filesystem::path& path) {
  return Error{Code::name_not_found, fmt::format("there is no NAM store at {}", path.string())};
}

/// `path` without what would make the system follow a link at its end.
std::filesystem::path without_trailing_slash(const std::filesystem::path& path) {
  const auto normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

bool is_network_file_system(std::uint64_t type) noexcept {
  return std::find(kNetworkFileSystems.begin(), kNetworkFileSystems.end(), type & 0xFFFFFFFF) !=
         kNetworkFileSystems.end();
}

Result<Folder> Folder::open(const std::filesystem::path& path, bool make) {
  Folder folder;
  folder.path_ = without_trailing_slash(path);
  if (folder.path_.empty() || !folder.path_.is_absolute())
    return Error{Code::invalid_argument,
                 fmt::format("the store's folder \"{}\" is not an absolute path", path.string())};
  const bool made = make && ::mkdir(folder.path_.c_str(), 0700) == 0;
  if (make && !made && errno != EEXIST) return system_error(fmt::format("making {}", folder.path_.string()), errno);
  folder.fd_ = Fd{::open(folder.path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!folder.fd_.valid()) {
    if (errno == ENOENT) return missing(folder.path_);
    if (errno == ELOOP || errno == ENOTDIR)
      return Error{Code::access, fmt::format("{} is not a folder, or a symbolic link", folder.path_.string()), errno};
    return system_error(fmt::format("opening {}", folder.path_.string()), errno);
  }
  // The umask may have taken away more than others' rights.
  if (made && ::fchmod(folder.fd(), 0700) != 0)
    return system_error(fmt::format("making {}", folder.path_.string()), errno);
  PSNAM_CHECK(folder.check());
  struct statfs system {};
  if (::fstatfs(folder.fd(), &system) != 0) return system_error(folder.path_.string(), errno);
  const auto type = static_cast<std::uint64_t>(system.f_type) & 0xFFFFFFFF;
  if (is_network_file_system(type))
    return Error{Code::unsupported,
                 fmt::format("{} is on a network file system (type {:#x}): a store needs memory or a disk of its node",
                             folder.path_.string(), type)};
  folder.in_memory_ = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
  return folder;
}

Status Folder::check() const {
  struct stat status {};
  if (::fstat(fd(), &status) != 0) return system_error(path_.string(), errno);
  if (status.st_uid != ::geteuid())
    return Error{Code::access,
                 fmt::format("{} belongs to user {}, not to {}", path_.string(), status.st_uid, ::geteuid())};
  if ((status.st_mode & 0077) != 0)
    return Error{Code::access, fmt::format("{} has mode {:04o}, which lets others in; a store has mode 0700",
                                           path_.string(), status.st_mode & 07777)};
  return {};
}

std::string Folder::through(std::string_view file) const { return fmt::format("/proc/self/fd/{}/{}", fd(), file); }

Result<bool> Folder::contains(const char* file) const {
  struct stat status {};
  if (::fstatat(fd(), file, &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return system_error(shown(file), errno);
}

Result<FileSystemRoom> Folder::room() const {
  struct statvfs room {};
  if (::fstatvfs(fd(), &room) != 0) return system_error(path_.string(), errno);
  return FileSystemRoom{.total_bytes = std::uint64_t{room.f_blocks} * room.f_frsize,
                        .free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize};
}

Result<FolderLock> FolderLock::take(const Folder& folder) {
  while (::flock(folder.fd(), LOCK_EX) != 0)
    if (errno != EINTR) return system_error(fmt::format("locking {}", folder.path().string()), errno);
  return FolderLock{folder.fd()};
}

FolderLock::~FolderLock() {
  // The description may be shared with a forked child, so closing alone would not do.
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

}  // namespace psnam::nam
