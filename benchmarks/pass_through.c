/* The price of a call on a window that is none of ours: nanoseconds of some cheap calls on a native window, by one
 * rank. `run` starts it again and again with and without the library. With the argument "beside", a PSNAM window exists
 * meanwhile, so that each call has to be told from calls on that one. */
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { kCalls = 100000, kBatches = 11 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void put_nowhere(MPI_Win win) { MPI_Put(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, 0, MPI_BYTE, win); }

static void put_short(MPI_Win win) {
  static long long value = 1;
  MPI_Put(&value, 1, MPI_LONG_LONG, 0, 0, 1, MPI_LONG_LONG, win);
}

static void get_attribute(MPI_Win win) {
  void* model = NULL;
  int found = 0;
  MPI_Win_get_attr(win, MPI_WIN_MODEL, (void*)&model, &found);
}

static void lock_and_unlock(MPI_Win win) {
  MPI_Win_lock(MPI_LOCK_SHARED, MPI_PROC_NULL, 0, win);
  MPI_Win_unlock(MPI_PROC_NULL, win);
}

/* The least of several batches: what disturbs a batch only makes it longer. */
static void measure(const char* name, void (*call)(MPI_Win), MPI_Win win) {
  double least = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    const double start = now();
    for (int i = 0; i < kCalls; ++i) call(win);
    const double each = (now() - start) / kCalls;
    if (batch == 0 || each < least) least = each;
  }
  printf("%s\t%.3f\n", name, least);
}

static MPI_Win beside(void) {
  void* base = NULL;
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_manifestation", "psnam_manifestation_pershm");
  MPI_Win_allocate(4096, 1, info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);
  return win;
}

int main(int argc, char** argv) {
  void* base = NULL;
  MPI_Win ours = MPI_WIN_NULL, win = MPI_WIN_NULL;
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(sched_getcpu(), &first);
  sched_setaffinity(0, sizeof first, &first);
  MPI_Init(&argc, &argv);
  if (argc > 1 && strcmp(argv[1], "beside") == 0) ours = beside();
  MPI_Win_allocate(4096, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &win);
  measure("attribute", get_attribute, win);
  measure("lock + unlock of no rank", lock_and_unlock, win);
  MPI_Win_fence(0, win);
  measure("put of 0 B to no rank", put_nowhere, win);
  measure("put of 8 B", put_short, win);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  MPI_Win_free(&win);
  if (ours != MPI_WIN_NULL) MPI_Win_free(&ours);
  MPI_Finalize();
  return 0;
}
