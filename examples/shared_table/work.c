/* See work.h. */
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "example_common.h"

struct worker {
  const struct table* table;
  int64_t job;
  int64_t operations; /* to do */
  int64_t progress;
  int64_t done;
  const char* error;
  int64_t ticket; /* at which the error came up */
};

int64_t work_key(int64_t index) { return (int64_t)table_mix((uint64_t)index + 1); }

int64_t work_key_index(const struct table* t, int64_t ticket) {
  return (int64_t)(table_mix((uint64_t)ticket + 1) % (uint64_t)t->shape.keys);
}

int64_t work_value(int64_t ticket) { return ticket + 1; }

static void* work(void* argument) {
  struct worker* w = argument;
  const struct table* t = w->table;
  while (w->done < w->operations) {
    const int64_t ticket = table_draw(t);
    if (ticket >= t->shape.tickets) {
      break;
    }
    w->ticket = ticket;
    if (!table_add(t, work_key(work_key_index(t, ticket)), work_value(ticket))) {
      w->error = "the table is full";
      break;
    }
    if (!table_mark(t, ticket, w->job)) {
      w->error = "somebody else had this ticket too";
      break;
    }
    ++w->done;
    if (w->progress != 0 && w->done % w->progress == 0) {
      printf("shared_table: job %lld: a thread has done %lld tickets\n", (long long)w->job, (long long)w->done);
    }
  }
  return NULL;
}

int64_t work_on(const struct table* t, int64_t job, int64_t operations, int threads, int64_t progress) {
  struct worker* workers = example_allocate("shared_table", threads * (long long)sizeof *workers, "the threads");
  pthread_t* handles = example_allocate("shared_table", threads * (long long)sizeof *handles, "the threads");
  int64_t done = 0;
  for (int i = 0; i < threads; ++i) {
    const int64_t share = (i + 1) * operations / threads - i * operations / threads;
    workers[i] = (struct worker){.table = t, .job = job, .operations = share, .progress = progress};
    if (i > 0 && pthread_create(&handles[i], NULL, work, &workers[i]) != 0) {
      fprintf(stderr, "shared_table: the system gives no thread more than %d\n", i);
      MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
    }
  }
  work(&workers[0]);
  for (int i = 0; i < threads; ++i) {
    if (i > 0) {
      pthread_join(handles[i], NULL);
    }
    if (workers[i].error != NULL) {
      fprintf(stderr, "shared_table: ticket %lld: %s\n", (long long)workers[i].ticket, workers[i].error);
    }
    done = workers[i].error != NULL || done < 0 ? -1 : done + workers[i].done;
  }
  free(workers);
  free(handles);
  return done;
}
