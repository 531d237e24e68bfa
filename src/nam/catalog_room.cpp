// Room in a catalog: how much its records may take, and what is kept for who removes some.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/system.hpp"
#include "nam/catalog.hpp"

namespace psnam::nam {
namespace {

// A removal writes new copies of the pages it changes: about four levels of fourteen tables, twice, since the next
// transaction cannot use the pages of the last one yet. As much is kept beside it for uses of what is there.
constexpr std::uint64_t kReserveBytes = std::uint64_t{1} << 20;

constexpr std::uint64_t kPageBytes = 4096;

/// What uses may take beyond the limit.
constexpr std::uint64_t kUseShare = 16;

}  // namespace

Result<CatalogTransaction> Catalog::write(Purpose purpose, std::uint64_t bytes) {
  PSNAM_TRY(Transaction transaction, environment_->begin_write());
  if (purpose != Purpose::removal) PSNAM_CHECK(require_room(purpose, bytes));
  return CatalogTransaction{std::move(transaction), shown()};
}

Status Catalog::set_limit(std::uint64_t bytes) {
  if (bytes < kLeastLimitBytes || bytes > kLimitBytes)
    return Error{Code::invalid_argument, fmt::format("{} bytes for the records of {}: the limit is between {} and {}",
                                                     bytes, shown(), kLeastLimitBytes, kLimitBytes)};
  limit_bytes_.store(bytes, std::memory_order_relaxed);
  return {};
}

Result<std::uint64_t> Catalog::taken_bytes() {
  PSNAM_TRY(const std::uint64_t free, environment_->free_bytes());
  PSNAM_TRY(const std::uint64_t used, environment_->used_bytes());
  return used - std::min(free, used);
}

Status Catalog::require_room(Purpose purpose, std::uint64_t bytes) {
  const std::uint64_t own = limit_bytes();
  const std::uint64_t limit = purpose == Purpose::use ? own + std::max(own / kUseShare, kReserveBytes) : own;
  // Twice, as pages are filled to a half at least; whole ones, as it is pages that are taken and become free.
  const std::uint64_t more = (2 * bytes / kPageBytes + 1) * kPageBytes;
  PSNAM_TRY(const std::uint64_t used, environment_->used_bytes());
  if (used > limit || more > limit - used) {
    // The file has grown to its limit, or nearly; what matters is how much of it is free again.
    PSNAM_TRY(const std::uint64_t taken, taken_bytes());
    if (taken > limit || more > limit - taken)
      return Error{
          Code::no_memory,
          fmt::format("{} is full: its records take {} of at most {} bytes{}, and {} more are wanted; windows "
                      "and allocations have to be removed first",
                      shown(), taken, limit, purpose == Purpose::use ? " for the use of what is there" : "", more)};
  }
  return set_aside(used + more + (purpose == Purpose::creation ? 2 : 1) * kReserveBytes);
}

Status Catalog::set_aside(std::uint64_t end) {
  if (end <= set_aside_end_.load(std::memory_order_relaxed)) return {};
  PSNAM_TRY(const int fd, environment_->descriptor());
  // More when there is plenty, so that the next calls need not ask the system.
  for (const std::uint64_t wanted : {end + kReserveBytes, end}) {
    int rc = 0;
    do rc = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(wanted));
    while (rc != 0 && errno == EINTR);
    // Where the file system cannot set memory aside, it is taken when it is written, and LMDB reports what fails.
    if (rc == 0 || errno == EOPNOTSUPP) {
      set_aside_end_.store(wanted, std::memory_order_relaxed);
      return {};
    }
  }
  return system_error(fmt::format("{}: setting {} bytes aside", shown(), end), errno);
}

}  // namespace psnam::nam
