// What a client under load tells its script, by memory of a file that outlives it: the script reads it when the client
// has been killed. Words of 64 bits, each written by the client alone; load.py has the same list.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

namespace psnam::test {

struct LoadBoard {
  std::atomic<std::uint64_t> process;           ///< its id
  std::atomic<std::uint64_t> verified;          ///< generations that were read back, byte for byte
  std::atomic<std::uint64_t> acknowledged;      ///< the last generation that the window took
  std::atomic<std::uint64_t> errors;            ///< calls that failed
  std::atomic<std::uint64_t> first_data_error;  ///< ns of the monotonic clock; of a transfer or its completion
  std::atomic<std::uint64_t> first_call_error;  ///< of a call that asks the manager
  std::atomic<std::uint64_t> longest_call_ns;
  std::atomic<std::uint64_t> in_call_since;  ///< ns; 0: in none
  std::atomic<std::uint64_t> lost;           ///< volatile windows that were lost
  std::atomic<std::uint64_t> wrong;          ///< words that nobody has written
};
static_assert(sizeof(LoadBoard) == 10 * sizeof(std::uint64_t));
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

[[nodiscard]] inline std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

/// The board in the file, which is there and large enough; mapped until the process ends.
[[nodiscard]] inline LoadBoard& open_board(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  void* const memory =
      fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(LoadBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) ::close(fd);
  if (memory == MAP_FAILED) throw std::runtime_error{"no board: " + file};
  return *static_cast<LoadBoard*>(memory);
}

}  // namespace psnam::test
