// Files of memory. A file that is made here has a record in the catalog already, and one that is removed has lost its
// name: see the order of steps in nam/store.hpp.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

#include "nam/folder.hpp"

namespace psnam::nam {
namespace {

// The system gives up a reservation, all of it, when a signal comes; short pieces get ahead even where signals are
// frequent.
constexpr std::uint64_t kPieceBytes = std::uint64_t{64} << 20;
constexpr std::size_t kNameDigits = 16;

/// 0, or the error number.
int reserve_piece(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
  for (;;) {
    if (::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0) return 0;
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP) return errno;
    return ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  }
}

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

}  // namespace

std::string file_name(std::uint64_t id) { return fmt::format("{:016x}", id); }

std::optional<std::uint64_t> id_of_file_name(std::string_view name) {
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  if (name.size() != kNameDigits || error != std::errc{} || end != name.data() + name.size() || file_name(id) != name)
    return std::nullopt;
  return id;
}

Result<FileArea> FileArea::open(const std::filesystem::path& folder, int folder_fd, const char* name, bool make) {
  FileArea area;
  area.path_ = folder / name;
  if (make && ::mkdirat(folder_fd, name, 0700) != 0 && errno != EEXIST)
    return system_error(fmt::format("making {}", area.path_.string()), errno);
  area.fd_ = Fd{::openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!area.fd_.valid()) return system_error(fmt::format("opening {}", area.path_.string()), errno);
  return area;
}

std::string FileArea::shown(std::uint64_t id) const { return (path_ / file_name(id)).string(); }

