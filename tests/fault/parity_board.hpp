// What a job that makes checkpoints and is going to be killed tells its script: a page in a file, shared with its
// processes.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <string>

namespace psnam::test {

/// `commit`: the end of a version is heard, and partners get their copies.
enum class ParityPhase : std::uint32_t { idle = 0, restart = 1, checkpoint = 2, commit = 3 };

/// Read by victims.py: eleven 32-bit words.
struct ParityBoard {
  std::atomic<std::uint32_t> committed;  ///< the newest version that rank 0 was told of
  std::atomic<std::uint32_t> restored;   ///< jobs that have got their data back
  std::atomic<std::uint32_t> pid[4];
  std::atomic<std::uint32_t> phase[4];
  std::atomic<std::uint32_t> begun;  ///< the newest version that was begun
};
static_assert(sizeof(ParityBoard) == 44);

[[nodiscard]] inline ParityBoard* open_parity_board(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* const page = ::mmap(nullptr, sizeof(ParityBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return page == MAP_FAILED ? nullptr : std::launder(static_cast<ParityBoard*>(page));
}

}  // namespace psnam::test
