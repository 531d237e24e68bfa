// Owned descriptors and mappings, and the message for a refused system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace psnam {

/// "<what>: <strerror>", with Code::no_memory for ENOSPC, ENOMEM, EDQUOT and EMFILE, Code::access for EACCES, EPERM and
/// EROFS, else Code::system; detail is `error_number`.
[[nodiscard]] Error system_error(std::string_view what, int error_number);

/// A file descriptor that closes itself. Every descriptor of this library is opened with O_CLOEXEC.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_{fd} {}
  Fd(Fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class Protection { read_only, read_write };

/// A shared mapping of a file that unmaps itself. Empty for zero bytes.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(Mapping&& other) noexcept
      : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  /// Maps the first `bytes` bytes of `fd`; the descriptor may be closed afterwards.
  [[nodiscard]] static Result<Mapping> map(int fd, std::size_t bytes, Protection protection, std::string_view what) {
    return map_range(fd, 0, bytes, protection, what);
  }
  /// Maps `bytes` bytes from `offset_bytes` on, which may be any: whole pages around them are mapped.
  [[nodiscard]] static Result<Mapping> map_range(int fd, std::uint64_t offset_bytes, std::size_t bytes,
                                                 Protection protection, std::string_view what);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  Mapping(std::byte* data, std::size_t bytes) noexcept : data_{data}, bytes_{bytes} {}
  void unmap() noexcept;

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace psnam
