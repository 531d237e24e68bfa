/* Jobs that fill one hash table at the same time, by tickets that they draw from one counter. README.md tells how.
 *
 *   shared_table make [options]    makes the table, publishes it, and works
 *   shared_table work [options]    finds the table and works
 *   shared_table check [options]   finds the table and holds it against what the tickets say */
#include <getopt.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "example_common.h"
#include "table.h"
#include "work.h"

#define PROGRAM "shared_table"

enum command { MAKE, WORK, CHECK, HELP };

struct options {
  enum command command;
  const char* service;
  const char* structure;
  const char* manifestation;
  long keys, tickets, operations, threads, jobs, progress, lost;
  int remove;
};

struct run {
  int rank, ranks;
  int64_t job;
  struct table table;
};

/* ---- Options ---- */

static const char kUsage[] =
    "usage: " PROGRAM
    " make|work|check [options]\n"
    "  --service NAME     publish or find the table under this name (table)\n"
    "make:\n"
    "  --structure S      raw_and_flat, managed_contiguous or managed_distributed (managed_distributed)\n"
    "  --manifestation M  libnam or pershm (libnam)\n"
    "  --keys N           different keys (50000)\n"
    "  --tickets N        tickets that there are (2000000)\n"
    "make and work:\n"
    "  --operations N     tickets to draw at the most, by all ranks together (1000000)\n"
    "  --threads N        of each rank (1)\n"
    "  --jobs N           begin when so many jobs have joined (1)\n"
    "  --progress N       say so after each N tickets that a thread has done (0: never)\n"
    "check:\n"
    "  --lost N           tickets that killed processes may have drawn and not done (0)\n"
    "  --remove           unpublish and remove the table when everything in it is right\n";

enum {
  SERVICE = 1, /* '?' and ':' are getopt's */
  STRUCTURE,
  MANIFESTATION,
  KEYS,
  TICKETS,
  OPERATIONS,
  THREADS,
  JOBS,
  PROGRESS,
  LOST,
  REMOVE
};

static const char* parse_one(int option, const char* text, struct options* o) {
  static const long kMost = 100000000;
  switch (option) {
    case SERVICE:
      o->service = text;
      return *text != '\0' ? NULL : "--service wants a name";
    case STRUCTURE:
      o->structure = text;
      return NULL; /* the library knows the values and names them */
    case MANIFESTATION:
      o->manifestation = text;
      return NULL;
    case KEYS:
      return example_parse_number(text, 1, kMost, &o->keys) ? NULL : "--keys wants a number from 1 to 100000000";
    case TICKETS:
      return example_parse_number(text, 0, kMost, &o->tickets) ? NULL : "--tickets wants a number up to 100000000";
    case OPERATIONS:
      return example_parse_number(text, 0, kMost, &o->operations) ? NULL
                                                                  : "--operations wants a number up to 100000000";
    case THREADS:
      return example_parse_number(text, 1, 64, &o->threads) ? NULL : "--threads wants a number from 1 to 64";
    case JOBS:
      return example_parse_number(text, 1, TABLE_MOST_JOBS, &o->jobs) ? NULL : "--jobs wants a number from 1 to 200";
    case PROGRESS:
      return example_parse_number(text, 0, kMost, &o->progress) ? NULL : "--progress wants a number up to 100000000";
    case LOST:
      return example_parse_number(text, 0, 16, &o->lost) ? NULL : "--lost wants a number from 0 to 16";
    default:
      o->remove = 1;
      return NULL;
  }
}

static const char* parse_command(const char* word, struct options* o) {
  static const char* const kCommands[] = {"make", "work", "check", "--help"};
  for (int i = 0; i < 4; ++i) {
    if (word != NULL && strcmp(word, kCommands[i]) == 0) {
      o->command = (enum command)i;
      return NULL;
    }
  }
  return "the first argument is make, work, check or --help, not";
}

/* 1 where the program can go on; otherwise rank 0 has said why not. All ranks decide alike. */
static int parse_options(int argc, char** argv, int rank, struct options* o) {
  static const struct option kOptions[] = {{"service", required_argument, NULL, SERVICE},
                                           {"structure", required_argument, NULL, STRUCTURE},
                                           {"manifestation", required_argument, NULL, MANIFESTATION},
                                           {"keys", required_argument, NULL, KEYS},
                                           {"tickets", required_argument, NULL, TICKETS},
                                           {"operations", required_argument, NULL, OPERATIONS},
                                           {"threads", required_argument, NULL, THREADS},
                                           {"jobs", required_argument, NULL, JOBS},
                                           {"progress", required_argument, NULL, PROGRESS},
                                           {"lost", required_argument, NULL, LOST},
                                           {"remove", no_argument, NULL, REMOVE},
                                           {NULL, 0, NULL, 0}};
  const char* word = argc > 1 ? argv[1] : NULL;
  const char* error = parse_command(word, o);
  int option = 0;
  opterr = 0;
  optind = 2;
  while (error == NULL && (option = getopt_long(argc, argv, ":", kOptions, NULL)) != -1) {
    word = optarg != NULL ? optarg : argv[optind - 1];
    error = option == '?'   ? "unknown option"
            : option == ':' ? "a value is missing behind"
                            : parse_one(option, optarg, o);
  }
  if (error == NULL && argc > 1 && optind < argc) {
    error = "unexpected argument";
    word = argv[optind];
  }
  if (rank == 0 && error != NULL) {
    fprintf(stderr, PROGRAM ": %s: '%s'\n%s", error, word != NULL ? word : "", kUsage);
  } else if (rank == 0 && o->command == HELP) {
    fputs(kUsage, stdout);
  }
  return error == NULL;
}

