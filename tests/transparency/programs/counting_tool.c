/* A profiling tool as users of PMPI write them: it counts calls and prints the counts of rank 0 when MPI ends.
 * TOOL_NAME comes from the build, so that two of them can be stacked. */
#include <mpi.h>
#include <stdio.h>

enum { kPut, kGet, kAllocate, kFence, kFree, kConnect, kInit, kFinalize, kKinds };

static const char* const kNames[kKinds] = {"put", "get", "allocate", "fence", "free", "connect", "init", "finalize"};
static int g_counts[kKinds];

int MPI_Init(int* argc, char*** argv) {
  ++g_counts[kInit];
  return PMPI_Init(argc, argv);
}

int MPI_Put(const void* origin, int origin_count, MPI_Datatype origin_type, int target, MPI_Aint displacement,
            int target_count, MPI_Datatype target_type, MPI_Win win) {
  ++g_counts[kPut];
  return PMPI_Put(origin, origin_count, origin_type, target, displacement, target_count, target_type, win);
}

int MPI_Get(void* origin, int origin_count, MPI_Datatype origin_type, int target, MPI_Aint displacement,
            int target_count, MPI_Datatype target_type, MPI_Win win) {
  ++g_counts[kGet];
  return PMPI_Get(origin, origin_count, origin_type, target, displacement, target_count, target_type, win);
}

int MPI_Win_allocate(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void* base, MPI_Win* win) {
  ++g_counts[kAllocate];
  return PMPI_Win_allocate(size, unit, info, comm, base, win);
}

int MPI_Win_fence(int assertions, MPI_Win win) {
  ++g_counts[kFence];
  return PMPI_Win_fence(assertions, win);
}

int MPI_Win_free(MPI_Win* win) {
  ++g_counts[kFree];
  return PMPI_Win_free(win);
}

int MPI_Comm_connect(const char* port, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* handle) {
  ++g_counts[kConnect];
  return PMPI_Comm_connect(port, info, root, comm, handle);
}

int MPI_Finalize(void) {
  int rank = 0;
  ++g_counts[kFinalize];
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) {
    printf(TOOL_NAME ":");
    for (int i = 0; i < kKinds; ++i) printf(" %s=%d", kNames[i], g_counts[i]);
    printf("\n");
    fflush(stdout);
  }
  return PMPI_Finalize();
}
