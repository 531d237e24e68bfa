/* See check.h.
 *
 * Each rank reads all marks, computes what must stand at the keys that fall to it, looks each of them up, and counts
 * the slots of the parts that fall to it. That each key is found as it must be, and that there are as many slots in use
 * as keys were found, means that no key is in the table twice and none that nobody added. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "example_common.h"
#include "work.h"

#define PROGRAM "shared_table"

enum { MOST_LOST = 16 };

/* Numbers that are added over all ranks. */
enum { KEYS, SLOTS, COUNT, SUM, WRONG, TOTALS };

struct view {
  const struct table* t;
  int rank, ranks;
  int64_t drawn;
  uint8_t* marks; /* by ticket */
  int64_t done_by[TABLE_MOST_JOBS + 1];
  int64_t undone[MOST_LOST]; /* tickets that were drawn and are not marked */
  int64_t undone_total;
  struct table_slot* expected; /* by the index of the key */
  int64_t totals[TOTALS];
};

static void* allocate(int64_t bytes, const char* what) { return example_allocate(PROGRAM, bytes, what); }

static void read_marks(struct view* v) {
  const int64_t parts = v->t->shape.parts;
  const int64_t of_part = v->t->shape.tickets / parts;
  uint8_t* marks = allocate(of_part, "the marks of a part");
  for (int64_t part = 0; part < parts; ++part) {
    table_read_marks(v->t, (int)part, marks);
    for (int64_t i = 0; i < of_part; ++i) {
      v->marks[i * parts + part] = marks[i];
    }
  }
  free(marks);
}

/* 0, told by rank 0, where a ticket has the mark of no job or was never drawn. */
static int count_tickets(struct view* v, int64_t jobs) {
  for (int64_t ticket = 0; ticket < v->t->shape.tickets; ++ticket) {
    const uint8_t job = v->marks[ticket];
    if (job > jobs || (ticket >= v->drawn && job != 0)) {
      if (v->rank == 0) {
        fprintf(stderr, PROGRAM ": ticket %lld: the mark is %d; %lld were drawn by %lld jobs\n", (long long)ticket, job,
                (long long)v->drawn, (long long)jobs);
      }
      return 0;
    }
    if (ticket < v->drawn && job == 0 && v->undone_total++ < MOST_LOST) {
      v->undone[v->undone_total - 1] = ticket;
    }
    if (job != 0) {
      struct table_slot* key = &v->expected[work_key_index(v->t, ticket)];
      key->count += 1;
      key->sum += work_value(ticket);
      ++v->done_by[job];
    }
  }
  return 1;
}

/* Whether `found` is what the marks say, or that and what some of the undone tickets of the key add. An addition that
 * was cut short may have counted without adding to the sum, or the other way round. */
static int is_possible(const struct view* v, int64_t index, const struct table_slot* found) {
  int64_t values[MOST_LOST];
  int open = 0;
  for (int64_t i = 0; i < v->undone_total; ++i) {
    if (work_key_index(v->t, v->undone[i]) == index) {
      values[open++] = work_value(v->undone[i]);
    }
  }
  const int64_t more = found->count - v->expected[index].count;
  if (more < 0 || more > open) {
    return 0;
  }
  for (unsigned subset = 0; subset < 1U << open; ++subset) {
    int64_t sum = v->expected[index].sum;
    for (int i = 0; i < open; ++i) {
      sum += (subset >> i & 1U) != 0 ? values[i] : 0;
    }
    if (sum == found->sum) {
      return 1;
    }
  }
  return 0;
}

static void check_keys(struct view* v) {
  for (int64_t index = v->rank; index < v->t->shape.keys; index += v->ranks) {
    struct table_slot found = {0, 0, 0};
    const int present = table_find(v->t, work_key(index), &found);
    if (!present) {
      memset(&found, 0, sizeof found);
    }
    v->totals[KEYS] += present;
    if (is_possible(v, index, &found)) {
      continue;
    }
    if (v->totals[WRONG]++ == 0) {
      fprintf(stderr, PROGRAM ": key %lld has count %lld and sum %lld, not %lld and %lld\n", (long long)index,
              (long long)found.count, (long long)found.sum, (long long)v->expected[index].count,
              (long long)v->expected[index].sum);
    }
  }
}

static void count_slots(struct view* v) {
  const int64_t of_part = v->t->shape.slots / v->t->shape.parts;
  struct table_slot* slots = allocate(of_part * (int64_t)sizeof *slots, "the slots of a part");
  for (int64_t part = v->rank; part < v->t->shape.parts; part += v->ranks) {
    table_read_slots(v->t, (int)part, slots);
    for (int64_t i = 0; i < of_part; ++i) {
      v->totals[SLOTS] += slots[i].key != 0;
      v->totals[COUNT] += slots[i].count;
      v->totals[SUM] += slots[i].sum;
    }
  }
  free(slots);
}

static void tell_tickets(const struct view* v, int64_t jobs) {
  printf(PROGRAM ": %lld tickets drawn, none twice:", (long long)v->drawn);
  for (int64_t job = 1; job <= jobs; ++job) {
    printf(" %lld done by job %lld,", (long long)v->done_by[job], (long long)job);
  }
  printf(" %lld by nobody\n", (long long)v->undone_total);
  for (int64_t i = 0; i < v->undone_total && i < MOST_LOST; ++i) {
    printf(PROGRAM ": ticket %lld was drawn and not done\n", (long long)v->undone[i]);
  }
}

static int tell_totals(const struct view* v, const int64_t* totals) {
  if (totals[WRONG] != 0 || totals[KEYS] != totals[SLOTS]) {
    fprintf(stderr, PROGRAM ": %lld of %lld keys are wrong, %lld keys are in %lld slots\n", (long long)totals[WRONG],
            (long long)v->t->shape.keys, (long long)totals[KEYS], (long long)totals[SLOTS]);
    return 0;
  }
  printf(PROGRAM ": %lld keys, %lld additions, sum %lld: exactly what the tickets say\n", (long long)totals[KEYS],
         (long long)totals[COUNT], (long long)totals[SUM]);
  return 1;
}

static int check(struct view* v, long lost) {
  const int64_t jobs = table_jobs(v->t);
  if (jobs > TABLE_MOST_JOBS || !count_tickets(v, jobs)) {
    return 0;
  }
  if (v->rank == 0) {
    tell_tickets(v, jobs);
  }
  if (v->undone_total > lost || v->undone_total > MOST_LOST) {
    if (v->rank == 0) {
      fprintf(stderr, PROGRAM ": %lld tickets were drawn and not done; --lost allows %ld\n", (long long)v->undone_total,
              lost);
    }
    return 0;
  }
  int64_t totals[TOTALS] = {0};
  check_keys(v);
  count_slots(v);
  MPI_Allreduce(v->totals, totals, TOTALS, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  int right = v->rank == 0 ? tell_totals(v, totals) : 0;
  MPI_Bcast(&right, 1, MPI_INT, 0, MPI_COMM_WORLD);
  return right;
}

int check_table(const struct table* t, long lost) {
  struct view v = {.t = t, .drawn = table_drawn(t)};
  MPI_Comm_rank(MPI_COMM_WORLD, &v.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &v.ranks);
  const int64_t expected_bytes = t->shape.keys * (int64_t)sizeof *v.expected;
  v.expected = allocate(expected_bytes, "what is expected");
  memset(v.expected, 0, (size_t)expected_bytes);
  v.marks = allocate(t->shape.tickets, "the marks");
  read_marks(&v);
  const int right = check(&v, lost);
  free(v.expected);
  free(v.marks);
  return right;
}
