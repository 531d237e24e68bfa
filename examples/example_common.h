/* What the C examples share: usage errors, the question whether the library is there, and the look-up of a window that
 * another job has published. */
#ifndef EXAMPLE_COMMON_H
#define EXAMPLE_COMMON_H

enum { EXAMPLE_EXIT_FAILED = 1, EXAMPLE_EXIT_USAGE = 2 };

/* Whether libpsnam.so is loaded: it leaves its version in MPI_INFO_ENV. Says so on stderr (rank 0) if not. */
int example_library_is_there(const char* program, int rank);

/* Parses the whole of `text` as a number from lowest to highest; 0 if it is not one. */
int example_parse_number(const char* text, long lowest, long highest, long* number);

/* Collective over MPI_COMM_WORLD: the window published under `service`, by its name (MPI_MAX_PORT_NAME characters), on
 * every rank. 0, told by rank 0, if there is none. */
int example_look_up(const char* program, const char* service, char* name);

/* Memory, or the end of the job with a message that says what for. */
void* example_allocate(const char* program, long long bytes, const char* what);

#endif
