// Put, get, fence, and allocate with free on PSNAM windows, on the MPI library's own windows, and by plain copies: in
// one run of two ranks, in interleaved rounds, so that what disturbs the machine disturbs all alike. Prints, as lines
// of "operation contestant nanoseconds...", one figure for each round; `run` makes tables of them.
//
// Run without the library, it measures the MPI library's windows and the plain copies alone.
#include <mpi.h>
#include <sched.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "plain_copy.hpp"

namespace psnam::bench {
namespace {

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr std::size_t kWindowBytes = 16 * kMiB;
constexpr int kTarget = 1;
constexpr int kShortPuts = 20'000;
constexpr int kMediumCopies = 64;
constexpr int kLargeCopies = 2;
constexpr int kFences = 500;
constexpr int kAllocations = 10;

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point start, int operations) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / operations;
}

int my_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

/// Each rank stays on one processor of those it may use.
void pin(int rank) {
  cpu_set_t allowed, mine;
  CPU_ZERO(&mine);
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  if (CPU_COUNT(&allowed) < 2) {
    if (rank == 0) std::fprintf(stderr, "rma_bench: fewer processors than ranks; the figures mean little\n");
    return;
  }
  int cpu = 0;
  for (int left = rank; !CPU_ISSET(cpu, &allowed) || left-- > 0;) ++cpu;
  CPU_SET(cpu, &mine);
  ::sched_setaffinity(0, sizeof mine, &mine);
}

MPI_Win allocate(MPI_Aint bytes, const char* manifestation) {
  MPI_Info info = MPI_INFO_NULL;
  if (manifestation != nullptr) {
    MPI_Info_create(&info);
    MPI_Info_set(info, "psnam_manifestation", manifestation);
  }
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Win_allocate(bytes, 1, info, MPI_COMM_WORLD, &base, &win);
  if (info != MPI_INFO_NULL) MPI_Info_free(&info);
  return win;
}

/// Measures one operation once: the nanoseconds of one of it, at rank 0. All ranks call it.
using Measure = std::function<double()>;

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
    add("put 8 B", contestant, [this, win] {
      return between_fences(win, Until::called, kShortPuts, [&](int i) {
        MPI_Put(buffer_, 1, MPI_INT64_T, kTarget, (i % 512) * 8, 1, MPI_INT64_T, win);
      });
    });
    for (const auto& [name, bytes, operations] : kCopies) {
      const int count = static_cast<int>(bytes);
      add(std::string{"put "} + name, contestant, [this, win, count, operations = operations] {
        return between_fences(win, Until::completed, operations,
                              [&](int) { MPI_Put(buffer_, count, MPI_BYTE, kTarget, 0, count, MPI_BYTE, win); });
      });
      add(std::string{"get "} + name, contestant, [this, win, count, operations = operations] {
        return between_fences(win, Until::completed, operations,
                              [&](int) { MPI_Get(buffer_, count, MPI_BYTE, kTarget, 0, count, MPI_BYTE, win); });
      });
    }
    add("fence", contestant, [win] {
      MPI_Win_fence(0, win);
      const auto start = Clock::now();
      for (int i = 0; i < kFences; ++i) MPI_Win_fence(0, win);
      return nanoseconds_since(start, kFences);
    });
    add("allocate + free", contestant, [manifestation] {
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
        add(std::string{"put "} + name, way.first, [this, copy = way.second, size = bytes, n = operations] {
          return plain(copy, shared_memory_.data(), buffer_, size, n);
        });
        add(std::string{"get "} + name, way.first, [this, copy = way.second, size = bytes, n = operations] {
          return plain(copy, buffer_, shared_memory_.data(), size, n);
        });
      }
  }

  /// Runs each measurement once to warm up, then once in each round, beginning with another one each time.
  void run(int rounds) {
    std::map<std::size_t, std::vector<double>> figures;
    for (std::size_t i = 0; i < measures_.size(); ++i) measures_[i].measure();
    for (std::size_t round = 0; round < static_cast<std::size_t>(rounds); ++round)
      for (std::size_t i = 0; i < measures_.size(); ++i) {
        const std::size_t which = (i + round) % measures_.size();
        measures_[which].measure();
        figures[which].push_back(measures_[which].measure());
      }
    if (my_rank() == 0)
      for (const auto& [which, values] : figures) print(measures_[which], values);
    for (MPI_Win& win : windows_) MPI_Win_free(&win);
  }

 private:
  struct Entry {
    std::string operation;
    std::string contestant;
    Measure measure;
  };
  struct CopySize {
    const char* name;
    std::size_t bytes;
    int operations;
  };
  static constexpr std::array<CopySize, 2> kCopies{
      {{"64 KiB", 64 * kKiB, kMediumCopies}, {"16 MiB", 16 * kMiB, kLargeCopies}}};

  void add(std::string operation, std::string contestant, Measure measure) {
    measures_.push_back({std::move(operation), std::move(contestant), std::move(measure)});
  }

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

  static void print(const Entry& entry, const std::vector<double>& values) {
    std::printf("%s\t%s", entry.operation.c_str(), entry.contestant.c_str());
    for (const double value : values) std::printf("\t%.3f", value);
    std::printf("\n");
  }

  std::vector<std::byte> private_memory_;
  SharedMemory shared_memory_;
  std::byte* buffer_;
  std::vector<MPI_Win> windows_;
  std::vector<Entry> measures_;
};

bool library_is_loaded() {
  char version[64] = "";
  int found = 0;
  MPI_Info_get(MPI_INFO_ENV, "psnam_version", sizeof version - 1, version, &found);
  return found != 0;
}

}  // namespace
}  // namespace psnam::bench

int main(int argc, char** argv) {
  using namespace psnam::bench;
  MPI_Init(&argc, &argv);
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  int ranks = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (ranks != 2 || rounds < 1) {
    std::fprintf(stderr, "usage: mpiexec -n 2 rma_bench [ROUNDS]\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  pin(my_rank());
  {
    Bench bench;
    bench.add_window("native", nullptr);
    if (library_is_loaded()) {
      bench.add_window("pershm", "psnam_manifestation_pershm");
      bench.add_window("libnam", "psnam_manifestation_libnam");
    }
    bench.add_plain_copies();
    bench.run(rounds);
  }
  MPI_Finalize();
  return 0;
}
