/* Leaves one integer of each rank in a window that stays when this job has ended. */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char** argv) {
  int rank, found, value, length = MPI_MAX_PORT_NAME;
  char name[MPI_MAX_PORT_NAME];
  void* base;
  MPI_Info info;
  MPI_Win win;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);

  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_manifestation", "psnam_manifestation_libnam");
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_persistent");
  MPI_Win_allocate(sizeof(int), sizeof(int), info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);

  value = 100 + rank;
  MPI_Win_fence(0, win);
  MPI_Put(&value, 1, MPI_INT, rank, 0, 1, MPI_INT, win);
  MPI_Win_fence(0, win);

  MPI_Win_get_info(win, &info);
  MPI_Info_get_string(info, "psnam_window_name", &length, name, &found);
  MPI_Info_free(&info);
  if (!found) {
    fprintf(stderr, "producer: LD_PRELOAD=libpsnam.so is missing\n");
  } else if (rank == 0) {
    MPI_Publish_name("numbers", MPI_INFO_NULL, name);
    printf("producer: window %s is published as 'numbers'\n", name);
  }
  MPI_Win_free(&win); /* ends this job's use; the window stays */
  MPI_Finalize();
  return found ? 0 : 1;
}
