#include "base/system.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace psnam {
namespace {

// From here up a region is worth asking for huge pages; the kernel grants them for shared memory where the admin set
// "advise".
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

Code code_of(int error_number) noexcept {
  switch (error_number) {
    case ENOSPC:
    case ENOMEM:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return Code::no_memory;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::access;
    default:
      return Code::system;
  }
}

}  // namespace

Error system_error(std::string_view what, int error_number) {
  return Error{code_of(error_number), fmt::format("{}: {}", what, std::strerror(error_number)), error_number};
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Mapping::~Mapping() { unmap(); }

void Mapping::unmap() noexcept {
  if (data_ == nullptr) return;
  // A mapping begins where a page does.
  const std::size_t lead = reinterpret_cast<std::uintptr_t>(data_) % page_bytes();
  ::munmap(data_ - lead, bytes_ + lead);
}

Result<Mapping> Mapping::map_range(int fd, std::uint64_t offset_bytes, std::size_t bytes, Protection protection,
                                   std::string_view what) {
  if (bytes == 0) return Mapping{};
  const std::size_t lead = offset_bytes % page_bytes();
  const int prot = protection == Protection::read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  void* const data = ::mmap(nullptr, bytes + lead, prot, MAP_SHARED, fd, static_cast<off_t>(offset_bytes - lead));
  if (data == MAP_FAILED)
    return system_error(fmt::format("mapping {} bytes at {} of {}", bytes, offset_bytes, what), errno);
  if (bytes >= kHugePageBytes) ::madvise(data, bytes + lead, MADV_HUGEPAGE);  // a hint; a refusal changes nothing
  return Mapping{static_cast<std::byte*>(data) + lead, bytes};
}

}  // namespace psnam
