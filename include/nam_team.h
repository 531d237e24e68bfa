/* nam_team.h: what stands between the inline functions of nam_ext.h and libnam.so. Not for programs: they include
 * nam_ext.h.
 *
 * libnam.so knows no MPI. Each collective function of nam_ext.h is compiled by the user's compiler against the user's
 * MPI, whatever its ABI, and hands the library the few collectives that it needs as a table of functions. Only records
 * and verdicts go through them; the payload goes through the NAM.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef NAM_TEAM_H
#define NAM_TEAM_H

#include "nam.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The processes of a communicator. Every function returns 0, or not 0 if the MPI library failed. */
typedef struct nam_private_team {
  uint32_t bytes;      /* sizeof(struct nam_private_team) */
  int32_t rank;        /* of this process */
  int32_t size;        /* number of processes */
  int32_t global_rank; /* in MPI_COMM_WORLD */
  void* communicator;  /* passed to the functions */
  int (*broadcast)(void* communicator, void* data, int bytes, int root);
  /* `bytes` of each process, in rank order, on all of them. */
  int (*gather)(void* communicator, const void* mine, void* all, int bytes);
  /* The least of all values, on all of them. */
  int (*minimum)(void* communicator, int64_t mine, int64_t* least);
  /* Frees the communicator. */
  void (*release)(void* communicator);
} nam_private_team_t;

/* An allocation that the processes of a communicator made together. */
typedef struct nam_ext_allocation {
  nam_allocation_t* allocation; /* this process's handle of it, for nam_put_sync and the like */
  uint64_t max_bytes;           /* largest part that each process can have in it */
  int32_t ranks;                /* processes that made it */
  int32_t rank;                 /* of this process among those that use it now */
  void* private_data;           /* the library's */
} nam_ext_allocation_t;

/* What is known of a saved set. */
typedef struct nam_ext_record {
  int32_t nam_index;
  int32_t ranks; /* processes that made it */
  uint64_t challenge;
  uint64_t address;
  size_t size;
  uint64_t max_bytes;
} nam_ext_record_t;

/* nam_private_make(): what is asked for. */
#define NAM_PRIVATE_PERSISTENT 1
#define NAM_PRIVATE_CONNECT    2 /* the set whose challenge is `value`; else a new one of `value` bytes */

/* They own `team` from the beginning, whatever comes of it. */
NAM_API nam_ext_allocation_t* nam_private_make(const nam_private_team_t* team, const char* function, uint64_t value,
                                               uint64_t factor, int root, int what);
NAM_API int nam_private_sync(const nam_private_team_t* team, nam_allocation_t* allocation, int root);
NAM_API int nam_private_refuse(const char* function, const char* why);
NAM_API int nam_private_missing(const char* function);

#ifdef __cplusplus
}
#endif

#endif
