// What a safe point costs at which nothing is asked: mpiexec -n RANKS job_bench
#include <mpi.h>
#include <psnam_job.h>

#include <chrono>
#include <cstdio>

namespace {

constexpr int kPoints = 10'000'000;
constexpr int kRounds = 5;

/// The least of some rounds, in ns for each.
template <class Body>
double least_ns(Body body) {
  double least = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (int point = 0; point < kPoints; ++point) body();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    least = took.count() / kPoints < least ? took.count() / kPoints : least;
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
  options.name = "job_bench";
  psnam_job_t* const job = psnam_job_open(&options, nullptr, MPI_COMM_WORLD);
  int failed = job == nullptr ? 1 : 0;
  if (job == nullptr) {
    std::fprintf(stderr, "%s\n", nam_strerror());
  } else {
    MPI_Barrier(MPI_COMM_WORLD);
    const double inline_ns = least_ns([job] { psnam_job_safe_point(job, nullptr); });
    const double called_ns = least_ns([job] { psnam_job_private_safe_point(job, nullptr); });
    if (rank == 0)
      std::printf("safe point, nothing asked: %.1f ns; by a call of the library: %.1f ns\n", inline_ns, called_ns);
    failed = psnam_job_close(job) == 0 ? 0 : 1;
  }
  MPI_Finalize();
  return failed;
}
