/* Finds the window that the producer left, with any number of ranks, prints what stands in it, and removes it. */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char** argv) {
  int rank, ranks, former, value = 0;
  char name[MPI_MAX_PORT_NAME] = "";
  MPI_Info info;
  MPI_Comm window;
  MPI_Win win;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);

  if (rank == 0) MPI_Lookup_name("numbers", MPI_INFO_NULL, name);
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_window_connect", "true");
  MPI_Comm_connect(name, info, 0, MPI_COMM_WORLD, &window);
  MPI_Comm_remote_size(window, &former); /* ranks of the producer */
  MPI_Win_create_dynamic(info, window, &win);
  MPI_Comm_disconnect(&window);

  for (int first = 0; first < former; first += ranks) { /* each rank reads every ranks-th number */
    const int target = first + rank < former ? first + rank : MPI_PROC_NULL;
    MPI_Win_fence(0, win);
    MPI_Get(&value, 1, MPI_INT, target, 0, 1, MPI_INT, win);
    MPI_Win_fence(0, win);
    if (target != MPI_PROC_NULL) printf("consumer %d: rank %d of the producer left %d\n", rank, target, value);
  }

  if (rank == 0) MPI_Unpublish_name("numbers", MPI_INFO_NULL, name);
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_volatile");
  MPI_Win_set_info(win, info); /* volatile: the free below removes it */
  MPI_Info_free(&info);
  MPI_Win_free(&win);
  MPI_Finalize();
  return 0;
}
