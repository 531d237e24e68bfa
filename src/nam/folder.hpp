// The folder of a store and the files in it: who may have it, on what file system, and the memory files of allocations
// and uses. Everything goes through descriptors of folders that were checked once, so nobody can put another folder in
// between.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "nam/placement.hpp"

namespace psnam::nam {

struct FileSystemRoom {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< for this user
};

/// A file of memory: its id and size.
struct MemoryFile {
  std::uint64_t id = 0;
  std::uint64_t size_bytes = 0;
};

/// A subfolder of files of memory, named by their ids.
class FileArea {
 public:
  FileArea() = default;
  /// Opens, or makes, the subfolder `name` of `folder`.
  static Result<FileArea> open(const std::filesystem::path& folder, int folder_fd, const char* name, bool make);

  /// From now on, for files that are made.
  void set_placement(Placement placement) { placement_ = std::move(placement); }

  /// A new file; with Reserve::full all its memory is taken, or the file is gone again.
  [[nodiscard]] Result<Mapping> create(std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const;
  /// The file, made of zeros if it is not there, with all its memory taken. Any number of processes may do this at
  /// once.
  [[nodiscard]] Result<Mapping> share(std::uint64_t id, std::uint64_t bytes) const;
  /// A part of the file, or Code::corrupt if the file ends before it does.
  [[nodiscard]] Result<Mapping> map(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes,
                                    Protection protection) const;
  /// The file itself, for somebody else to map.
  [[nodiscard]] Result<Fd> descriptor(std::uint64_t id, Protection protection) const;
  /// Has what was written to a part of the file, or mapped from it and written, reach the disk.
  [[nodiscard]] Status flush(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) const;
  /// Has memory set aside for a part of a sparse file.
  [[nodiscard]] Status reserve(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) const;
  /// Absent is fine.
  [[nodiscard]] Status remove(std::uint64_t id) const;
  /// Nothing if it is not there.
  [[nodiscard]] Result<std::optional<std::uint64_t>> size_of(std::uint64_t id) const;
  [[nodiscard]] Result<std::vector<MemoryFile>> list() const;
  [[nodiscard]] std::string shown(std::uint64_t id) const;

 private:
  [[nodiscard]] Result<Fd> open_file(std::uint64_t id, std::uint64_t offset, std::uint64_t bytes, int flags) const;
  [[nodiscard]] Status take(int fd, std::uint64_t id, std::uint64_t offset, std::uint64_t bytes) const;
  [[nodiscard]] Status fill(int fd, std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const;
  [[nodiscard]] Status require_room(std::uint64_t id, std::uint64_t bytes) const;
  [[nodiscard]] Result<Mapping> make(int fd, std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const;
  [[nodiscard]] Result<Mapping> place(int fd, std::uint64_t id, std::uint64_t bytes, format::Reserve reserve) const;

  std::filesystem::path path_;
  Fd fd_;
  Placement placement_;
};

/// Sixteen hexadecimal digits.
[[nodiscard]] std::string file_name(std::uint64_t id);
/// The id that `name` stands for, if it is one.
[[nodiscard]] std::optional<std::uint64_t> id_of_file_name(std::string_view name);

/// True for a file system (statfs f_type) whose files other nodes can change, on which neither shared mappings nor
/// locks can be relied on.
[[nodiscard]] bool is_network_file_system(std::uint64_t type) noexcept;

/// The checked folder itself.
class Folder {
 public:
  /// Code::name_not_found if it is missing and not to be made; Code::access if it is a link, another user's or open to
  /// others; Code::unsupported on a network file system.
  static Result<Folder> open(const std::filesystem::path& path, bool make);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// A path to `file` that leads through the checked descriptor.
  [[nodiscard]] std::string through(std::string_view file) const;
  [[nodiscard]] std::string shown(std::string_view file) const { return (path_ / file).string(); }
  [[nodiscard]] bool in_memory() const noexcept { return in_memory_; }
  [[nodiscard]] Result<bool> contains(const char* file) const;
  [[nodiscard]] Result<FileSystemRoom> room() const;

 private:
  Status check() const;

  std::filesystem::path path_;
  Fd fd_;
  bool in_memory_ = false;
};

/// Exclusive among all processes while it lives; for making and opening the catalog.
class FolderLock {
 public:
  static Result<FolderLock> take(const Folder& folder);
  FolderLock(FolderLock&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  FolderLock& operator=(FolderLock&&) = delete;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) noexcept : fd_{fd} {}
  int fd_;
};

}  // namespace psnam::nam
