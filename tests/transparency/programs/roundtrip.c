/* A producer and a consumer of one PSNAM window, in C: the program that the tests link, load and compile in different
 * ways.
 *
 *   roundtrip produce SERVICE    each rank puts 100 + its rank into its right neighbour's region; then the name is
 * published roundtrip consume SERVICE    any number of ranks find the window, check every region, and remove it
 */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "roundtrip.h"

enum { kInts = 16, kPlace = 3 };

static void check(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "roundtrip: wrong: %s\n", what);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static MPI_Info info_with(const char* key, const char* value) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Info_create(&info);
  MPI_Info_set(info, key, value);
  return info;
}

static void publish(MPI_Win win, const char* service) {
  char name[MPI_MAX_PORT_NAME] = "";
  int found = 0;
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win_get_info(win, &info);
  MPI_Info_get(info, "psnam_window_name", MPI_MAX_PORT_NAME - 1, name, &found);
  check(found, "a persistent window has a name");
  MPI_Info_free(&info);
  MPI_Publish_name(service, MPI_INFO_NULL, name);
}

static void produce(const char* service, int rank, int size) {
  MPI_Info info = info_with("psnam_manifestation", "psnam_manifestation_pershm");
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_persistent");
  void* base = &base;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Win_allocate(kInts * (MPI_Aint)sizeof(int), sizeof(int), info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);
  check(base == NULL, "the base pointer is NULL");
  const int value = 100 + rank, left = (rank + size - 1) % size;
  int received = -1;
  MPI_Win_fence(0, win);
  MPI_Put(&value, 1, MPI_INT, (rank + 1) % size, kPlace, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  MPI_Get(&received, 1, MPI_INT, rank, kPlace, 1, MPI_INT, win);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  check(received == 100 + left, "the neighbour's put is read");
  if (rank == 0) publish(win, service);
  MPI_Win_free(&win);
  check(win == MPI_WIN_NULL, "the freed handle is MPI_WIN_NULL");
}

static void consume(const char* service, int rank) {
  char name[MPI_MAX_PORT_NAME] = "";
  int former = 0, inter = 0;
  MPI_Comm handle = MPI_COMM_NULL;
  MPI_Win win = MPI_WIN_NULL;
  if (rank == 0) MPI_Lookup_name(service, MPI_INFO_NULL, name);
  MPI_Info info = info_with("psnam_window_connect", "true");
  MPI_Comm_connect(name, info, 0, MPI_COMM_WORLD, &handle);
  MPI_Comm_test_inter(handle, &inter);
  MPI_Comm_remote_size(handle, &former);
  check(inter != 0 && former > 0, "the handle is an intercommunicator's");
  MPI_Win_create_dynamic(info, handle, &win);
  MPI_Info_free(&info);
  MPI_Comm_disconnect(&handle);
  for (int target = 0; target < former; ++target) {
    MPI_Aint bytes = 0;
    int unit = 0, received = -1;
    MPI_Win_shared_query(win, target, &bytes, &unit, NULL);
    check(bytes == kInts * (MPI_Aint)sizeof(int) && unit == (int)sizeof(int), "the region has its size and unit");
    MPI_Win_fence(0, win);
    MPI_Get(&received, 1, MPI_INT, target, kPlace, 1, MPI_INT, win);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    check(received == 100 + (target + former - 1) % former, "the producer's value is there");
  }
  if (rank == 0) MPI_Unpublish_name(service, MPI_INFO_NULL, name);
  info = info_with("psnam_consistency", "psnam_consistency_volatile");
  MPI_Win_set_info(win, info);
  MPI_Info_free(&info);
  MPI_Win_free(&win);
}

int roundtrip(int argc, char** argv) {
  int rank = 0, size = 0;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  check(argc == 3, "roundtrip produce|consume SERVICE");
  if (strcmp(argv[1], "produce") == 0)
    produce(argv[2], rank, size);
  else
    consume(argv[2], rank);
  if (rank == 0) printf("%s ok\n", argv[1]);
  MPI_Finalize();
  return 0;
}
