/* See example_common.h. */
#include "example_common.h"

#include <errno.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int example_library_is_there(const char* program, int rank) {
  int length = 0;
  int found = 0;
  char nothing[1] = "";
  MPI_Info_get_string(MPI_INFO_ENV, "psnam_version", &length, nothing, &found);
  if (!found && rank == 0) {
    fprintf(stderr, "%s: the psnam library is not loaded: set LD_PRELOAD=libpsnam.so for this program\n", program);
  }
  return found;
}

int example_parse_number(const char* text, long lowest, long highest, long* number) {
  char* end = NULL;
  errno = 0;
  *number = strtol(text, &end, 10);
  return end != text && *end == '\0' && errno == 0 && *number >= lowest && *number <= highest;
}

int example_look_up(const char* program, const char* service, char* name) {
  int rank = 0;
  int found = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    const int code = MPI_Lookup_name(service, MPI_INFO_NULL, name);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    if (code != MPI_SUCCESS) {
      char text[MPI_MAX_ERROR_STRING] = "";
      int length = 0;
      MPI_Error_string(code, text, &length);
      fprintf(stderr, "%s: no window is published as '%s': %s\n", program, service, text);
      found = 0;
    }
  }
  MPI_Bcast(&found, 1, MPI_INT, 0, MPI_COMM_WORLD);
  MPI_Bcast(name, MPI_MAX_PORT_NAME, MPI_CHAR, 0, MPI_COMM_WORLD);
  return found;
}

void* example_allocate(const char* program, long long bytes, const char* what) {
  void* memory = malloc(bytes > 0 ? (size_t)bytes : 1);
  if (memory == NULL) {
    fprintf(stderr, "%s: no memory for %s (%lld bytes)\n", program, what, bytes);
    MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
  }
  return memory;
}
