// What a job that is going to be killed tells its script: a page in a file, shared with the processes of the job.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <string>

namespace psnam::test {

enum class Phase : std::uint32_t { idle = 0, create = 1, put = 2, set_info = 3, publish = 4, free = 5, connect = 6 };
inline constexpr std::size_t kPhases = 7;

/// Read by churn.py: eight 32-bit words. The words of a rank have one writer, the rank.
struct Board {
  std::atomic<std::uint32_t> phase[2];  ///< in which each rank is
  std::uint32_t pid[2];                 ///< of each rank
  std::atomic<std::uint32_t> fired;     ///< 1 once the timer has decided that now is the time
  std::uint32_t iterations;             ///< that rank 0 has completed
  std::uint32_t spare[2];
};
static_assert(sizeof(Board) == 32);

[[nodiscard]] inline Board* open_board(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const page = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return page == MAP_FAILED ? nullptr : std::launder(static_cast<Board*>(page));
}

}  // namespace psnam::test
