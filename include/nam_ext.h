/* nam_ext.h: the collective part of libNAM, for programs that use MPI, any MPI.
 *
 * A function with a communicator, or with a nam_ext_allocation_t, is collective over its processes: all call it, and
 * all get the same verdict, so an argument that is wrong on one of them, or differs where it must not, is an error on
 * every one. (A null communicator or handle is found by its caller alone.) They are functions of the program itself,
 * compiled against its MPI; the library behind them knows no MPI and needs no more than MPI_THREAD_SINGLE.
 *
 * The conventions of nam.h hold here too. C11 and C++.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef NAM_EXT_H
#define NAM_EXT_H

#include <mpi.h>
#include <stdlib.h>

#include "nam.h"
#include "nam_team.h"

/* ---- Over the user's MPI (private) ---- */

typedef struct nam_private_comm {
  MPI_Comm comm;
} nam_private_comm_t;

static inline int nam_private_broadcast(void* communicator, void* data, int bytes, int root) {
  return MPI_Bcast(data, bytes, MPI_BYTE, root, ((nam_private_comm_t*)communicator)->comm) != MPI_SUCCESS;
}

static inline int nam_private_gather(void* communicator, const void* mine, void* all, int bytes) {
  return MPI_Allgather((void*)(uintptr_t)mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE,
                       ((nam_private_comm_t*)communicator)->comm) != MPI_SUCCESS;
}

static inline int nam_private_minimum(void* communicator, int64_t mine, int64_t* least) {
  return MPI_Allreduce(&mine, least, 1, MPI_INT64_T, MPI_MIN, ((nam_private_comm_t*)communicator)->comm) != MPI_SUCCESS;
}

static inline int nam_private_exchange(void* communicator, const void* send, const int* send_bytes, void* receive,
                                       const int* receive_bytes) {
  const MPI_Comm comm = ((nam_private_comm_t*)communicator)->comm;
  int size = 0, rank = 0, failed = 1;
  int* places = NULL;
  if (MPI_Comm_size(comm, &size) != MPI_SUCCESS) return 1;
  places = (int*)calloc((size_t)size * 2 + 2, sizeof(int));
  if (places == NULL) return 1;
  for (rank = 0; rank < size; ++rank) {
    places[rank + 1] = places[rank] + send_bytes[rank];
    places[size + rank + 2] = places[size + rank + 1] + receive_bytes[rank];
  }
  failed = MPI_Alltoallv((void*)(uintptr_t)send, (int*)(uintptr_t)send_bytes, places, MPI_BYTE, receive,
                         (int*)(uintptr_t)receive_bytes, places + size + 1, MPI_BYTE, comm) != MPI_SUCCESS;
  free(places);
  return failed;
}

static inline void nam_private_release(void* communicator) {
  nam_private_comm_t* const own = (nam_private_comm_t*)communicator;
  int finalized = 0;
  if (MPI_Finalized(&finalized) == MPI_SUCCESS && !finalized) MPI_Comm_free(&own->comm);
  free(own);
}

/* The processes of `comm`, on a communicator of the library's own. 0 or -1. */
static inline int nam_private_gather_team(const char* function, MPI_Comm comm, nam_private_team_t* team) {
  nam_private_comm_t* own = NULL;
  int initialized = 0, finalized = 0, inter = 0;
  if (MPI_Initialized(&initialized) != MPI_SUCCESS || !initialized)
    return nam_private_refuse(function, "MPI is not initialised");
  if (MPI_Finalized(&finalized) != MPI_SUCCESS || finalized) return nam_private_refuse(function, "MPI is finalised");
  if (comm == MPI_COMM_NULL) return nam_private_refuse(function, "the communicator is MPI_COMM_NULL");
  if (MPI_Comm_test_inter(comm, &inter) != MPI_SUCCESS || inter)
    return nam_private_refuse(function, "the communicator is not an intracommunicator");
  own = (nam_private_comm_t*)malloc(sizeof(nam_private_comm_t));
  if (own == NULL) return nam_private_refuse(function, "there is no memory");
  if (MPI_Comm_dup(comm, &own->comm) != MPI_SUCCESS) {
    free(own);
    return nam_private_refuse(function, "MPI_Comm_dup failed");
  }
  MPI_Comm_set_errhandler(own->comm, MPI_ERRORS_RETURN);
  team->bytes = (uint32_t)sizeof(*team);
  team->communicator = own;
  team->broadcast = nam_private_broadcast;
  team->gather = nam_private_gather;
  team->minimum = nam_private_minimum;
  team->release = nam_private_release;
  team->exchange = nam_private_exchange;
  {
    int rank = 0, size = 0, global_rank = 0;
    MPI_Comm_rank(own->comm, &rank);
    MPI_Comm_size(own->comm, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &global_rank);
    team->rank = rank;
    team->size = size;
    team->global_rank = global_rank;
  }
  return 0;
}

