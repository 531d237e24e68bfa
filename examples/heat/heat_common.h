/* What the C programs of this example share beside the format: usage errors and the question whether the library is
 * there. */
#ifndef HEAT_COMMON_H
#define HEAT_COMMON_H

enum { HEAT_EXIT_FAILED = 1, HEAT_EXIT_USAGE = 2 };

/* Whether libpsnam.so is loaded: it leaves its version in MPI_INFO_ENV. Says so on stderr (rank 0) if not. */
int heat_library_is_there(const char* program, int rank);

/* Parses the whole of `text` as a number from lowest to highest; 0 if it is not one. */
int heat_parse_number(const char* text, long lowest, long highest, long* number);

#endif
