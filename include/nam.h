/* nam.h: libNAM's interface to network attached memory, without MPI (nam_ext.h has the collective part).
 *
 * An allocation is memory that no process owns: it is written and read by functions, at byte offsets, by every process
 * that has connected to it. A volatile one goes when nobody uses it any more, a persistent one stays until it is freed.
 *
 * Conventions:
 * - Functions fail with NULL or -1, set errno, and nam_strerror() of the same thread says cause and values:
 *   EINVAL a parameter; ENOMEM no room; EDQUOT the user has had his share; ENOENT no such allocation; EACCES not the
 *   right user or challenge; ERANGE an access outside (nothing is moved); EBUSY in use; EPROTO made by an incompatible
 *   version; ENOTSUP not possible here; EHOSTUNREACH a NAM that does not answer; EIO damaged, or the system refused;
 *   ETIMEDOUT; EPIPE the partner is gone, or too many have lost their data.
 * - Handles (nam_allocation_t *) are good in the process, and at the address, where they were made or connected. A
 * null, freed, copied or inherited (fork) handle is an error, EINVAL.
 * - All functions may be called by several threads at once.
 *
 * Link with -lnam (pkg-config: nam). C11 and C++.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef NAM_H
#define NAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__GNUC__)
#define NAM_API __attribute__((visibility("default")))
#else
#define NAM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Allocations ---- */

/* nam_allocation_t::status */
#define NAM_STATUS_NONE      0 /* a record that was not connected here */
#define NAM_STATUS_CONNECTED 1
#define NAM_STATUS_FREED     2

/* A record of an allocation. It may be sent to another process byte for byte, or kept in a file; there
 * nam_connect_allocation() makes it usable. The challenge is the key: who shows it may use the allocation. */
typedef struct nam_allocation {
  int32_t status;
  union {
    int32_t persistent; /* 1: stays until it is freed */
    int32_t persistant; /* the same, in the old spelling */
  };
  int32_t nam_index;  /* which NAM */
  int32_t reserved;   /* 0 */
  uint64_t challenge; /* random */
  uint64_t address;   /* id of the allocation on its NAM */
  size_t size;        /* bytes */
  void* private_data; /* the library's; means nothing in another process */
} nam_allocation_t;

/* For nam_alloc(): what the memory is for. */
#define NM_CPRS 1 /* checkpoints; 0: anything */

/* Connects to the NAM; the first use of any function does it too. 0 or -1. */
NAM_API int nam_init(void);
/* Releases what this process uses: its volatile allocations go, unless another process uses them. All handles end. A
 * later call of any function begins anew. 0 or -1. */
NAM_API int nam_finalize(void);

/* `bytes` (more than 0) of memory, zeroed. NULL and errno on failure. The record belongs to the library. */
NAM_API nam_allocation_t* nam_malloc(size_t bytes);
NAM_API nam_allocation_t* nam_calloc(size_t count, size_t size);
NAM_API nam_allocation_t* nam_malloc_persistent(size_t bytes);
NAM_API nam_allocation_t* nam_malloc_persistant(size_t bytes);
/* The general form. `flag`: 0 or NM_CPRS. `nam_index`: which NAM, -1: the one with most left, as all of the above. */
NAM_API nam_allocation_t* nam_alloc(size_t bytes, int flag, int nam_index, int persistent);
/* Ends the handle, and releases the allocation: a persistent one for good, whoever made it; its memory goes when the
 * last process that uses it lets go. A volatile one goes with its last user. 0 or -1. */
NAM_API int nam_free(nam_allocation_t* allocation);

/* What was put, by whomever, is safe from a loss of power when it returns. ENOTSUP where memory is nothing but memory
 * (/dev/shm). 0 or -1. */
NAM_API int nam_persist(nam_allocation_t* allocation);

/* Makes a record of another process, or of an earlier one, usable here, at this address: nam_index, challenge and
 * address must be right, and size too, unless it is 0: then it is filled in. The record stays the caller's; nam_free()
 * ends its use. EACCES for a wrong challenge or user. 0 or -1. */
