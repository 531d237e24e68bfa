/* The work that the jobs share, in tickets: ticket n is to add n + 1 to the key table_ticket_key(). So what the table
 * has to hold in the end follows from the marks alone, whoever drew the tickets in which order. */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

#include "table.h"

/* The keys are work_key(0) to work_key(keys - 1). */
int64_t work_key(int64_t index);
int64_t work_key_index(const struct table* t, int64_t ticket);
int64_t work_value(int64_t ticket);

/* Draws tickets and does what they say, up to `operations` of them, or until there are none left, in `threads` threads
 * at once. If `progress` is not 0, a thread that has done so many more says so on stdout. How many it did; -1, told on
 * stderr, if something was wrong. */
int64_t work_on(const struct table* t, int64_t job, int64_t operations, int threads, int64_t progress);

#endif
