// One MPI process for all tests of this executable; it needs no mpiexec.
#include <gtest/gtest.h>

#include "unit/rma/mpi_fixture.hpp"

namespace {
MPI_Comm g_probe = MPI_COMM_NULL;
}

MPI_Comm psnam::rma::testing::probe_communicator() { return g_probe; }

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  int provided = MPI_THREAD_SINGLE;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  if (provided != MPI_THREAD_MULTIPLE) return 1;
  MPI_Comm_dup(MPI_COMM_SELF, &g_probe);
  MPI_Comm_set_errhandler(g_probe, MPI_ERRORS_RETURN);
  const int result = RUN_ALL_TESTS();
  MPI_Comm_free(&g_probe);
  MPI_Finalize();
  return result;
}