NAM_API int nam_connect_allocation(nam_allocation_t* allocation);

/* ---- Moving bytes ---- */

/* Bytes moved, or -1. `offset` and `bytes` may be anything inside the allocation. */
NAM_API ssize_t nam_put_sync(const void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation);
NAM_API ssize_t nam_get_sync(void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation);

/* A transfer under way. Its memory is the caller's. */
typedef struct nam_async_request {
  uint64_t state; /* the library's */
  ssize_t bytes;  /* moved, once it is complete */
  int32_t error;  /* errno of a transfer that failed, else 0 */
  int32_t unused; /* 0 */
} nam_async_request_t;
#define NAM_ASYNC_REQUEST_NULL \
  { 0, 0, 0, 0 }

/* 0 or -1 (then nothing was begun and the request is inactive). The buffer is the caller's again after the wait. */
NAM_API int nam_put_async(const void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation,
                          nam_async_request_t* request);
NAM_API int nam_get_async(void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation,
                          nam_async_request_t* request);
/* 1: complete, and the request is inactive now; 0: not yet; -1: it failed. An inactive request is complete. Where the
 * memory is on another host it waits, as nam_wait() does: nothing moves without the program's help. */
NAM_API int nam_test(nam_async_request_t* request);
/* Waits until it is complete; it is inactive then. 0 or -1. */
NAM_API int nam_wait(nam_async_request_t* request);
/* Waits for all of them, whatever becomes of each; -1 if one failed, by the first failure. */
NAM_API int nam_wait_all(int count, nam_async_request_t* requests);

/* ---- Notifications ---- */

/* An allocation keeps this many values that nobody has waited for yet. */
#define NAM_NOTIFICATIONS_MAX 1000

/* nam_put_sync(), then `value` for whoever waits at the allocation, once the data are visible. When the allocation
 * keeps NAM_NOTIFICATIONS_MAX values already and nobody takes one within 5 seconds: ETIMEDOUT (the data are there). */
NAM_API ssize_t nam_put_notify(const void* buffer, size_t offset, size_t bytes, uint64_t value,
                               nam_allocation_t* allocation);
/* The oldest value; each goes to one waiter. Waits at most `timeout_ms` (ETIMEDOUT; 0: only looks); -1: without a limit
 * of its own. A wait of -1 ends with EPIPE when it would last for ever: the other processes that used the allocation
 * during the wait are gone, or none has been there for 10 seconds. Other threads of the calling process are not looked
 * at. 0 or -1. */
NAM_API int nam_wait_notification(nam_allocation_t* allocation, uint64_t* value, int timeout_ms);

/* ---- Information ---- */

typedef struct nam_stat_data {
  int32_t nam_count;       /* NAMs that can be reached */
  int32_t nam_index;       /* the one that the rest is about */
  uint64_t capacity_bytes; /* of that NAM */
  uint64_t free_bytes;     /* of that NAM, for allocations to come */
  uint64_t address;        /* of the allocation; this and the following are 0 without one */
  uint64_t size;           /* bytes */
  int64_t created;         /* seconds since 1970 */
  int32_t persistent;      /* 1 or 0 */
  int32_t flag;            /* 0 or NM_CPRS */
  uint32_t processes;      /* that use it now, on this node, this one included */
  uint32_t notifications;  /* values that nobody has waited for yet */
} nam_stat_t;

/* For programs. `allocation` may be NULL: about the NAM alone. 0 or -1. */
NAM_API int nam_stat(nam_allocation_t* allocation, nam_stat_t* stat);
/* For people, on standard output. 0 or -1. */
NAM_API int nam_print_allocation(nam_allocation_t* allocation);
/* The last failure of this thread, in words; "no error" before the first. Valid until the thread's next failure. */
NAM_API const char* nam_strerror(void);

#ifdef __cplusplus
}
#endif

#endif
