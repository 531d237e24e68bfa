// What the benchmark programs of several ranks share: pinning, windows of each kind, and interleaved rounds, so that
// what disturbs the machine disturbs all contestants alike. A program adds measurements and runs them; it prints lines
// of "operation contestant nanoseconds...", one figure for each round, of which `run` makes tables.
#pragma once

#include <mpi.h>
#include <sched.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace psnam::bench {

inline constexpr int kTarget = 1;

using Clock = std::chrono::steady_clock;

inline double nanoseconds_since(Clock::time_point start, int operations) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / operations;
}

inline int my_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

/// Each rank stays on one processor of those it may use; more ranks than processors take turns.
inline void pin(int rank) {
  cpu_set_t allowed, mine;
  CPU_ZERO(&mine);
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  if (CPU_COUNT(&allowed) < 2) {
    if (rank == 0) std::fprintf(stderr, "fewer processors than ranks; the figures mean little\n");
    return;
  }
  int cpu = 0;
  for (int left = rank % CPU_COUNT(&allowed); !CPU_ISSET(cpu, &allowed) || left-- > 0;) ++cpu;
  CPU_SET(cpu, &mine);
  ::sched_setaffinity(0, sizeof mine, &mine);
}

/// A window of the MPI library if `manifestation` is null.
inline MPI_Win allocate(MPI_Aint bytes, const char* manifestation) {
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

inline bool library_is_loaded() {
  char version[64] = "";
  int found = 0;
  MPI_Info_get(MPI_INFO_ENV, "psnam_version", sizeof version - 1, version, &found);
  return found != 0;
}

/// Measures one operation once: the nanoseconds of one of it, at rank 0. All ranks call it.
using Measure = std::function<double()>;

/// The measurements of a program.
class Rounds {
 public:
  void add(std::string operation, std::string contestant, Measure measure) {
    measures_.push_back({std::move(operation), std::move(contestant), std::move(measure)});
  }

  /// Runs each measurement once to warm up, then twice in each round, of which the second counts, beginning with
  /// another one each time.
  void run(int rounds) const {
    std::map<std::size_t, std::vector<double>> figures;
    for (const Entry& entry : measures_) entry.measure();
    for (std::size_t round = 0; round < static_cast<std::size_t>(rounds); ++round)
      for (std::size_t i = 0; i < measures_.size(); ++i) {
        const std::size_t which = (i + round) % measures_.size();
        measures_[which].measure();
        figures[which].push_back(measures_[which].measure());
      }
    if (my_rank() == 0)
      for (const auto& [which, values] : figures) print(measures_[which], values);
  }

 private:
  struct Entry {
    std::string operation;
    std::string contestant;
    Measure measure;
  };

  static void print(const Entry& entry, const std::vector<double>& values) {
    std::printf("%s\t%s", entry.operation.c_str(), entry.contestant.c_str());
    for (const double value : values) std::printf("\t%.3f", value);
    std::printf("\n");
  }

  std::vector<Entry> measures_;
};

/// The main function of a program of two ranks: `add_window(contestant, manifestation)` is called for the MPI library's
/// window and, if the library is loaded, for those of PSNAM; then the rounds are run.
template <class Bench>
int run_bench(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  int ranks = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (ranks != 2 || rounds < 1) {
    std::fprintf(stderr, "usage: mpiexec -n 2 %s [ROUNDS]\n", argv[0]);
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
    bench.run(rounds);
  }
  MPI_Finalize();
  return 0;
}

}  // namespace psnam::bench
