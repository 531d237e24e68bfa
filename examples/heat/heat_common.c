/* See heat_common.h. */
#include "heat_common.h"

#include <errno.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int heat_library_is_there(const char* program, int rank) {
  int length = 0;
  int found = 0;
  char nothing[1] = "";
  MPI_Info_get_string(MPI_INFO_ENV, "psnam_version", &length, nothing, &found);
  if (!found && rank == 0) {
    fprintf(stderr, "%s: the psnam library is not loaded: set LD_PRELOAD=libpsnam.so for this program\n", program);
  }
  return found;
}

int heat_parse_number(const char* text, long lowest, long highest, long* number) {
  char* end = NULL;
  errno = 0;
  *number = strtol(text, &end, 10);
  return end != text && *end == '\0' && errno == 0 && *number >= lowest && *number <= highest;
}