Result<Mapping> FileArea::create(std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const {
  if (bytes > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
    return Error{Code::no_memory, fmt::format("{}: no file has {} bytes", shown(id), bytes)};
  if (reserve == format::Reserve::full) PSNAM_CHECK(require_room(id, bytes));
  const Fd fd{::openat(fd_.get(), file_name(id).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd.valid()) return system_error(fmt::format("making {}", shown(id)), errno);
  auto made = make(fd.get(), id, bytes, reserve);
  if (!made) PSNAM_CHECK(remove(id));
  return made;
}

Result<Mapping> FileArea::make(int fd, std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const {
  Mapping mapping;
  if (placement_.wants_mapping() && bytes != 0) {
    PSNAM_TRY(mapping, place(fd, id, bytes, reserve));
  }
  PSNAM_CHECK(fill(fd, id, bytes, reserve));
  if (placement_.durable && (::fsync(fd) != 0 || ::fsync(fd_.get()) != 0))
    return system_error(fmt::format("having {} reach the disk", shown(id)), errno);
  if (mapping.bytes() != 0) return mapping;
  return Mapping::map(fd, static_cast<std::size_t>(bytes), Protection::read_write, shown(id));
}

/// What a mapping decides about the pages of its file has to be decided before they are taken. Huge pages come only to
/// who touches a mapping; what cannot be had that way is taken as usual afterwards.
Result<Mapping> FileArea::place(int fd, std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const {
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
    return system_error(fmt::format("giving {} {} bytes", shown(id), bytes), errno);
  PSNAM_TRY(Mapping mapping, Mapping::map(fd, static_cast<std::size_t>(bytes), Protection::read_write, shown(id)));
  if (placement_.bind) PSNAM_CHECK(placement_.bind(mapping.data(), mapping.bytes()));
  if (placement_.huge_pages && ::madvise(mapping.data(), mapping.bytes(), MADV_HUGEPAGE) == 0 &&
      reserve == format::Reserve::full)
    static_cast<void>(::madvise(mapping.data(), mapping.bytes(), MADV_POPULATE_WRITE));
  return mapping;
}

/// Whoever comes second finds the memory taken, and taking it again changes nothing. A file that could not be filled
/// stays, empty: somebody else may be filling it, and it goes with what it belongs to.
Result<Mapping> FileArea::share(std::uint64_t id, std::uint64_t bytes) const {
  const Fd fd{::openat(fd_.get(), file_name(id).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd.valid()) return system_error("making " + shown(id), errno);
  PSNAM_CHECK(fill(fd.get(), id, bytes, format::Reserve::full));
  return Mapping::map(fd.get(), static_cast<std::size_t>(bytes), Protection::read_write, shown(id));
}

/// Asking first spares filling the whole file system only to learn that it is too small.
Status FileArea::require_room(std::uint64_t id, std::uint64_t bytes) const {
  struct statvfs room {};
  if (::fstatvfs(fd_.get(), &room) != 0) return system_error(shown(id), errno);
  const std::uint64_t free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
  if (bytes > free_bytes)
    return Error{Code::no_memory,
                 fmt::format("{}: {} bytes are wanted, the file system has {} left", shown(id), bytes, free_bytes),
                 ENOSPC};
  return {};
}

Status FileArea::fill(int fd, std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const {
  if (reserve == format::Reserve::lazy) {
    if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
      return system_error(fmt::format("giving {} {} bytes", shown(id), bytes), errno);
    return {};
  }
  return take(fd, id, 0, bytes);
}

Status FileArea::take(int fd, std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) const {
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t piece = std::min(kPieceBytes, bytes - done);
    if (const int error = reserve_piece(fd, offset + done, piece); error != 0)
      return system_error(fmt::format("reserving {} bytes for {}", bytes, shown(id)), error);
    done += piece;
  }
  return {};
}

Result<Fd> FileArea::open_file(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes, int flags) const {
  Fd fd{::openat(fd_.get(), file_name(id).c_str(), flags | O_CLOEXEC | O_NOFOLLOW)};
  if (!fd.valid() && errno == ENOENT)
    return Error{Code::name_not_found, fmt::format("there is no memory {}", shown(id)), ENOENT};
  if (!fd.valid()) return system_error(fmt::format("opening {}", shown(id)), errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(shown(id), errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  // A mapping beyond the end of the file would be a SIGBUS for whoever touches it.
  if (!S_ISREG(status.st_mode) || size < bytes || size - bytes < offset)
    return Error{Code::corrupt, offset == 0 ? fmt::format("{} has {} bytes instead of {}", shown(id), size, bytes)
                                            : fmt::format("{} has {} bytes, too few for {} bytes at offset {}",
                                                          shown(id), size, bytes, offset)};
  return fd;
}

Result<Mapping> FileArea::map(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes,
                              Protection protection) const {
  PSNAM_TRY(const Fd fd, open_file(id, offset, bytes, protection == Protection::read_only ? O_RDONLY : O_RDWR));
  return Mapping::map_range(fd.get(), offset, static_cast<std::size_t>(bytes), protection, shown(id));
}

Result<Fd> FileArea::descriptor(std::uint64_t id, Protection protection) const {
  return open_file(id, 0, 0, protection == Protection::read_only ? O_RDONLY : O_RDWR);
}

/// Of the whole file: the system knows what of it is not on the disk yet.
Status FileArea::flush(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) const {
  PSNAM_TRY(const Fd fd, open_file(id, offset, bytes, O_RDWR));
  if (::fdatasync(fd.get()) != 0) return system_error(fmt::format("flushing {}", shown(id)), errno);
  return {};
}

Status FileArea::reserve(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) const {
  PSNAM_TRY(const Fd fd, open_file(id, offset, bytes, O_RDWR));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(shown(id), errno);
  constexpr blkcnt_t kBlockBytes = 512;
  if (status.st_blocks >= status.st_size / kBlockBytes) return {};  // all of it is there
  return take(fd.get(), id, offset, bytes);
}

Status FileArea::remove(std::uint64_t id) const {
  if (::unlinkat(fd_.get(), file_name(id).c_str(), 0) != 0 && errno != ENOENT)
    return system_error(fmt::format("removing {}", shown(id)), errno);
  return {};
}

Result<std::optional<std::uint64_t>> FileArea::size_of(std::uint64_t id) const {
  struct stat status {};
  if (::fstatat(fd_.get(), file_name(id).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return std::optional{static_cast<std::uint64_t>(status.st_size)};
  if (errno == ENOENT) return std::optional<std::uint64_t>{};
  return system_error(shown(id), errno);
}

Result<std::vector<MemoryFile>> FileArea::list() const {
  // A description of its own: the position in the folder is part of it.
  const int fd = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error(fmt::format("listing {}", path_.string()), errno);
  const std::unique_ptr<DIR, CloseDirectory> directory{::fdopendir(fd)};
  if (!directory) {
    const int error = errno;
    ::close(fd);
    return system_error(fmt::format("listing {}", path_.string()), error);
  }
  std::vector<MemoryFile> files;
  errno = 0;
  while (const dirent* const entry = ::readdir(directory.get())) {
    if (const auto id = id_of_file_name(entry->d_name)) {
      PSNAM_TRY(const auto size, size_of(*id));
      if (size) files.push_back({.id = *id, .size_bytes = *size});
    }
    errno = 0;
  }
  if (errno != 0) return system_error(fmt::format("listing {}", path_.string()), errno);
  return files;
}

}  // namespace psnam::nam
