/* psnam_checkpoint_team.h: the part of psnam_checkpoint.h that needs no mpi.h. Programs include psnam_checkpoint.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PSNAM_CHECKPOINT_TEAM_H
#define PSNAM_CHECKPOINT_TEAM_H

#include "nam_team.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How checkpoints are to be kept; the same on all ranks. Begin with PSNAM_CHECKPOINT_OPTIONS_INIT. */
typedef struct psnam_checkpoint_options {
  uint32_t bytes;      /* sizeof(psnam_checkpoint_options_t): later versions have more fields at the end */
  uint32_t flags;      /* PSNAM_CHECKPOINT_OR_OLDER or 0 */
  const char* name;    /* of the series, by which a later job finds it: 1 to 127 printable characters without blanks */
  int32_t parities;    /* ranks of a set that may be lost at once; at least 1. Not looked at without parity */
  int32_t set_size;    /* most ranks that share their parity; 0: as many as can be */
  const char* to_file; /* a folder that all ranks reach, where each version is written to files too, behind the
                        * program's back; they are read where memory has nothing any more. NULL: none */
  uint32_t policy;     /* PSNAM_CHECKPOINT_BY_PARITY, PSNAM_CHECKPOINT_BY_PARTNER or both; 0: by parity */
  uint32_t versions;   /* that are kept, with the one that is being saved: 2 to 8; 0: 2 */
} psnam_checkpoint_options_t;

#define PSNAM_CHECKPOINT_OPTIONS_INIT                                                              \
  {                                                                                                \
    (uint32_t)sizeof(psnam_checkpoint_options_t), 0, NULL, 1, 0, NULL, PSNAM_CHECKPOINT_BY_PARITY, \
        PSNAM_CHECKPOINT_VERSIONS                                                                  \
  }

#define PSNAM_CHECKPOINT_VERSIONS     2u /* without a choice */
#define PSNAM_CHECKPOINT_MAX_VERSIONS 8u

/* What lost copies are made again from. */
#define PSNAM_CHECKPOINT_BY_PARITY  1u /* the others' copies, and parity on the NAM */
#define PSNAM_CHECKPOINT_BY_PARTNER 2u /* a second copy, in the memory of another node; without parity no NAM */

/* psnam_checkpoint_restart() of the newest version goes back to an older one by itself where too much is lost. */
#define PSNAM_CHECKPOINT_OR_OLDER 1u

/* A handle. */
typedef struct psnam_checkpoint {
  int32_t ranks;
  int32_t rank;
  void* private_data; /* the library's */
} psnam_checkpoint_t;

/* Where a rank's data came from. */
#define PSNAM_CHECKPOINT_NOTHING  0 /* there is no version: a first start */
#define PSNAM_CHECKPOINT_OWN      1 /* the rank's copy */
#define PSNAM_CHECKPOINT_REPAIRED 2 /* the rank's copy, with damaged blocks made again */
#define PSNAM_CHECKPOINT_FILE     4 /* a file, and there was no copy */
#define PSNAM_CHECKPOINT_REBUILT  3 /* there was no copy: the data of the others, and the parity */
#define PSNAM_CHECKPOINT_PARTNER  5 /* there was no good copy: that of its partner */
#define PSNAM_CHECKPOINT_PARTS    6 /* what ranks of another number, or with other parts of the arrays, have saved */

/* What psnam_checkpoint_query() fills in. */
typedef struct psnam_checkpoint_info {
  uint32_t bytes;          /* set by the caller: sizeof(psnam_checkpoint_info_t) */
  int32_t sets;            /* number of sets */
  int32_t set;             /* that of this rank */
  int32_t members;         /* ranks of that set */
  int32_t member;          /* this rank's number there */
  int32_t parities;        /* of each set */
  int32_t lost;            /* ranks, of all, without a copy of the newest version */
  int32_t source;          /* of the last restart on this rank: PSNAM_CHECKPOINT_... */
  uint64_t restored;       /* its version; 0: none */
  uint64_t newest;         /* newest complete version; 0: none */
  uint64_t older;          /* the complete version before it; 0: none */
  uint64_t payload_bytes;  /* of this rank, as registered now */
  uint64_t parity_bytes;   /* memory that the set's parity takes on the NAM */
  uint64_t bytes_to_flush; /* of all ranks: of the files of the version that goes to files now, or went there last */
  uint64_t bytes_flushed;  /* of them, those that are written */
} psnam_checkpoint_info_t;

/* ---- Of each process; not collective. 0 or -1 ---- */

/* `bytes` at `address` are saved and restored under the number `id`, which each rank chooses for itself and a later job
 * registers again. EBUSY for one that is registered, and while a version is being saved. */