/* ---- The commands ---- */

static void make_table(struct run* r, const struct options* o) {
  char name[TABLE_NAME_BYTES] = "";
  table_create(&r->table, o->structure, o->manifestation, o->keys, 2 * o->keys, o->tickets);
  table_name(&r->table, name);
  if (r->rank == 0) {
    MPI_Publish_name(o->service, MPI_INFO_NULL, name);
    printf(PROGRAM ": a table of %lld slots and %lld tickets in %lld part%s is published as '%s'\n",
           (long long)r->table.shape.slots, (long long)r->table.shape.tickets, (long long)r->table.shape.parts,
           r->table.shape.parts == 1 ? "" : "s", o->service);
  }
}

/* 0, told by rank 0, if there is no such table. */
static int find_table(struct run* r, const struct options* o) {
  char name[TABLE_NAME_BYTES] = "";
  if (!example_look_up(PROGRAM, o->service, name)) {
    return 0;
  }
  const char* error = table_connect(&r->table, name);
  if (error != NULL && r->rank == 0) {
    fprintf(stderr, PROGRAM ": window '%s': %s\n", name, error);
  }
  if (error != NULL) {
    MPI_Win_free(&r->table.win);
  }
  return error == NULL;
}

/* Rank 0 joins for its job; all wait until as many jobs as wanted are there. 0 if there are too many. */
static int join(struct run* r, long jobs) {
  if (r->rank == 0) {
    r->job = table_join(&r->table);
    while (table_jobs(&r->table) < jobs) {
      sched_yield();
    }
    printf(PROGRAM ": job %lld begins, process %ld\n", (long long)r->job, (long)getpid());
  }
  MPI_Bcast(&r->job, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
  return r->job <= TABLE_MOST_JOBS;
}

static int work(struct run* r, const struct options* o) {
  MPI_Win_lock_all(0, r->table.win);
  int64_t done = -1;
  if (join(r, o->jobs)) {
    const double start = MPI_Wtime();
    const int64_t share = (r->rank + 1) * o->operations / r->ranks - r->rank * o->operations / r->ranks;
    done = work_on(&r->table, r->job, share, (int)o->threads, o->progress);
    const int failed = done < 0;
    int any = 0;
    MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    MPI_Allreduce(MPI_IN_PLACE, &done, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    done = any ? -1 : done;
    if (r->rank == 0 && done >= 0) {
      printf(PROGRAM ": job %lld did %lld tickets in %.2f s\n", (long long)r->job, (long long)done,
             MPI_Wtime() - start);
    }
  }
  MPI_Win_unlock_all(r->table.win);
  return done >= 0;
}

static int check(struct run* r, const struct options* o) {
  MPI_Win_lock_all(0, r->table.win);
  const int right = check_table(&r->table, o->lost);
  MPI_Win_unlock_all(r->table.win);
  if (right && o->remove) {
    if (r->rank == 0) {
      char name[TABLE_NAME_BYTES] = "";
      table_name(&r->table, name);
      MPI_Unpublish_name(o->service, MPI_INFO_NULL, name);
      printf(PROGRAM ": the table is removed\n");
    }
    table_set_volatile(&r->table);
  }
  return right;
}

static int run_command(struct run* r, const struct options* o) {
  if (o->command == MAKE) {
    make_table(r, o);
  } else if (!find_table(r, o)) {
    return EXAMPLE_EXIT_FAILED;
  }
  const int good = o->command == CHECK ? check(r, o) : work(r, o);
  MPI_Win_free(&r->table.win);
  return good ? EXIT_SUCCESS : EXAMPLE_EXIT_FAILED;
}

int main(int argc, char** argv) {
  struct options o = {.service = "table",
                      .structure = "managed_distributed",
                      .manifestation = "libnam",
                      .keys = 50000,
                      .tickets = 2000000,
                      .operations = 1000000,
                      .threads = 1,
                      .jobs = 1};
  struct run r = {.job = 0};
  int level = MPI_THREAD_SINGLE;
  int code = EXIT_SUCCESS;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &r.ranks);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!parse_options(argc, argv, r.rank, &o)) {
    code = EXAMPLE_EXIT_USAGE;
  } else if (o.threads > 1 && level < MPI_THREAD_MULTIPLE) {
    fprintf(stderr, PROGRAM ": this MPI library has no MPI_THREAD_MULTIPLE\n");
    code = EXAMPLE_EXIT_FAILED;
  } else if (o.command != HELP) {
    code = example_library_is_there(PROGRAM, r.rank) ? run_command(&r, &o) : EXAMPLE_EXIT_FAILED;
  }
  MPI_Finalize();
  return code;
}
