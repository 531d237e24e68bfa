/* Compiles psnam.h as the only include of a C11 source, beside alias_program.c in one program: two sources that include
 * it must not define a symbol twice. */
#include "psnam.h"

int queried_from_another_source(MPI_Win win);

int queried_from_another_source(MPI_Win win) {
  MPI_Aint size = 0;
  int unit = 0;
  return MPIX_Win_intercomm_query(win, 0, &size, &unit);
}
