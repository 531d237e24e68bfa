/* A window in memory that was granted to the job before it began: `in_grant write`, then, on any number of ranks,
 * `in_grant read`. The id of the memory is in SLURM_NAM_ALLOC_ID; the window takes it in the order of the ranks. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 1000 }; /* of each rank */

static void give_up(const char* what) {
  fprintf(stderr, "in_grant: %s\n", what);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static double value_of(int rank, int index) { return rank + index / (double)VALUES; }

static void write_values(const char* name, const char* allocation) {
  int rank, found;
  char answer[2];
  double values[VALUES];
  void* base;
  MPI_Info info;
  MPI_Win win;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  for (int i = 0; i < VALUES; ++i) values[i] = value_of(rank, i);

  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_manifestation", "psnam_manifestation_libnam");
  MPI_Info_set(info, "psnam_structure", "psnam_structure_managed_contiguous");
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_persistent");
  MPI_Info_set(info, "psnam_libnam_allocation_id", allocation);
  MPI_Info_set(info, "psnam_window_name", name);
  MPI_Win_allocate(sizeof values, sizeof(double), info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);

  MPI_Win_get_info(win, &info);
  MPI_Info_get(info, "psnam_window_name", 1, answer, &found);
  MPI_Info_free(&info);
  if (!found) give_up("LD_PRELOAD=libpsnam.so is missing");

  MPI_Win_fence(0, win);
  MPI_Put(values, VALUES, MPI_DOUBLE, rank, 0, VALUES, MPI_DOUBLE, win);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  MPI_Win_free(&win); /* the window stays, in the job's memory */
}

static void read_values(const char* name) {
  int rank, ranks, former, wrong = 0, all_wrong;
  double values[VALUES];
  MPI_Info info;
  MPI_Comm window;
  MPI_Win win;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_window_connect", "true");
  MPI_Comm_connect(name, info, 0, MPI_COMM_WORLD, &window);
  MPI_Info_free(&info);
  MPI_Comm_remote_size(window, &former);
  MPI_Win_create_dynamic(MPI_INFO_NULL, window, &win);
  MPI_Comm_disconnect(&window);

  for (int first = 0; first < former; first += ranks) { /* each rank reads every ranks-th part */
    const int target = first + rank < former ? first + rank : MPI_PROC_NULL;
    MPI_Win_fence(0, win);
    MPI_Get(values, VALUES, MPI_DOUBLE, target, 0, VALUES, MPI_DOUBLE, win);
    MPI_Win_fence(0, win);
    for (int i = 0; i < VALUES && target != MPI_PROC_NULL; ++i) wrong += values[i] != value_of(target, i);
  }
  MPI_Win_free(&win);
  MPI_Reduce(&wrong, &all_wrong, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0) printf("in_grant: %d of %d values are wrong\n", all_wrong, former * VALUES);
  if (rank == 0 && all_wrong != 0) give_up("what was read is not what was written");
}

int main(int argc, char** argv) {
  const char* allocation = getenv("SLURM_NAM_ALLOC_ID");
  const char* job = getenv("SLURM_JOB_ID");
  char name[64];
  MPI_Init(&argc, &argv);
  if (argc != 2 || (strcmp(argv[1], "write") != 0 && strcmp(argv[1], "read") != 0))
    give_up("usage: in_grant write|read");
  if (!allocation || !job) give_up("SLURM_NAM_ALLOC_ID and SLURM_JOB_ID are not set: is this a job with NAM memory?");
  snprintf(name, sizeof name, "in-grant-%s", job);
  if (strcmp(argv[1], "write") == 0)
    write_values(name, allocation);
  else
    read_values(name);
  MPI_Finalize();
  return 0;
}
