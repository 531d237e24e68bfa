/* Gets from a neighbour by MPIX_Iget, knowing nothing of the library but its header; C and C++.
 * Says "iget ok", or "iget missing" if told that the library is not there. */
#include "psnam.h"

static int neighbours_value(MPI_Win win, int neighbour, int* value) {
  MPIX_Iget_request request = MPIX_IGET_REQUEST_NULL;
  const void* data = NULL;
  MPI_Count bytes = 0;
  int flag = 0;
  int code = MPIX_Iget(0, 1, MPI_INT, neighbour, win, &request);
  if (code != MPI_SUCCESS) {
    return code;
  }
  MPIX_Iget_test(request, &flag);
  MPIX_Iget_wait(request);
  code = MPIX_Iget_data(request, &data, &bytes);
  if (code == MPI_SUCCESS && bytes == (MPI_Count)sizeof *value) {
    *value = *(const int*)data;
  }
  MPIX_Iget_free(&request);
  return request == MPIX_IGET_REQUEST_NULL ? code : MPI_ERR_OTHER;
}

int main(int argc, char** argv) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win win = MPI_WIN_NULL;
  void* base = NULL;
  int rank = 0;
  int ranks = 0;
  int mine = 0;
  int value = -1;
  int code = 0;
  int neighbour = 0;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  mine = 40 + rank;
  neighbour = (rank + 1) % ranks;
  MPI_Info_create(&info);
  MPI_Info_set(info, PSNAM_INFO_MANIFESTATION, PSNAM_MANIFESTATION_PERSHM);
  MPI_Win_allocate(sizeof mine, sizeof mine, info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);
  MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
  MPI_Win_fence(0, win);
  MPI_Put(&mine, 1, MPI_INT, rank, 0, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  code = neighbours_value(win, neighbour, &value);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  MPI_Win_free(&win);
  if (code == MPI_ERR_UNSUPPORTED_OPERATION) {
    puts("iget missing");
  } else if (code == MPI_SUCCESS && value == 40 + neighbour) {
    puts("iget ok");
  } else {
    printf("iget wrong: code %d, value %d\n", code, value);
  }
  MPI_Finalize();
  return 0;
}
