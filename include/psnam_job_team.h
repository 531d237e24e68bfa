/* psnam_job_team.h: the part of psnam_job.h that needs no mpi.h. Programs include psnam_job.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PSNAM_JOB_TEAM_H
#define PSNAM_JOB_TEAM_H

#include "nam_team.h"
#include "psnam_checkpoint_team.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a job can be asked from outside; the same on all ranks. Begin with PSNAM_JOB_OPTIONS_INIT. */
typedef struct psnam_job_options {
  uint32_t bytes;   /* sizeof(psnam_job_options_t): later versions have more fields at the end */
  uint32_t mode;    /* who may ask (write) and look (read), as for a file */
  const char* name; /* by which namctl finds the job: 1 to 127 printable characters without blanks */
} psnam_job_options_t;

#define PSNAM_JOB_OPTIONS_INIT \
  { (uint32_t)sizeof(psnam_job_options_t), 0600, NULL }

/* A handle. The fields that begin with private are the library's. */
typedef struct psnam_job {
  int32_t ranks;
  int32_t rank;
  uint64_t* private_count;
  const uint64_t* private_asked;
  void* private_data;
} psnam_job_t;

/* Phases of a handler: checkpoint, and then exactly one of the others. After a request with --term, or migrate, it is
 * restart, in the process that comes back. */
#define PSNAM_JOB_CHECKPOINT 1 /* all ranks stand at a safe point: flush, have nothing under way any more */
#define PSNAM_JOB_CONTINUE   2 /* the job goes on */
#define PSNAM_JOB_RESTART    3 /* the data are those of a version: files and connections have to be made anew */
#define PSNAM_JOB_FAILURE    4 /* what was asked failed; the job goes on */

/* Called on every rank, at the same safe point; may use MPI. 0, or anything else if it could not do its part: then the
 * request fails. */
typedef int (*psnam_job_handler_t)(int phase, void* user);

/* What a safe point tells. */
#define PSNAM_JOB_GO_ON     0
#define PSNAM_JOB_END       1 /* the program is to end now; what it needs is saved, and it closes its job */
#define PSNAM_JOB_RESTARTED 2 /* what is registered is what it was in the newest version */
#define PSNAM_JOB_FAILED    3 /* what was asked failed; go on. nam_strerror() says why */
#define PSNAM_JOB_SAVED     4 /* a version was saved; go on */

/* What psnam_job_query() fills in. */
typedef struct psnam_job_info {
  uint32_t bytes;       /* set by the caller: sizeof(psnam_job_info_t) */
  int32_t mapped;       /* whether all ranks look at the record themselves: safe points cost a few nanoseconds */
  int32_t departure;    /* PSNAM_JOB_... below */
  uint32_t requests;    /* number of the last request that the job has acted on */
  uint64_t safe_points; /* that this rank has come to */
} psnam_job_info_t;

/* Whether this rank was asked to leave its node when the job of that name before ended (namctl job migrate). */
#define PSNAM_JOB_NOT_ASKED 0
#define PSNAM_JOB_LEFT      1 /* it was, and is on another node */
#define PSNAM_JOB_STAYED    2 /* it was, and is on the same node */

/* ---- Of each process; not collective. 0 or -1 ---- */

/* Handlers are called in the order in which they were added, after the version in the opposite order. */
NAM_API int psnam_job_add_handler(psnam_job_t* job, psnam_job_handler_t handler, void* user);
NAM_API int psnam_job_query(psnam_job_t* job, psnam_job_info_t* info);
/* What the safe points since the last call of this have told that the program has not heard from them: those of
 * fences. END stays. -1 if one of them failed. */
NAM_API int psnam_job_last(psnam_job_t* job, int* what);

/* ---- Collective over the ranks that opened. 0 or -1 ---- */

/* psnam_checkpoint_restart() of the job's checkpoints; if it finds a version, the handlers hear PSNAM_JOB_RESTART. */
NAM_API int psnam_job_restart(psnam_job_t* job, uint64_t* version, int* source);
/* Ends the handle, and the job for those who ask. */
NAM_API int psnam_job_close(psnam_job_t* job);

/* ---- Private: between psnam_job.h and the library ---- */

/* Owns `team` from the beginning, whatever comes of it. */
NAM_API psnam_job_t* psnam_job_private_open(const nam_private_team_t* team, const psnam_job_options_t* options,
                                            psnam_checkpoint_t* checkpoint);
/* At a safe point where something is asked. */
NAM_API int psnam_job_private_act(psnam_job_t* job, int* what);
/* A safe point, for programs whose compiler has no atomics of its own. */
NAM_API int psnam_job_private_safe_point(psnam_job_t* job, int* what);
/* A safe point at the end of a fence; `job` is a psnam_job_t*, and may have been closed. */
NAM_API void psnam_job_private_fence(void* job);
NAM_API int psnam_job_private_refuse(const psnam_job_t* job, const char* function, const char* why);

#ifdef __cplusplus
}
#endif

#endif