NAM_API int psnam_checkpoint_register(psnam_checkpoint_t* checkpoint, uint64_t id, void* address, size_t bytes);
/* The same for data that a job of another number of ranks, or with another division, is to go on with: a block of an
 * array of `dimensions` (1 to 8) that all ranks have together. `address` has the block alone, without gaps, its last
 * dimension the fastest, as MPI_Type_create_subarray takes it with MPI_ORDER_C: sizes[] of the array, subsizes[] of the
 * block, which begins at starts[]. At a restart each rank registers the blocks that it wants to have. A rank may have
 * nothing of an array. Blocks may overlap, if what is in both is the same. */
NAM_API int psnam_checkpoint_register_part(psnam_checkpoint_t* checkpoint, uint64_t id, void* address,
                                           size_t element_bytes, int dimensions, const uint64_t* sizes,
                                           const uint64_t* subsizes, const uint64_t* starts);
/* Likewise, for what is the same on all ranks, as the number of a step is. */
NAM_API int psnam_checkpoint_register_shared(psnam_checkpoint_t* checkpoint, uint64_t id, void* address, size_t bytes);

/* An object whose bytes are not where it is, or not as many each time. Both functions return 0, or not 0 if they
 * failed; they are called by the thread that saves or restarts. */
typedef struct psnam_checkpoint_object {
  void* object;
  /* The bytes that are to be saved. They stay until the next call, or until the object is unregistered. */
  int (*pack)(void* object, const void** data, size_t* bytes);
  /* Makes the object what it was when it gave these bytes. */
  int (*unpack)(void* object, const void* data, size_t bytes);
} psnam_checkpoint_object_t;
/* `object` is copied. `shared`: not 0 if it is the same on all ranks; else it is of this rank alone. */
NAM_API int psnam_checkpoint_register_object(psnam_checkpoint_t* checkpoint, uint64_t id,
                                             const psnam_checkpoint_object_t* object, int shared);
NAM_API int psnam_checkpoint_unregister(psnam_checkpoint_t* checkpoint, uint64_t id);
/* Whether psnam_checkpoint_wait() would not wait for the part of this process: 1, 0, or -1. */
NAM_API int psnam_checkpoint_test(psnam_checkpoint_t* checkpoint);

/* ---- Collective over the ranks that opened. 0 or -1, the same on all ---- */

/* Saves what is registered as version `version`, which grows; 0: the next number. Returns when the version is complete
 * on all ranks. When it fails, or whoever dies, the versions before are as they were. */
NAM_API int psnam_checkpoint_save(psnam_checkpoint_t* checkpoint, uint64_t version);
/* The same in two parts: between them the program goes on without touching what is registered, and may use MPI as it
 * likes; the library makes no call of MPI meanwhile. */
NAM_API int psnam_checkpoint_start(psnam_checkpoint_t* checkpoint, uint64_t version);
/* `version`: the number that was saved; may be NULL. */
NAM_API int psnam_checkpoint_wait(psnam_checkpoint_t* checkpoint, uint64_t* version);

/* What is registered becomes what it was in `*version`, 0: the newest complete one. `*version` and `*source` (may be
 * NULL) say what it got; without any version that succeeds, with 0 and PSNAM_CHECKPOINT_NOTHING. Copies that are lost
 * or damaged are made again. EPIPE: more ranks have lost their copies than parities can make again; the message names
 * them, and the older version that can be asked for. EIO: it is damaged beyond repair. EINVAL: the regions are not
 * those, or not of the sizes, that were saved. ENOENT: no such version. After a failure no region was touched, unless
 * an object's function failed. What was saved by another number of ranks is put together again if all of it is parts
 * and shared; EINVAL names what is not. It stays as it is until the first version of this number is complete, which
 * then takes its place. */
NAM_API int psnam_checkpoint_restart(psnam_checkpoint_t* checkpoint, uint64_t* version, int* source);

/* Returns when the last version is in files on all ranks, where it is to be; an error if it could not be written. */
NAM_API int psnam_checkpoint_flush(psnam_checkpoint_t* checkpoint);
NAM_API int psnam_checkpoint_query(psnam_checkpoint_t* checkpoint, psnam_checkpoint_info_t* info);
/* The complete versions, newest first, into versions[0 .. room - 1]. Returns how many there are, which may be more than
 * `room`, or -1. */
NAM_API int psnam_checkpoint_versions(psnam_checkpoint_t* checkpoint, uint64_t* versions, int room);
/* Ends the handle; what was saved stays. EBUSY while a version is being saved. */
NAM_API int psnam_checkpoint_close(psnam_checkpoint_t* checkpoint);
/* Ends the handle and removes the series, with all versions. */
NAM_API int psnam_checkpoint_remove(psnam_checkpoint_t* checkpoint);

/* ---- Private: between psnam_checkpoint.h and the library ---- */

/* Owns `team` from the beginning, whatever comes of it. */
NAM_API psnam_checkpoint_t* psnam_checkpoint_private_open(const nam_private_team_t* team,
                                                          const psnam_checkpoint_options_t* options);

#ifdef __cplusplus
}
#endif

#endif