static inline nam_ext_allocation_t* nam_private_make_all(const char* function, uint64_t value, uint64_t factor,
                                                         int root, int what, MPI_Comm comm) {
  nam_private_team_t team;
  if (nam_private_gather_team(function, comm, &team) != 0) return NULL;
  return nam_private_make(&team, function, value, factor, root, what);
}

/* ---- Sets; nam_init_extended, nam_free_all and nam_get_max_bytes are in nam_team.h ---- */

/* One allocation of `size` bytes, made by `root`, and connected by all: NULL on all unless every process connected.
 * `size` is the same everywhere, or 0 on others than the root. max_bytes is size / number of processes. */
static inline nam_ext_allocation_t* nam_malloc_all(size_t size, int root, MPI_Comm comm) {
  return nam_private_make_all("nam_malloc_all", size, 1, root, 0, comm);
}
static inline nam_ext_allocation_t* nam_calloc_all(size_t count, size_t size, int root, MPI_Comm comm) {
  return nam_private_make_all("nam_calloc_all", count, size, root, 0, comm);
}
/* It stays, with a record by which a later job finds it (nam_get_ext_record, nam_connect_all). */
static inline nam_ext_allocation_t* nam_malloc_all_persistent(size_t size, int root, MPI_Comm comm) {
  return nam_private_make_all("nam_malloc_all_persistent", size, 1, root, NAM_PRIVATE_PERSISTENT, comm);
}
static inline nam_ext_allocation_t* nam_malloc_all_persistant(size_t size, int root, MPI_Comm comm) {
  return nam_private_make_all("nam_malloc_all_persistant", size, 1, root, NAM_PRIVATE_PERSISTENT, comm);
}
/* The saved set of that challenge, whatever number of processes made it. `challenge` matters at the root. */
static inline nam_ext_allocation_t* nam_connect_all(uint64_t challenge, int root, MPI_Comm comm) {
  return nam_private_make_all("nam_connect_all", challenge, 1, root, NAM_PRIVATE_CONNECT, comm);
}

/* Hands root's allocation to all: elsewhere `*allocation` is overwritten and connected, and must not be in use. 0 or
 * -1. */
static inline int nam_sync_allocation(nam_allocation_t* allocation, int root, MPI_Comm comm) {
  nam_private_team_t team;
  if (nam_private_gather_team("nam_sync_allocation", comm, &team) != 0) return -1;
  return nam_private_sync(&team, allocation, root);
}

/* ---- nam_gather, nam_scatter, nam_bcast and the saved records: nam_team.h ---- */

/* ---- Checkpoints; nam_checkpoint_sync and nam_restart_sync are in nam_team.h ---- */

#define NAM_PRIVATE_MAX_NAMS 64

