/* nam_team.h: the part of nam_ext.h that needs no mpi.h: sets, collectives on sets, saved records, and what stands
 * between the inline functions of nam_ext.h and libnam.so. Programs include nam_ext.h.
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

/* ---- Sets ---- */

/* Once, before the others; loads the saved records. The first use of any function does it too. 0 or -1. */
NAM_API int nam_init_extended(void);
/* Ends the set everywhere, and releases the allocation; the record goes. 0 or -1. */
NAM_API int nam_free_all(nam_ext_allocation_t* ext);

/* Largest part for each process, in bytes; 0 and errno for a handle that is none. Of a set of checkpoints: the largest
 * data of a process for which the NAM has room now. Not collective. */
NAM_API uint64_t nam_get_max_bytes(const nam_ext_allocation_t* ext);

/* ---- Collectives through the memory of the NAM, from `offset` on (the same everywhere). 0 or -1. ---- */

/* Every process's `sendbytes` (each its own number), in rank order, to `recvbuf` of the root, which has room for
 * `recvbytes` in all. recvbuf and recvbytes matter at the root. */
NAM_API int nam_gather(size_t offset, const void* sendbuf, size_t sendbytes, void* recvbuf, size_t recvbytes, int root,
                       nam_ext_allocation_t* ext);
/* To every process its `recvbytes` (each its own number), in rank order, from the `sendbytes` of the root's `sendbuf`,
 * which matter at the root. */
NAM_API int nam_scatter(size_t offset, const void* sendbuf, size_t sendbytes, void* recvbuf, size_t recvbytes, int root,
                        nam_ext_allocation_t* ext);
/* Root's `bytes` (the same number everywhere) to all. */
NAM_API int nam_bcast(size_t offset, void* buf, size_t bytes, int root, nam_ext_allocation_t* ext);

/* ---- Checkpoints; nam_alloc_cprs, nam_reuse_cprs and the asynchronous forms are in nam_ext.h ----
 *
 * The NAM keeps parity, not data: of what every process has in its buffer, as many bytes as the longest has, for each
 * parity and for each of two versions. Where a node is lost its processes are started again, elsewhere, and their data
 * are computed from those of the others and the parity. */

/* The parity of all processes' `bytes` (each its own number, 0 too) becomes the newest version; the one before stays
 * until the next. Returns when it is committed. When it fails, on whatever process, the version before is untouched.
 * 0 or -1. Collective. */
NAM_API int nam_checkpoint_sync(const void* buf, size_t bytes, nam_ext_allocation_t* ext);
/* Back to the newest version: a process whose `data_avail` is 0 gets its `bytes` (as many as it had) computed, the
 * others have theirs in `buf`, which are checked: damaged parts count as lost there and are repaired. With nobody
 * missing it succeeds at once and looks at nothing. 0 or -1: too many are lost (EPIPE) or damaged (EIO), there is no
 * version (ENOENT). Collective. */
NAM_API int nam_restart_sync(void* buf, size_t bytes, int data_avail, nam_ext_allocation_t* ext);

/* ---- Saved records of persistent sets. Not collective. ---- */

/* Reads the records of this user, from the catalog of the NAM and from $HOME/.libNAM. Their number, or -1. */
NAM_API int nam_load_ext_allocations(void);
/* Record `index` of those that were read last. 0 or -1. */
NAM_API int nam_get_ext_record(int index, nam_ext_record_t* record);
/* Releases every persistent set of this user, and removes its record. Their number, or -1 if one could not be. */
NAM_API int nam_delete_all_ext_allocations(void);

/* ---- Private: between nam_ext.h and the library ---- */

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
  /* To each process `send_bytes[rank]` bytes of `send`, in rank order one after the other, and likewise from each. */
  int (*exchange)(void* communicator, const void* send, const int* send_bytes, void* receive, const int* receive_bytes);
} nam_private_team_t;

/* nam_private_make(): what is asked for. */
#define NAM_PRIVATE_PERSISTENT 1
#define NAM_PRIVATE_CONNECT    2 /* the set whose challenge is `value`; else a new one of `value` bytes */

/* They own `team` from the beginning, whatever comes of it. */
NAM_API nam_ext_allocation_t* nam_private_make(const nam_private_team_t* team, const char* function, uint64_t value,
                                               uint64_t factor, int root, int what);
NAM_API int nam_private_sync(const nam_private_team_t* team, nam_allocation_t* allocation, int root);
NAM_API int nam_private_refuse(const char* function, const char* why);
/* A set of checkpoints on the NAM `nam_index`; with NAM_PRIVATE_CONNECT one that there is. */
NAM_API nam_ext_allocation_t* nam_private_make_checkpoints(const nam_private_team_t* team, const char* function,
                                                           const char* name, int parities, uint64_t bytes, int root,
                                                           int nam_index, int what);
/* A new set goes; one that was there before is only let go of. Collective over its processes. */
NAM_API void nam_private_drop_checkpoints(nam_ext_allocation_t* ext, int what);
/* The indices of the NAMs that answer; their number, or -1. */
NAM_API int nam_private_nams(int32_t* indices, int room);
NAM_API int nam_private_start_checkpoint(const void* buf, size_t bytes, nam_ext_allocation_t* ext,
                                         nam_async_request_t* request);
NAM_API int nam_private_start_restart(void* buf, size_t bytes, int data_avail, nam_ext_allocation_t* ext,
                                      nam_async_request_t* request);

#ifdef __cplusplus
}
#endif

#endif
