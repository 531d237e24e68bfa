// Put, get, fence, and allocate with free on PSNAM windows, on the MPI library's own windows, and by plain copies.
//
// Run without the library, it measures the MPI library's windows and the plain copies alone.
#include <mpi.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "plain_copy.hpp"
#include "rounds.hpp"

namespace psnam::bench {
namespace {

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr std::size_t kWindowBytes = 16 * kMiB;
constexpr int kShortPuts = 20'000;
constexpr int kMediumCopies = 64;
constexpr int kLargeCopies = 2;
constexpr int kFences = 500;
constexpr int kAllocations = 10;

/// What the time of an operation has in it: the calls alone, or all until the data are there, with the closing fence.
/// Only the latter is fair where much is moved: the MPI library may do no more in the call than to note what is to be
/// done.
enum class Until { called, completed };

/// A measurement by puts or gets between two fences, made by rank 0 alone.
template <class Operation>
double between_fences(MPI_Win win, Until until, int operations, Operation&& operation) {
  double result = 0;
  MPI_Win_fence(0, win);
  const auto start = Clock::now();
  if (my_rank() == 0) {
    for (int i = 0; i < operations; ++i) operation(i);
    result = nanoseconds_since(start, operations);
  }
  MPI_Win_fence(0, win);
  return until == Until::called ? result : nanoseconds_since(start, operations);
}

class Bench {
 public:
  Bench() : private_memory_(kWindowBytes + 64), shared_memory_{kWindowBytes} {
    const auto address = reinterpret_cast<std::uintptr_t>(private_memory_.data());
    buffer_ = private_memory_.data() + (64 - address % 64) % 64;
    std::memset(buffer_, 2, kWindowBytes);
  }

  void add_window(const std::string& contestant, const char* manifestation) {
    const MPI_Win win = allocate(static_cast<MPI_Aint>(kWindowBytes), manifestation);
    windows_.push_back(win);
    rounds_.add("put 8 B", contestant, [this, win] {
      return between_fences(win, Until::called, kShortPuts, [&](int i) {
        MPI_Put(buffer_, 1, MPI_INT64_T, kTarget, (i % 512) * 8, 1, MPI_INT64_T, win);
      });
    });
    for (const auto& [name, bytes, operations] : kCopies) {
      const int count = static_cast<int>(bytes);
      rounds_.add(std::string{"put "} + name, contestant, [this, win, count, operations = operations] {
        return between_fences(win, Until::completed, operations,
                              [&](int) { MPI_Put(buffer_, count, MPI_BYTE, kTarget, 0, count, MPI_BYTE, win); });
      });
      rounds_.add(std::string{"get "} + name, contestant, [this, win, count, operations = operations] {
        return between_fences(win, Until::completed, operations,
                              [&](int) { MPI_Get(buffer_, count, MPI_BYTE, kTarget, 0, count, MPI_BYTE, win); });
      });
    }
    rounds_.add("fence", contestant, [win] {
      MPI_Win_fence(0, win);
      const auto start = Clock::now();
      for (int i = 0; i < kFences; ++i) MPI_Win_fence(0, win);
      return nanoseconds_since(start, kFences);
    });
    rounds_.add("allocate + free", contestant, [manifestation] {
      MPI_Barrier(MPI_COMM_WORLD);
      const auto start = Clock::now();
      for (int i = 0; i < kAllocations; ++i) {
        MPI_Win win_of_turn = allocate(64 * kKiB, manifestation);
        MPI_Win_free(&win_of_turn);
      }
      return nanoseconds_since(start, kAllocations);
    });
  }

  void add_plain_copies() {
    using Copy = void (*)(std::byte*, const std::byte*, std::size_t);
    const std::array<std::pair<const char*, Copy>, 2> ways{{
        {"memcpy", [](std::byte* to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); }},
        {"stream", [](std::byte* to, const std::byte* from, std::size_t bytes) { stream_copy(to, from, bytes); }},
    }};
    for (const auto& way : ways)
      for (const auto& [name, bytes, operations] : kCopies) {
        rounds_.add(std::string{"put "} + name, way.first, [this, copy = way.second, size = bytes, n = operations] {
          return plain(copy, shared_memory_.data(), buffer_, size, n);
        });
        rounds_.add(std::string{"get "} + name, way.first, [this, copy = way.second, size = bytes, n = operations] {
          return plain(copy, buffer_, shared_memory_.data(), size, n);
        });
      }
  }

  void run(int rounds) {
    add_plain_copies();
    rounds_.run(rounds);
    for (MPI_Win& win : windows_) MPI_Win_free(&win);
  }

 private:
  struct CopySize {
    const char* name;
    std::size_t bytes;
    int operations;
  };
  static constexpr std::array<CopySize, 2> kCopies{
      {{"64 KiB", 64 * kKiB, kMediumCopies}, {"16 MiB", 16 * kMiB, kLargeCopies}}};

  /// Rank 1 waits just as the target of a put waits, in a fence of the window made last. It has to be the same way of
  /// waiting: a barrier of the MPI library keeps a processor busy, which on a loaded machine slows the copy down, and
  /// made puts look faster than the plain copies that they are.
  double plain(void (*copy)(std::byte*, const std::byte*, std::size_t), std::byte* to, const std::byte* from,
               std::size_t bytes, int operations) const {
    double result = 0;
    MPI_Win_fence(0, windows_.back());
    if (my_rank() == 0) {
      const auto start = Clock::now();
      for (int i = 0; i < operations; ++i) {
        copy(to, from, bytes);
        asm volatile("" ::: "memory");
      }
      result = nanoseconds_since(start, operations);
    }
    MPI_Win_fence(0, windows_.back());
    return result;
  }

  std::vector<std::byte> private_memory_;
  SharedMemory shared_memory_;
  std::byte* buffer_;
  std::vector<MPI_Win> windows_;
  Rounds rounds_;
};

}  // namespace
}  // namespace psnam::bench

int main(int argc, char** argv) { return psnam::bench::run_bench<psnam::bench::Bench>(argc, argv); }