/* The processes are shared out to the NAMs by rank modulo their number: a parity set on each. */
static inline nam_ext_allocation_t* nam_private_make_cprs(const char* function, const char* name, int parities,
                                                          uint64_t bytes, int root, MPI_Comm comm, int what) {
  nam_private_team_t team;
  nam_ext_allocation_t* ext = NULL;
  int32_t nams[NAM_PRIVATE_MAX_NAMS + 1];
  int rank = 0, size = 0, mine = 0, all = 0;
  MPI_Comm part = MPI_COMM_NULL;
  if (nam_private_gather_team(function, comm, &team) != 0) return NULL;
  if (root < 0 || root >= team.size) {
    team.release(team.communicator);
    return nam_private_refuse(function, "the root is no rank of the communicator"), (nam_ext_allocation_t*)NULL;
  }
  rank = team.rank;
  size = team.size;
  nams[NAM_PRIVATE_MAX_NAMS] = rank == root ? nam_private_nams(nams, NAM_PRIVATE_MAX_NAMS) : 0;
  if (team.broadcast(team.communicator, nams, (int)sizeof(nams), root) != 0 || nams[NAM_PRIVATE_MAX_NAMS] < 1) {
    team.release(team.communicator);
    if (rank != root) nam_private_refuse(function, "the root reaches no NAM");
    return NULL;
  }
  if (nams[NAM_PRIVATE_MAX_NAMS] > size) nams[NAM_PRIVATE_MAX_NAMS] = size;
  team.release(team.communicator);
  if (MPI_Comm_split(comm, rank % nams[NAM_PRIVATE_MAX_NAMS], rank, &part) != MPI_SUCCESS)
    return nam_private_refuse(function, "MPI_Comm_split failed"), (nam_ext_allocation_t*)NULL;
  if (nam_private_gather_team(function, part, &team) == 0)
    ext = nam_private_make_checkpoints(&team, function, name, parities, bytes, 0,
                                       nams[rank % nams[NAM_PRIVATE_MAX_NAMS]], what);
  MPI_Comm_free(&part);
  mine = ext != NULL;
  if (MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, comm) == MPI_SUCCESS && all != 0) return ext;
  /* One set failed: what was made of the others goes, what there was stays. */
  if (ext != NULL) {
    nam_private_drop_checkpoints(ext, what);
    nam_private_refuse(function, "a set on another NAM could not be had");
  }
  return NULL;
}

/* A persistent set for the checkpoints of the processes of `comm`, of no version yet, with one parity: it survives the
 * loss of one process on each NAM. Its memory is taken when the first checkpoint tells how much there is. */
static inline nam_ext_allocation_t* nam_alloc_cprs(int root, MPI_Comm comm) {
  return nam_private_make_cprs("nam_alloc_cprs", NULL, 1, 0, root, comm, 0);
}
/* The same with a name (at most 127 bytes, NULL: none), the number of lost processes of a NAM that it is to survive,
 * and memory for `bytes` of each process from the beginning. All the same everywhere, but `bytes`. */
static inline nam_ext_allocation_t* nam_alloc_cprs_named(const char* name, int parities, size_t bytes, int root,
                                                         MPI_Comm comm) {
  return nam_private_make_cprs("nam_alloc_cprs_named", name, parities, bytes, root, comm, 0);
}
/* The newest set of this user that is of as many processes and that no job uses now. */
static inline nam_ext_allocation_t* nam_reuse_cprs(int root, MPI_Comm comm) {
  return nam_private_make_cprs("nam_reuse_cprs", NULL, 0, 0, root, comm, NAM_PRIVATE_CONNECT);
}
static inline nam_ext_allocation_t* nam_reuse_cprs_named(const char* name, int root, MPI_Comm comm) {
  return nam_private_make_cprs("nam_reuse_cprs_named", name, 0, 0, root, comm, NAM_PRIVATE_CONNECT);
}

/* As the _sync functions; only the beginning is collective, the rest happens while the program goes on, without a call
 * of MPI. The buffer is untouched by the program until nam_wait. `root` and `comm` are as the set was made with; the
 * set knows its processes, so they are not needed. */
static inline int nam_checkpoint_async(const void* buf, size_t bytes, int root, MPI_Comm comm,
                                       nam_ext_allocation_t* ext, nam_async_request_t* request) {
  (void)root, (void)comm;
  return nam_private_start_checkpoint(buf, bytes, ext, request);
}
static inline int nam_restart_async(void* buf, size_t bytes, int data_avail, int root, MPI_Comm comm,
                                    nam_ext_allocation_t* ext, nam_async_request_t* request) {
  (void)root, (void)comm;
  return nam_private_start_restart(buf, bytes, data_avail, ext, request);
}

#endif
