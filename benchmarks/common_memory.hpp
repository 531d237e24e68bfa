// Memory that all ranks of a benchmark map, and their common clock: all ranks run on one machine, whose monotonic clock
// is the same everywhere. Written apart from the library on purpose.
#pragma once

#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

namespace psnam::bench {

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "benchmark: %s\n", what.c_str());
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

/// A file of `folder`, mapped shared by all ranks, and without a name. Pages are made by whoever touches them first.
class CommonMemory {
 public:
  /// Collective.
  CommonMemory(const std::string& folder, std::size_t bytes) : bytes_{bytes} {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    std::array<char, 256> path{};
    if (folder.size() + 32 > path.size()) fail("the name of the folder is too long: " + folder);
    if (rank == 0) std::snprintf(path.data(), path.size(), "%s/common-%d", folder.c_str(), ::getpid());
    MPI_Bcast(path.data(), static_cast<int>(path.size()), MPI_CHAR, 0, MPI_COMM_WORLD);
    int fd = -1;
    if (rank == 0) {
      fd = ::open(path.data(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
      if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) refuse("making", path.data());
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank != 0) fd = ::open(path.data(), O_RDWR | O_CLOEXEC);
    if (fd < 0) refuse("opening", path.data());
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data_ == MAP_FAILED) refuse("mapping", path.data());
    ::close(fd);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) ::unlink(path.data());
  }
  ~CommonMemory() { ::munmap(data_, bytes_); }
  CommonMemory(const CommonMemory&) = delete;
  CommonMemory& operator=(const CommonMemory&) = delete;
  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }

 private:
  [[noreturn]] static void refuse(const char* what, const char* path) {
    fail(std::string{what} + " " + path + ": " + std::strerror(errno));
  }

  std::size_t bytes_;
  void* data_ = nullptr;
};

/// Times what all ranks do together. Ranks that wait sleep: with fewer processors than ranks, nobody's time is taken.
class CommonClock {
 public:
  /// Collective.
  explicit CommonClock(const std::string& folder) : memory_{folder, sizeof(Shared)} {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
    if (static_cast<std::size_t>(ranks_) > kMostRanks) fail("too many ranks");
    if (rank_ == 0) {
      pthread_barrierattr_t attributes;
      pthread_barrierattr_init(&attributes);
      pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
      if (pthread_barrier_init(&shared().barrier, &attributes, static_cast<unsigned>(ranks_)) != 0) fail("no barrier");
      pthread_barrierattr_destroy(&attributes);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }

  void wait() const { pthread_barrier_wait(&shared().barrier); }

  /// Collective: nanoseconds from one instant, at which all ranks begin, to the end of the slowest. The same
  /// everywhere.
  template <class Body>
  double measure(Body body) const {
    // Whoever is waked by a barrier begins later than who wakes him, so all wait for an instant after it.
    if (rank_ == 0) shared().start.store(0, std::memory_order_relaxed);
    wait();
    long long none = 0;
    shared().start.compare_exchange_strong(none, now() + kUntilAllAreAwake);
    const long long start = shared().start.load();
    while (now() < start) continue;
    body();
    shared().ends[static_cast<std::size_t>(rank_)] = now();
    wait();
    const auto* const ends = shared().ends.data();
    const long long last = *std::max_element(ends, ends + ranks_);
    wait();
    return static_cast<double>(last - start);
  }

 private:
  static constexpr std::size_t kMostRanks = 64;
  static constexpr long long kUntilAllAreAwake = 200'000;

  struct Shared {
    pthread_barrier_t barrier;
    std::atomic<long long> start;
    std::array<long long, kMostRanks> ends;
  };

  [[nodiscard]] static long long now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  [[nodiscard]] Shared& shared() const noexcept { return *reinterpret_cast<Shared*>(memory_.data()); }

  int rank_ = 0;
  int ranks_ = 0;
  CommonMemory memory_;
};

}  // namespace psnam::bench
