/* See table.h. Plain one-sided MPI; what PSNAM asks of it is the info keys in table_create() and table_connect(). */
#include "table.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "example_common.h"

#define TABLE_MAGIC INT64_C(0x31454c42415453) /* "STABLE1" */

/* ---- Where things are ---- */

static MPI_Aint place_of_slot(const struct table* t, int64_t slot) {
  return (MPI_Aint)(sizeof(struct table_header) + (size_t)(slot / t->shape.parts) * sizeof(struct table_slot));
}

static MPI_Aint place_of_mark(const struct table* t, int64_t ticket) {
  return place_of_slot(t, t->shape.slots) + (MPI_Aint)(ticket / t->shape.parts);
}

static int part_of(const struct table* t, int64_t index) { return (int)(index % t->shape.parts); }

static int64_t round_up(int64_t number, int64_t step) { return (number + step - 1) / step * step; }

static MPI_Aint bytes_of_part(const struct table* t) {
  return (MPI_Aint)round_up(place_of_mark(t, t->shape.tickets), (int64_t)sizeof(int64_t));
}

uint64_t table_mix(uint64_t number) {
  number ^= number >> 30;
  number *= UINT64_C(0x2545F4914F6CDD1D);
  number ^= number >> 27;
  number *= UINT64_C(0x9E3779B97F4A7C15);
  return number ^ number >> 31;
}

/* ---- The window ---- */

/* Every rank writes the part it has. */
static void write_empty_part(const struct table* t) {
  const int bytes = (int)(bytes_of_part(t) - (MPI_Aint)sizeof t->shape);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  char* zeros = example_allocate("shared_table", bytes, "an empty part");
  memset(zeros, 0, (size_t)bytes);
  MPI_Win_fence(0, t->win);
  if (rank < t->shape.parts) {
    MPI_Put(&t->shape, (int)sizeof t->shape, MPI_BYTE, rank, 0, (int)sizeof t->shape, MPI_BYTE, t->win);
    MPI_Put(zeros, bytes, MPI_BYTE, rank, sizeof t->shape, bytes, MPI_BYTE, t->win);
  }
  MPI_Win_fence(MPI_MODE_NOSUCCEED, t->win);
  free(zeros);
}

void table_create(struct table* t, const char* structure, const char* manifestation, int64_t keys, int64_t slots,
                  int64_t tickets) {
  char value[64];
  int rank = 0;
  int ranks = 0;
  void* base = NULL;
  MPI_Info info = MPI_INFO_NULL;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const int64_t parts = strcmp(structure, "raw_and_flat") == 0 ? 1 : ranks;
  t->shape = (struct table_header){.magic = TABLE_MAGIC, .parts = parts, .keys = keys};
  t->shape.slots = round_up(slots, parts);
  t->shape.tickets = round_up(tickets, parts);
  MPI_Info_create(&info);
  snprintf(value, sizeof value, "psnam_manifestation_%s", manifestation);
  MPI_Info_set(info, "psnam_manifestation", value);
  snprintf(value, sizeof value, "psnam_structure_%s", structure);
  MPI_Info_set(info, "psnam_structure", value);
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_persistent");
  MPI_Win_allocate(rank < parts ? bytes_of_part(t) : 0, 1, info, MPI_COMM_WORLD, &base, &t->win);
  MPI_Info_free(&info);
  write_empty_part(t);
}

const char* table_connect(struct table* t, const char* name) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Comm handle = MPI_COMM_NULL;
  const int kShapeBytes = (int)offsetof(struct table_header, next_ticket);
  MPI_Aint bytes = 0;
  int former = 0;
  int unit = 0;
  void* base = NULL;
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_window_connect", "true");
  MPI_Comm_connect(name, info, 0, MPI_COMM_WORLD, &handle);
  MPI_Comm_remote_size(handle, &former);
  MPI_Win_create_dynamic(info, handle, &t->win);
  MPI_Comm_disconnect(&handle); /* the window stays usable */
  MPI_Info_free(&info);
  MPI_Win_shared_query(t->win, 0, &bytes, &unit, &base);
  if (bytes < (MPI_Aint)sizeof t->shape) {
    return "region 0 is too small for a header";
  }
  MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, t->win);
  MPI_Get(&t->shape, kShapeBytes, MPI_BYTE, 0, 0, kShapeBytes, MPI_BYTE, t->win); /* not what others may be changing */
  MPI_Win_unlock(0, t->win);
  const struct table_header* h = &t->shape;
  const int sound = h->magic == TABLE_MAGIC && h->parts >= 1 && h->parts <= former && h->slots >= h->parts &&
                    h->slots % h->parts == 0 && h->tickets >= 0 && h->tickets % h->parts == 0 && h->keys >= 1 &&
                    unit == 1 && h->slots < bytes * h->parts && h->tickets < bytes * h->parts &&
                    bytes_of_part(t) == bytes;
  return sound ? NULL : "what stands at the start of region 0 does not describe a table";
}

