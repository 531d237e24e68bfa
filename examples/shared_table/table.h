/* A hash table and a ticket counter in a window, for any number of processes and threads of any number of jobs at once.
 *
 * Every part of the window, which is a region of it, has the same shape:
 *
 *   struct table_header | struct table_slot[slots / parts] | a mark of one byte for each of tickets / parts tickets
 *
 * The header of part 0 counts; those of the other parts only tell the shape. Slot i and ticket i are in part i % parts,
 * at place i / parts. All numbers that change are changed by accumulating calls only, each of which is indivisible, so
 * nobody ever holds a lock that excludes others, and a process that is killed leaves nothing locked.
 *
 * The functions but the first four are called in an epoch of MPI_Win_lock_all, by any thread. */
#ifndef TABLE_H
#define TABLE_H

#include <mpi.h>
#include <stdint.h>

enum { TABLE_NAME_BYTES = MPI_MAX_PORT_NAME, TABLE_MOST_JOBS = 200 };

struct table_header {
  int64_t magic;
  int64_t parts;
  int64_t slots;   /* of all parts; a multiple of parts */
  int64_t tickets; /* of all parts; a multiple of parts */
  int64_t keys;    /* that the jobs use: they agree on the work by it */
  int64_t next_ticket;
  int64_t jobs; /* that have joined */
  int64_t reserved;
};

/* An empty slot is all zeros: 0 is no key. */
struct table_slot {
  int64_t key;
  int64_t count; /* additions to the key */
  int64_t sum;   /* of what was added */
};

struct table {
  MPI_Win win;
  struct table_header shape;
};

/* Collective over MPI_COMM_WORLD: makes an empty table in a persistent window, with a part on every rank or, if
 * `structure` is raw_and_flat, on rank 0 alone. `slots` and `tickets` are rounded up. */
void table_create(struct table* t, const char* structure, const char* manifestation, int64_t keys, int64_t slots,
                  int64_t tickets);

/* Collective over MPI_COMM_WORLD: the table in the window `name`. NULL, or what is wrong with the window. */
const char* table_connect(struct table* t, const char* name);

/* The window's name, for others to connect by; TABLE_NAME_BYTES. */
void table_name(const struct table* t, char* name);

/* Collective: nothing is left of the table when the last job has freed its window. */
void table_set_volatile(const struct table* t);

/* A number for this job, from 1 on; all that a process calls table_mark() with. */
int64_t table_join(const struct table* t);

/* How many jobs have joined. */
int64_t table_jobs(const struct table* t);

/* The next ticket, which nobody else gets. When all are handed out the result is shape.tickets or more. */
int64_t table_draw(const struct table* t);

/* How many tickets have been handed out. */
int64_t table_drawn(const struct table* t);

/* Adds 1 and `value` to the count and the sum of `key`, which is not 0. Complete when it returns. 0 if the table is
 * full. */
int table_add(const struct table* t, int64_t key, int64_t value);

/* The slot of `key`; 0 if the table does not have it. */
int table_find(const struct table* t, int64_t key, struct table_slot* slot);

/* Notes that `job` has done the work of `ticket`. 0 if somebody has noted that before. */
int table_mark(const struct table* t, int64_t ticket, int64_t job);

/* All slots, or all marks, of a part: arrays of slots / parts and of tickets / parts. */
void table_read_slots(const struct table* t, int part, struct table_slot* slots);
void table_read_marks(const struct table* t, int part, uint8_t* marks);

/* Numbers that look random; different for different `number`s. */
uint64_t table_mix(uint64_t number);

#endif
