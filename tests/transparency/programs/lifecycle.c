/* Unusual lives of an MPI program that has no PSNAM window. The first argument says which; what happens is printed, and
 * must not depend on whether the library is loaded. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A page for each rank: MPICH 4.0 mixes up the ranks' parts of a native window of a few bytes. */
enum { kWindowBytes = 4096 };

static void use_a_window(MPI_Comm comm) {
  int *memory = NULL, rank = 0, size = 0, value = 0;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  MPI_Win_allocate(kWindowBytes, sizeof(int), MPI_INFO_NULL, comm, &memory, &win);
  MPI_Win_fence(0, win);
  value = 10 + rank;
  MPI_Put(&value, 1, MPI_INT, (rank + 1) % size, 0, 1, MPI_INT, win);
  MPI_Win_fence(0, win);
  printf("rank %d of %d has %d\n", rank, size, *memory);
  fflush(stdout);
  MPI_Win_free(&win);
}

static int plain(void) {
  MPI_Init(NULL, NULL);
  use_a_window(MPI_COMM_WORLD);
  MPI_Finalize();
  return 0;
}

static int with_level(int level) {
  int provided = -1, found = -1, is_main = 0;
  MPI_Init_thread(NULL, NULL, level, &provided);
  MPI_Query_thread(&found);
  MPI_Is_thread_main(&is_main);
  printf("level %d asked, %d provided, %d found, main %d\n", level, provided, found, is_main);
  use_a_window(MPI_COMM_WORLD);
  MPI_Finalize();
  return 0;
}

/* Sessions, without windows: MPICH 4.0 itself ends with SIGSEGV when a program of sessions only makes one. */
static int sessions_only(void) {
  MPI_Session session = MPI_SESSION_NULL;
  MPI_Group group = MPI_GROUP_NULL;
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Datatype pair = MPI_DATATYPE_NULL;
  int initialized = -1, finalized = -1, inter = -1, rank = 0, sum = 0;
  MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_ARE_FATAL, &session);
  MPI_Group_from_session_pset(session, "mpi://WORLD", &group);
  MPI_Comm_create_from_group(group, "transparency", MPI_INFO_NULL, MPI_ERRORS_ARE_FATAL, &comm);
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_test_inter(comm, &inter);
  MPI_Type_contiguous(2, MPI_INT, &pair);
  MPI_Type_commit(&pair);
  MPI_Type_free(&pair);
  MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
  MPI_Initialized(&initialized);
  printf("initialized %d, inter %d, sum %d\n", initialized, inter, sum);
  MPI_Comm_free(&comm);
  MPI_Group_free(&group);
  MPI_Session_finalize(&session);
  MPI_Finalized(&finalized);
  printf("finalized %d\n", finalized);
  return 0;
}

/* A child made before MPI starts, and one made while it runs; neither calls MPI. */
static int forks(void) {
  int status = 0;
  const pid_t before = fork();
  if (before == 0) _exit(3);
  waitpid(before, &status, 0);
  printf("child before: %d\n", WEXITSTATUS(status));
  MPI_Init(NULL, NULL);
  fflush(stdout);
  const pid_t during = fork();
  if (during == 0) {
    execl("/bin/echo", "echo", "child during", (char*)NULL);
    _exit(2);
  }
  waitpid(during, &status, 0);
  printf("child during: %d\n", WEXITSTATUS(status));
  use_a_window(MPI_COMM_WORLD);
  MPI_Finalize();
  return 0;
}

/* The parent only waits; MPI is used by the child alone. */
static int mpi_in_child(void) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) exit(plain());
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

static int finalize_twice(void) {
  plain();
  MPI_Finalize();
  printf("survived\n");
  return 0;
}

static int win_before_init(void) {
  MPI_Win win = MPI_WIN_NULL;
  void* base = NULL;
  MPI_Win_allocate(8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &win);
  printf("survived\n");
  return 0;
}

static int win_after_finalize(void) {
  plain();
  return win_before_init();
}

static int fatal_error(void) {
  MPI_Win win = MPI_WIN_NULL;
  void* base = NULL;
  MPI_Init(NULL, NULL);
  MPI_Win_allocate(-8, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &win);
  printf("survived\n");
  MPI_Finalize();
  return 0;
}

/* Functions that MPI allows at any time. */
static int ask_outside(void) {
  int initialized = -1, finalized = -1, error_class = -1;
  MPI_Initialized(&initialized);
  MPI_Error_class(MPI_ERR_TYPE, &error_class);
  printf("initialized %d, class %d\n", initialized, error_class);
  plain();
  MPI_Finalized(&finalized);
  MPI_Error_class(MPI_ERR_RANK, &error_class);
  printf("finalized %d, class %d\n", finalized, error_class);
  return 0;
}

static int exit_without_finalize(void) {
  MPI_Init(NULL, NULL);
  use_a_window(MPI_COMM_WORLD);
  return 5;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    int (*run)(void);
  } lives[] = {{"plain", plain},
               {"sessions", sessions_only},
               {"forks", forks},
               {"mpi-in-child", mpi_in_child},
               {"finalize-twice", finalize_twice},
               {"before-init", win_before_init},
               {"after-finalize", win_after_finalize},
               {"fatal", fatal_error},
               {"ask-outside", ask_outside},
               {"no-finalize", exit_without_finalize}};
  if (argc == 3 && strcmp(argv[1], "level") == 0) return with_level(atoi(argv[2]));
  for (size_t i = 0; argc == 2 && i < sizeof lives / sizeof *lives; ++i)
    if (strcmp(argv[1], lives[i].name) == 0) return lives[i].run();
  fprintf(stderr, "lifecycle: unknown life\n");
  return 2;
}
