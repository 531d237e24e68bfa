/* A program that is wrong: two threads put to the same place of a window, with nothing between them. The first argument
 * is how many bytes. A sanitizer that does not see this race would see none. */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_BYTES = 4096 };

static MPI_Win win;
static int bytes;

static void* put(void* data) {
  for (int i = 0; i < 1000; ++i) {
    MPI_Put(data, bytes, MPI_BYTE, 0, 0, bytes, MPI_BYTE, win);
  }
  return NULL;
}

int main(int argc, char** argv) {
  static char mine[MOST_BYTES];
  static char theirs[MOST_BYTES];
  int level = 0;
  void* base = NULL;
  pthread_t thread;
  MPI_Info info = MPI_INFO_NULL;
  bytes = argc > 1 ? atoi(argv[1]) : 0;
  if (bytes < 1 || bytes > MOST_BYTES) {
    fprintf(stderr, "race: how many bytes, from 1 to %d?\n", MOST_BYTES);
    return 2;
  }
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_manifestation", "psnam_manifestation_libnam");
  MPI_Win_allocate(MOST_BYTES, 1, info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);
  MPI_Win_lock_all(0, win);
  const int failed = pthread_create(&thread, NULL, put, theirs);
  put(mine);
  if (!failed) {
    pthread_join(thread, NULL);
  }
  MPI_Win_unlock_all(win);
  MPI_Win_free(&win);
  MPI_Finalize();
  return failed;
}
