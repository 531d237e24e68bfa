/* A program that uses the header and the aliases and knows nothing else of the library; header_test.cpp runs it under
 * mpiexec.
 *
 *   return      every alias must return MPI_ERR_UNSUPPORTED_OPERATION, and MPI must stay usable (no library loaded)
 *   fatal       the first alias must end the job through the default error handler (no library loaded)
 *   round_trip  a window made with its handle is read back through the aliases (library loaded)
 *
 * Exit status 0: as expected. One line on stderr for each expectation that failed. */
#include "psnam.h"

#include <stdlib.h>

int queried_from_another_source(MPI_Win win);

static int failures = 0;

static void expect(int holds, const char* what) {
  if (!holds) {
    fprintf(stderr, "alias_program: expected: %s\n", what);
    ++failures;
  }
}

static void expect_unsupported(int code, const char* alias) {
  int error_class = MPI_SUCCESS;
  MPI_Error_class(code, &error_class);
  if (error_class != MPI_ERR_UNSUPPORTED_OPERATION) {
    fprintf(stderr, "alias_program: %s returned error class %d\n", alias, error_class);
    ++failures;
  }
}

static void run_iget_return(MPI_Win native) {
  int place = 0;
  MPIX_Iget_request request = (MPIX_Iget_request)(void*)&place;
  const void* data = NULL;
  MPI_Count bytes = 0;
  int flag = 0;
  expect_unsupported(MPIX_Iget(0, 1, MPI_INT, 0, native, &request), "iget");
  expect(request == MPIX_IGET_REQUEST_NULL, "no request after a failed start");
  expect_unsupported(MPIX_Iget_c(0, 1, MPI_INT, 0, MPI_WIN_NULL, &request), "iget_c");
  expect_unsupported(MPIX_Iget_wait(request), "iget_wait");
  expect_unsupported(MPIX_Iget_test(request, &flag), "iget_test");
  expect_unsupported(MPIX_Iget_data(request, &data, &bytes), "iget_data");
  expect_unsupported(MPIX_Iget_free(&request), "iget_free");
}

static void run_return(void) {
  MPI_Comm inter = MPI_COMM_NULL;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Win native = MPI_WIN_NULL;
  MPI_Aint size = 0;
  MPI_Aint big_unit = 0;
  int unit = 0;
  int one = 1;
  int sum = 0;
  int ranks = 0;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  MPI_Win_create(NULL, 0, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &native);
  MPI_Win_set_errhandler(native, MPI_ERRORS_RETURN);
  expect_unsupported(MPIX_Win_allocate_intercomm(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &inter, &win), "allocate");
  expect(win == MPI_WIN_NULL, "no window after a failed allocation");
  expect_unsupported(MPIX_Win_allocate_intercomm_c(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, NULL, &win), "allocate_c");
  expect_unsupported(MPIX_Win_connect_intercomm("name", MPI_INFO_NULL, 0, MPI_COMM_WORLD, &inter), "connect");
  expect_unsupported(MPIX_Win_create_intercomm(MPI_INFO_NULL, MPI_COMM_NULL, &win), "create");
  expect_unsupported(MPIX_Win_intercomm_query(native, 0, &size, &unit), "query");
  expect_unsupported(MPIX_Win_intercomm_query_c(native, 0, &size, &big_unit), "query_c");
  expect_unsupported(queried_from_another_source(MPI_WIN_NULL), "query of a null window");
  run_iget_return(native);
  MPI_Win_free(&native);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  expect(sum == ranks, "the sum over all ranks after the errors");
}

static void read_back(MPI_Comm inter, int rank, int ranks) {
  MPI_Win win = MPI_WIN_NULL;
  int former = 0;
  int value = -1;
  int neighbour = (rank + 1) % ranks;
  MPI_Aint size = 0;
  int unit = 0;
  MPI_Comm_remote_size(inter, &former);
  expect(former == ranks, "as many former ranks as ranks");
  MPIX_Win_create_intercomm(MPI_INFO_NULL, inter, &win);
  MPIX_Win_intercomm_query(win, neighbour, &size, &unit);
  expect(size == (MPI_Aint)sizeof value, "the neighbour's size");
  expect(unit == (int)sizeof value, "the neighbour's displacement unit");
  MPI_Win_fence(0, win);
  MPI_Get(&value, 1, MPI_INT, neighbour, 0, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  expect(value == 100 + neighbour, "the value that the neighbour put");
  MPI_Win_free(&win);
}

static void run_round_trip(void) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Comm inter = MPI_COMM_NULL;
  MPI_Win win = MPI_WIN_NULL;
  int rank = 0;
  int ranks = 0;
  int value = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  value = 100 + rank;
  MPI_Info_create(&info);
  MPI_Info_set(info, PSNAM_INFO_MANIFESTATION, PSNAM_MANIFESTATION_LIBNAM);
  MPI_Info_set(info, PSNAM_INFO_CONSISTENCY, PSNAM_CONSISTENCY_PERSISTENT);
  MPIX_Win_allocate_intercomm(sizeof value, sizeof value, info, MPI_COMM_WORLD, &inter, &win);
  MPI_Win_fence(0, win);
  MPI_Put(&value, 1, MPI_INT, rank, 0, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  read_back(inter, rank, ranks);
  MPI_Comm_free(&inter);
  MPI_Info_set(info, PSNAM_INFO_CONSISTENCY, PSNAM_CONSISTENCY_VOLATILE);
  MPI_Win_set_info(win, info);
  MPI_Win_free(&win);

  /* A handle of a volatile window is refused, and nothing is left of the window. */
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  expect(MPIX_Win_allocate_intercomm(8, 1, info, MPI_COMM_WORLD, &inter, &win) == MPI_ERR_INFO_VALUE,
         "MPI_ERR_INFO_VALUE for a handle of a volatile window");
  expect(win == MPI_WIN_NULL, "no window after the refusal");
  if (ranks > 1) {
    expect(MPIX_Win_allocate_intercomm(8, 1, info, MPI_COMM_WORLD, rank == 0 ? &inter : NULL, &win) == MPI_ERR_ARG,
           "MPI_ERR_ARG where only some ranks want the handle");
  }
  MPI_Info_free(&info);
}

int main(int argc, char** argv) {
  int code = 0;
  MPI_Init(&argc, &argv);
  if (argc == 2 && argv[1][0] == 'f') {
    MPI_Win win = MPI_WIN_NULL;
    MPIX_Win_allocate_intercomm(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, NULL, &win);
    fputs("alias_program: the job went on after a fatal error\n", stderr);
  } else if (argc == 2 && argv[1][0] == 'r' && argv[1][1] == 'e') {
    run_return();
  } else if (argc == 2 && argv[1][0] == 'r') {
    run_round_trip();
  } else {
    fputs("usage: alias_program return|fatal|round_trip\n", stderr);
    code = EXIT_FAILURE;
  }
  MPI_Finalize();
  return failures == 0 ? code : EXIT_FAILURE;
}
