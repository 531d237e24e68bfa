// A tmpfs of a few megabytes for a test, where the system lets us mount one.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <string>

#include "support/temporary_folder.hpp"

namespace psnam::test {

class SmallFileSystem {
 public:
  explicit SmallFileSystem(const std::string& size)
      : mounted_{::mount("psnam-test", folder_.path().c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
                         ("mode=0700,size=" + size).c_str()) == 0} {}
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  ~SmallFileSystem() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }

  [[nodiscard]] bool mounted() const noexcept { return mounted_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return folder_.path(); }
  [[nodiscard]] std::uint64_t free_bytes() const {
    struct statvfs room {};
    return ::statvfs(path().c_str(), &room) == 0 ? std::uint64_t{room.f_bfree} * room.f_frsize : ~std::uint64_t{0};
  }
  /// Leaves no byte free.
  void fill() const {
    const int fd = ::open((path() / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    static constexpr std::array<char, 4096> kPage{};
    while (::write(fd, kPage.data(), kPage.size()) > 0) continue;
    ::close(fd);
  }
  void make_room() const { std::filesystem::remove(path() / "filler"); }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

}  // namespace psnam::test