void table_name(const struct table* t, char* name) {
  int length = TABLE_NAME_BYTES;
  int found = 0;
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win_get_info(t->win, &info);
  MPI_Info_get_string(info, "psnam_window_name", &length, name, &found);
  MPI_Info_free(&info);
}

void table_set_volatile(const struct table* t) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_consistency", "psnam_consistency_volatile");
  MPI_Win_set_info(t->win, info);
  MPI_Info_free(&info);
}

/* ---- The counters of part 0 ---- */

/* The number that stands at `place`; `more` is added to it if `op` is MPI_SUM. */
static int64_t fetch(const struct table* t, size_t place, int64_t more, MPI_Op op) {
  int64_t before = 0;
  MPI_Fetch_and_op(&more, &before, MPI_INT64_T, 0, (MPI_Aint)place, op, t->win);
  MPI_Win_flush(0, t->win);
  return before;
}

int64_t table_join(const struct table* t) { return fetch(t, offsetof(struct table_header, jobs), 1, MPI_SUM) + 1; }

int64_t table_jobs(const struct table* t) { return fetch(t, offsetof(struct table_header, jobs), 0, MPI_NO_OP); }

int64_t table_draw(const struct table* t) { return fetch(t, offsetof(struct table_header, next_ticket), 1, MPI_SUM); }

int64_t table_drawn(const struct table* t) {
  const int64_t next = fetch(t, offsetof(struct table_header, next_ticket), 0, MPI_NO_OP);
  return next < t->shape.tickets ? next : t->shape.tickets;
}

int table_mark(const struct table* t, int64_t ticket, int64_t job) {
  const uint8_t mine = (uint8_t)job;
  uint8_t before = 0;
  const int part = part_of(t, ticket);
  MPI_Fetch_and_op(&mine, &before, MPI_UINT8_T, part, place_of_mark(t, ticket), MPI_SUM, t->win);
  MPI_Win_flush(part, t->win);
  return before == 0;
}

/* ---- The hash table: open addressing, the next slot is tried where one is taken ---- */

static int64_t first_slot(const struct table* t, int64_t key) {
  return (int64_t)(table_mix((uint64_t)key) % (uint64_t)t->shape.slots);
}

int table_add(const struct table* t, int64_t key, int64_t value) {
  const int64_t none = 0;
  const int64_t added[2] = {1, value};
  int64_t slot = first_slot(t, key);
  for (int64_t tried = 0; tried < t->shape.slots; ++tried, slot = (slot + 1) % t->shape.slots) {
    const int part = part_of(t, slot);
    const MPI_Aint place = place_of_slot(t, slot);
    int64_t found = 0;
    MPI_Compare_and_swap(&key, &none, &found, MPI_INT64_T, part, place, t->win); /* takes the slot if it is empty */
    MPI_Win_flush(part, t->win);
    if (found == none || found == key) {
      MPI_Accumulate(added, 2, MPI_INT64_T, part, place + (MPI_Aint)offsetof(struct table_slot, count), 2, MPI_INT64_T,
                     MPI_SUM, t->win);
      MPI_Win_flush(part, t->win);
      return 1;
    }
  }
  return 0;
}

int table_find(const struct table* t, int64_t key, struct table_slot* found) {
  int64_t slot = first_slot(t, key);
  for (int64_t tried = 0; tried < t->shape.slots; ++tried, slot = (slot + 1) % t->shape.slots) {
    const int part = part_of(t, slot);
    MPI_Get_accumulate(NULL, 0, MPI_INT64_T, found, 3, MPI_INT64_T, part, place_of_slot(t, slot), 3, MPI_INT64_T,
                       MPI_NO_OP, t->win);
    MPI_Win_flush(part, t->win);
    if (found->key == key || found->key == 0) {
      return found->key == key;
    }
  }
  return 0;
}

void table_read_slots(const struct table* t, int part, struct table_slot* slots) {
  const int bytes = (int)(t->shape.slots / t->shape.parts * (int64_t)sizeof *slots);
  MPI_Get(slots, bytes, MPI_BYTE, part, place_of_slot(t, 0), bytes, MPI_BYTE, t->win);
  MPI_Win_flush(part, t->win);
}

void table_read_marks(const struct table* t, int part, uint8_t* marks) {
  const int bytes = (int)(t->shape.tickets / t->shape.parts);
  MPI_Get(marks, bytes, MPI_UINT8_T, part, place_of_mark(t, 0), bytes, MPI_UINT8_T, t->win);
  MPI_Win_flush(part, t->win);
}
