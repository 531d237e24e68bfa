/* psnam_job.h: a running job that can be asked, from the shell, to save a version, to stop and go on, or to end.
 *
 *   psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
 *   options.name = "my-simulation";
 *   psnam_job_t* job = psnam_job_open(&options, checkpoint, MPI_COMM_WORLD);
 *   while (step < steps) {
 *     int what = PSNAM_JOB_GO_ON;
 *     compute(field, step++);
 *     psnam_job_safe_point(job, &what);     // all ranks, equally often
 *     if (what == PSNAM_JOB_END) break;
 *   }
 *   psnam_job_close(job);
 *
 *   $ namctl job checkpoint my-simulation
 *
 * A safe point costs a few nanoseconds as long as nothing is asked. Functions fail with NULL or -1 and set errno;
 * nam_strerror() says cause and values. They need no more than MPI_THREAD_SINGLE; one thread at a time calls them.
 *
 * Link with -lnam (pkg-config: nam). C11 and C++.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PSNAM_JOB_H
#define PSNAM_JOB_H

#include <stdio.h>

#include "nam_ext.h"
#include "psnam_job_team.h"

/* Key in MPI_INFO_ENV by which this header finds libpsnam.so; not for programs. */
#define PSNAM_INFO_FENCE "psnam_fence"

/* What libpsnam.so has for this header. Later versions may have more of it, at the end. */
struct psnam_private_fence_functions {
  size_t bytes; /* of this structure in the library */
  /* `function(argument)` after each fence of `win` that succeeds, until it is freed; NULL: nothing any more. */
  int (*watch)(MPI_Win win, void (*function)(void*), void* argument);
};

static inline const struct psnam_private_fence_functions* psnam_job_private_ask_for_fence(void) {
  char text[32] = "";
  void* address = NULL;
  int found = 0;
#if MPI_VERSION >= 4
  int size = (int)sizeof text;
  if (MPI_Info_get_string(MPI_INFO_ENV, PSNAM_INFO_FENCE, &size, text, &found) != MPI_SUCCESS) return NULL;
#else
  if (MPI_Info_get(MPI_INFO_ENV, PSNAM_INFO_FENCE, (int)sizeof text - 1, text, &found) != MPI_SUCCESS) return NULL;
#endif
  if (!found || sscanf(text, "%p", &address) != 1) return NULL;
  return (const struct psnam_private_fence_functions*)address;
}

/* Collective over `comm`, of which a duplicate is taken. `checkpoint` is what requests save and restore, on the same
 * ranks and with the same comm's order; NULL, on all ranks, if handlers alone do it. EBUSY if a job of that name and
 * user runs. NULL on all ranks if it fails on any. */
static inline psnam_job_t* psnam_job_open(const psnam_job_options_t* options, psnam_checkpoint_t* checkpoint,
                                          MPI_Comm comm) {
  nam_private_team_t team;
  if (nam_private_gather_team("psnam_job_open", comm, &team) != 0) return NULL;
  return psnam_job_private_open(&team, options, checkpoint);
}

/* All ranks come to safe points equally often; none has a version under way (psnam_checkpoint_start). `*what`, which
 * may be NULL, says how to go on. If something was asked, all ranks act on it at the same safe point, and return when
 * that is done. 0 or -1: then the job goes on without. */
static inline int psnam_job_safe_point(psnam_job_t* job, int* what) {
#if defined(__GNUC__)
  if (job != NULL && job->private_count != NULL) {
    if (what != NULL) *what = PSNAM_JOB_GO_ON;
    __atomic_store_n(job->private_count, __atomic_load_n(job->private_count, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
    if ((__atomic_load_n(job->private_asked, __ATOMIC_RELAXED) & 1) == 0) return 0;
    return psnam_job_private_act(job, what);
  }
#endif
  return psnam_job_private_safe_point(job, what);
}

/* Every fence on `win` (of a communicator with the job's ranks) is a safe point at its end, once it has succeeded, for
 * as long as the window and the job live; psnam_job_last() tells what it said. Needs libpsnam.so in the process
 * (LD_PRELOAD, or linked before MPI); windows of the MPI library's own can be watched too. Collective; 0 or -1, ENOTSUP
 * without libpsnam.so. */
static inline int psnam_job_watch_window(psnam_job_t* job, MPI_Win win) {
  const struct psnam_private_fence_functions* const functions = psnam_job_private_ask_for_fence();
  psnam_job_info_t info;
  info.bytes = (uint32_t)sizeof info;
  if (psnam_job_query(job, &info) != 0) return -1; /* it is no job */
  if (win == MPI_WIN_NULL) return psnam_job_private_refuse(job, "psnam_job_watch_window", "the window is MPI_WIN_NULL");
  if (functions == NULL)
    return psnam_job_private_refuse(job, "psnam_job_watch_window",
                                    "fences are seen by libpsnam.so alone, which is not in this process, or older than "
                                    "this: preload it, or call psnam_job_safe_point() after each fence");
  if (functions->watch(win, psnam_job_private_fence, job) != MPI_SUCCESS)
    return psnam_job_private_refuse(job, "psnam_job_watch_window", "there is no memory");
  return 0;
}

#endif
