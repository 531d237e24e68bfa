/* psnam.h: names for the info keys and values of PSNAM windows, and the MPIX_ aliases of the MPI calls that make and
 * find them.
 *
 * Nothing here is needed to use PSNAM windows: they are made and used by plain MPI calls, with libpsnam.so preloaded
 * (or linked before MPI) and the info keys below as strings. The header gives the strings names that the compiler
 * checks, and the aliases names that say what the call does to a window.
 *
 * The aliases, and the get in two phases (MPIX_Iget), are inline functions over MPI calls and refer to no symbol of the
 * library, so a program that uses them compiles, links and starts without it. Run without the library, each of them
 * writes one line to stderr, raises MPI_ERR_UNSUPPORTED_OPERATION through the error handler of the communicator or
 * window it was given (through that of MPI_COMM_SELF when that handle is null or there is none) and returns it. All of
 * them need MPI to be initialised.
 *
 * C11 and C++; includes nothing but mpi.h, stddef.h and stdio.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PSNAM_H
#define PSNAM_H

#include <mpi.h>
#include <stddef.h>
#include <stdio.h>

/* ---- Version ---- */

/* Of this header. The version of the library that is loaded stands in MPI_INFO_ENV under PSNAM_INFO_VERSION. */
#define PSNAM_VERSION_MAJOR  0
#define PSNAM_VERSION_MINOR  1
#define PSNAM_VERSION_PATCH  0
#define PSNAM_VERSION_STRING "0.1.0"
/* Grows with each version: #if PSNAM_VERSION >= 100 * 100 * major + 100 * minor + patch. */
#define PSNAM_VERSION        (PSNAM_VERSION_MAJOR * 10000 + PSNAM_VERSION_MINOR * 100 + PSNAM_VERSION_PATCH)

/* Key in MPI_INFO_ENV: present if and only if the library is loaded; its value is the library's version. */
#define PSNAM_INFO_VERSION "psnam_version"

/* Key in MPI_INFO_ENV by which this header finds the functions behind MPIX_Iget in the library; not for programs. */
#define PSNAM_INFO_IGET "psnam_iget"

/* ---- Info keys of MPI_Win_allocate ---- */

/* Where a rank's region lives. Its presence makes the window a PSNAM window; the value may differ from rank to rank. */
#define PSNAM_INFO_MANIFESTATION    "psnam_manifestation"
#define PSNAM_MANIFESTATION_LIBNAM  "psnam_manifestation_libnam"  /* memory of the NAM */
#define PSNAM_MANIFESTATION_PERSHM  "psnam_manifestation_pershm"  /* persistent shared memory of the node */
#define PSNAM_MANIFESTATION_SEGMENT "psnam_manifestation_segment" /* part of an existing allocation */

/* How long the window lives; the same on all ranks: until MPI_Win_free or the end of the job (volatile, the default),
 * or until it is removed. May be changed later by MPI_Win_set_info: a persistent window that is set volatile and then
 * freed is removed. */
#define PSNAM_INFO_CONSISTENCY       "psnam_consistency"
#define PSNAM_CONSISTENCY_VOLATILE   "psnam_consistency_volatile"
#define PSNAM_CONSISTENCY_PERSISTENT "psnam_consistency_persistent"

/* Which rank's byte is where; the same on all ranks: one region, of rank 0, and nothing beside it (raw_and_flat); one
 * allocation, cut in rank order (managed_contiguous); one allocation for each rank (managed_distributed: default). */
#define PSNAM_INFO_STRUCTURE                "psnam_structure"
#define PSNAM_STRUCTURE_RAW_AND_FLAT        "psnam_structure_raw_and_flat"
#define PSNAM_STRUCTURE_MANAGED_CONTIGUOUS  "psnam_structure_managed_contiguous"
#define PSNAM_STRUCTURE_MANAGED_DISTRIBUTED "psnam_structure_managed_distributed"

/* Id (decimal) of an existing allocation to use instead of a new one, e.g. from the environment: SLURM_NAM_ALLOC_ID. */
#define PSNAM_INFO_LIBNAM_ALLOCATION_ID "psnam_libnam_allocation_id"

/* For PSNAM_MANIFESTATION_SEGMENT: the allocation or segment to cut from, an id read from another window's
 * PSNAM_INFO_ALLOCATION_ID, and where to cut (bytes, decimal; absent: the next free place). */
#define PSNAM_INFO_SEGMENT_ALLOCATION_ID "psnam_segment_allocation_id"
#define PSNAM_INFO_SEGMENT_OFFSET        "psnam_segment_offset"
/* To what the library aligns the place it finds: bytes, a power of two; absent: 64. */
#define PSNAM_INFO_SEGMENT_ALIGNMENT     "psnam_segment_alignment"
#define PSNAM_INFO_NAM_INDEX             "psnam_nam_index"

/* Name of a persistent window: 1 to 255 printable bytes, no blanks. Absent: the library makes one; MPI_Win_get_info
 * tells. */
#define PSNAM_INFO_WINDOW_NAME "psnam_window_name"

/* Who may connect: octal, by user and group as for a file. */
#define PSNAM_INFO_WINDOW_MODE    "psnam_window_mode"
#define PSNAM_WINDOW_MODE_DEFAULT "0600"

/* When the memory is taken from the store. */
#define PSNAM_INFO_RESERVE "psnam_reserve"
#define PSNAM_RESERVE_FULL "full" /* default: by MPI_Win_allocate, which fails if there is too little */
#define PSNAM_RESERVE_LAZY "lazy" /* when it is first written: for huge windows that stay mostly empty */

/* What MPI_Win_allocate gives as the base pointer. */
#define PSNAM_INFO_BASEPTR       "psnam_baseptr"
#define PSNAM_BASEPTR_NULL       "null"       /* default: NULL */
#define PSNAM_BASEPTR_LOAD_STORE "load_store" /* the rank's own region, mapped; creation fails where that cannot be */

/* Only read, by MPI_Win_get_info: the id of a raw_and_flat window's allocation (decimal). */
#define PSNAM_INFO_ALLOCATION_ID "psnam_allocation_id"

/* ---- Info keys of MPI_Comm_connect and MPI_Win_create_dynamic ---- */

/* MPI_Comm_connect: the port name is the name of a window. */
#define PSNAM_INFO_WINDOW_CONNECT "psnam_window_connect"
#define PSNAM_WINDOW_CONNECT_TRUE "true"

/* What the connecting job may do; with read_only a put is an MPI error at the origin. */
#define PSNAM_INFO_ACCESS      "psnam_access"
#define PSNAM_ACCESS_READ_ONLY "read_only"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Types of the get in two phases ---- */

/* A get that was started. Only MPIX_Iget makes one; it is good until MPIX_Iget_free. */
typedef struct psnam_private_iget_request* MPIX_Iget_request;
#define MPIX_IGET_REQUEST_NULL ((MPIX_Iget_request)0)

/* ---- Helpers of the aliases: not for use by programs ---- */

/* Whether the library is loaded in this process. */
static inline int psnam_private_loaded(void) {
  int found = 0;
  int length = 0;
#if MPI_VERSION >= 4
  char nothing[1] = "";
  if (MPI_Info_get_string(MPI_INFO_ENV, PSNAM_INFO_VERSION, &length, nothing, &found) != MPI_SUCCESS) {
    return 0;
  }
#else
  if (MPI_Info_get_valuelen(MPI_INFO_ENV, PSNAM_INFO_VERSION, &length, &found) != MPI_SUCCESS) {
    return 0;
  }
#endif
  return found;
}

/* Raises `code` on comm, tells why on stderr, and gives `code` back. */
static inline int psnam_private_raise(MPI_Comm comm, int code, const char* alias, const char* reason) {
  fprintf(stderr, "psnam: %s: %s\n", alias, reason);
  MPI_Comm_call_errhandler(comm == MPI_COMM_NULL ? MPI_COMM_SELF : comm, code);
  return code;
}

static inline const char* psnam_private_missing(void) {
  return psnam_private_loaded() ? "the psnam library that is loaded is older than this and does not have it"
                                : "this needs the psnam library, and LD_PRELOAD=libpsnam.so is missing";
}

static inline int psnam_private_raise_missing(MPI_Comm comm, const char* alias) {
  return psnam_private_raise(comm, MPI_ERR_UNSUPPORTED_OPERATION, alias, psnam_private_missing());
}

static inline int psnam_private_raise_missing_on_window(MPI_Win win, const char* alias) {
  if (win == MPI_WIN_NULL) {
    return psnam_private_raise_missing(MPI_COMM_SELF, alias);
  }
  fprintf(stderr, "psnam: %s: %s\n", alias, psnam_private_missing());
  MPI_Win_call_errhandler(win, MPI_ERR_UNSUPPORTED_OPERATION);
  return MPI_ERR_UNSUPPORTED_OPERATION;
}

/* The generated or chosen name of a persistent window; false where it has none. `name` has room for MPI_MAX_PORT_NAME
 * + 1. */
static inline int psnam_private_window_name(MPI_Win win, char* name) {
  MPI_Info info = MPI_INFO_NULL;
  int found = 0;
  if (MPI_Win_get_info(win, &info) != MPI_SUCCESS) {
    return 0;
  }
#if MPI_VERSION >= 4
  {
    int size = MPI_MAX_PORT_NAME + 1;
    if (MPI_Info_get_string(info, PSNAM_INFO_WINDOW_NAME, &size, name, &found) != MPI_SUCCESS) {
      found = 0;
    }
  }
#else
  if (MPI_Info_get(info, PSNAM_INFO_WINDOW_NAME, MPI_MAX_PORT_NAME, name, &found) != MPI_SUCCESS) {
    found = 0;
  }
#endif
  MPI_Info_free(&info);
  return found;
}

/* MPI_Comm_connect with psnam_window_connect set to true, unless `info` says something of it already. */
static inline int psnam_private_connect(const char* name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* intercomm) {
  MPI_Info connect_info = MPI_INFO_NULL;
  int code = MPI_SUCCESS;
  int length = 0;
  int found = 0;
  int rank = 0;
  code = MPI_Comm_rank(comm, &rank);
  if (code != MPI_SUCCESS) {
    return code;
  }
  if (rank != root) { /* name and info matter at the root only */
    return MPI_Comm_connect(name, MPI_INFO_NULL, root, comm, intercomm);
  }
  code = info == MPI_INFO_NULL ? MPI_Info_create(&connect_info) : MPI_Info_dup(info, &connect_info);
  if (code != MPI_SUCCESS) {
    connect_info = MPI_INFO_NULL;
    code = MPI_Comm_connect(name, info, root, comm, intercomm);
    return code;
  }
#if MPI_VERSION >= 4
  {
    char nothing[1] = "";
    MPI_Info_get_string(connect_info, PSNAM_INFO_WINDOW_CONNECT, &length, nothing, &found);
  }
#else
  MPI_Info_get_valuelen(connect_info, PSNAM_INFO_WINDOW_CONNECT, &length, &found);
#endif
  if (!found) {
    MPI_Info_set(connect_info, PSNAM_INFO_WINDOW_CONNECT, PSNAM_WINDOW_CONNECT_TRUE);
  }
  code = MPI_Comm_connect(name, connect_info, root, comm, intercomm);
  MPI_Info_free(&connect_info);
  return code;
}

/* Takes back a window that MPIX_Win_allocate_intercomm made: also a persistent one leaves neither memory nor name. */
static inline void psnam_private_unmake(MPI_Win* win) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win_set_errhandler(*win,
                         MPI_ERRORS_RETURN); /* the caller hears of the first error, not of one met while cleaning up */
  if (MPI_Info_create(&info) == MPI_SUCCESS) {
    MPI_Info_set(info, PSNAM_INFO_CONSISTENCY, PSNAM_CONSISTENCY_VOLATILE);
    MPI_Win_set_info(*win, info);
    MPI_Info_free(&info);
  }
  MPI_Win_free(win);
  *win = MPI_WIN_NULL;
}

/* Whether all ranks want the handle: 1 all, 0 none, -1 they differ; or whether all of them have what they need. */
static inline int psnam_private_agree(MPI_Comm comm, int yes, int* answer) {
  int mine[2];
  int all[2];
  int code;
  mine[0] = yes ? 1 : 0;
  mine[1] = yes ? 0 : 1;
  code = MPI_Allreduce(mine, all, 2, MPI_INT, MPI_MAX, comm);
  *answer = (code == MPI_SUCCESS && !(all[0] && all[1])) ? all[0] : -1;
  return code;
}

/* Gives the handle of the window just made, on all ranks or on none; the error, if any, is not raised yet. */
static inline int psnam_private_handle_of(MPI_Win win, MPI_Comm comm, MPI_Comm* intercomm, const char** reason) {
  char name[MPI_MAX_PORT_NAME + 1] = "";
  int answer = 0;
  int connected = MPI_SUCCESS;
  int code = psnam_private_agree(comm, psnam_private_window_name(win, name), &answer);
  if (code != MPI_SUCCESS) {
    *reason = "the ranks could not agree on the window's name";
    return code;
  }
  if (answer != 1) {
    *reason = "an intercommunicator can be had for a persistent PSNAM window only: set " PSNAM_INFO_MANIFESTATION
              " and " PSNAM_INFO_CONSISTENCY "=" PSNAM_CONSISTENCY_PERSISTENT ", or pass NULL for it";
    return MPI_ERR_INFO_VALUE;
  }
  *intercomm = MPI_COMM_NULL;
  connected = psnam_private_connect(name, MPI_INFO_NULL, 0, comm, intercomm);
  code = psnam_private_agree(comm, connected == MPI_SUCCESS, &answer);
  if (code == MPI_SUCCESS && answer == 1) {
    return MPI_SUCCESS;
  }
  *reason = "the window was made, but not connected to, and is taken back";
  if (*intercomm != MPI_COMM_NULL) {
    MPI_Comm_free(intercomm);
    *intercomm = MPI_COMM_NULL;
  }
  return connected != MPI_SUCCESS ? connected : (code != MPI_SUCCESS ? code : MPI_ERR_OTHER);
}

/* The second half of MPIX_Win_allocate_intercomm. Errors are kept from the user's handler until the window is taken
 * back, so that a handler that ends the job leaves no window behind. */
static inline int psnam_private_add_handle(MPI_Comm comm, MPI_Comm* intercomm, MPI_Win* win, const char* alias) {
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  const char* reason = "";
  int wanted = 0;
  int code = MPI_Comm_get_errhandler(comm, &handler);
  if (code != MPI_SUCCESS) {
    return code;
  }
  MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
  code = psnam_private_agree(comm, intercomm != NULL, &wanted);
  if (code == MPI_SUCCESS && wanted == -1) {
    reason = "intercomm is NULL on some ranks and not on others";
    code = MPI_ERR_ARG;
  } else if (code == MPI_SUCCESS && wanted == 1) {
    code = psnam_private_handle_of(*win, comm, intercomm, &reason);
  }
  if (code != MPI_SUCCESS) {
    psnam_private_unmake(win);
  }
  MPI_Comm_set_errhandler(comm, handler);
  MPI_Errhandler_free(&handler);
  return code == MPI_SUCCESS ? code : psnam_private_raise(comm, code, alias, reason);
}

/* The functions behind MPIX_Iget. Later versions of the library may have more of them, at the end. */
struct psnam_private_iget_functions {
  size_t bytes; /* of this structure in the library */
  int (*start)(MPI_Aint, MPI_Count, MPI_Datatype, int, MPI_Win, MPIX_Iget_request*);
  int (*wait)(MPIX_Iget_request);
  int (*test)(MPIX_Iget_request, int*);
  int (*data)(MPIX_Iget_request, const void**, MPI_Count*);
  int (*free)(MPIX_Iget_request*);
};

/* Asks MPI_INFO_ENV where they are; NULL without the library. The linker is not asked: a weak symbol stays unbound in a
 * program that is not position independent, whatever is preloaded. */
static inline const struct psnam_private_iget_functions* psnam_private_ask_for_iget(void) {
  char text[32] = "";
  void* address = NULL;
  int found = 0;
#if MPI_VERSION >= 4
  int size = (int)sizeof text;
  if (MPI_Info_get_string(MPI_INFO_ENV, PSNAM_INFO_IGET, &size, text, &found) != MPI_SUCCESS) {
    return NULL;
  }
#else
  if (MPI_Info_get(MPI_INFO_ENV, PSNAM_INFO_IGET, (int)sizeof text - 1, text, &found) != MPI_SUCCESS) {
    return NULL;
  }
#endif
  if (!found || sscanf(text, "%p", &address) != 1) {
    return NULL;
  }
  return (const struct psnam_private_iget_functions*)address;
}

/* The same, asked once where the compiler can keep the answer for all threads. */
static inline const struct psnam_private_iget_functions* psnam_private_iget(void) {
#if defined(__GNUC__)
  static const struct psnam_private_iget_functions* known = NULL;
  const struct psnam_private_iget_functions* functions = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (functions == NULL) {
    functions = psnam_private_ask_for_iget();
    __atomic_store_n(&known, functions, __ATOMIC_RELAXED);
  }
  return functions;
#else
  return psnam_private_ask_for_iget();
#endif
}

static inline int psnam_private_start_iget(MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_type,
                                           int target_rank, MPI_Win win, MPIX_Iget_request* request,
                                           const char* alias) {
  const struct psnam_private_iget_functions* functions = psnam_private_iget();
  if (functions == NULL) {
    *request = MPIX_IGET_REQUEST_NULL;
    return psnam_private_raise_missing_on_window(win, alias);
  }
  return functions->start(target_disp, target_count, target_type, target_rank, win, request);
}

/* ---- The aliases ---- */

/* MPI_Win_allocate, and the handle by which the window would be found again.
 *
 * Collective over comm.
 *   size       bytes of this rank's region; > 0 on rank 0 only for raw_and_flat, on any rank for the managed structures
 *   disp_unit  bytes by which displacements into this rank's region count, >= 1
 *   info       the keys above; PSNAM_INFO_MANIFESTATION makes it a PSNAM window
 *   intercomm  NULL on all ranks, or on all ranks the place for the intercommunicator that MPI_Comm_connect would give
 *              (persistent windows only); the caller ends it with MPI_Comm_free or MPI_Comm_disconnect
 *   win        the window; its base pointer, where PSNAM_BASEPTR_LOAD_STORE is set, is the attribute MPI_WIN_BASE
 *
 * Errors, the same on all ranks, raised on comm: those of MPI_Win_allocate; MPI_ERR_ARG if intercomm is NULL on some
 * ranks only; MPI_ERR_INFO_VALUE if intercomm is wanted of a window that is not persistent; those of MPI_Comm_connect.
 * After an error there is no window: *win is MPI_WIN_NULL, and no memory or name is left in the store. */
static inline int MPIX_Win_allocate_intercomm(MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm,
                                              MPI_Comm* intercomm, MPI_Win* win) {
  void* base = NULL;
  int code;
  *win = MPI_WIN_NULL;
  if (!psnam_private_loaded()) {
    return psnam_private_raise_missing(comm, "MPIX_Win_allocate_intercomm");
  }
  code = MPI_Win_allocate(size, disp_unit, info, comm, &base, win);
  if (code != MPI_SUCCESS) {
    *win = MPI_WIN_NULL;
    return code;
  }
  return psnam_private_add_handle(comm, intercomm, win, "MPIX_Win_allocate_intercomm");
}

/* MPI_Comm_connect to a window by its name.
 *
 * Collective over comm; name and info matter at root only.
 *   name       of a persistent window (from MPI_Win_get_info, MPI_Lookup_name, or chosen with PSNAM_INFO_WINDOW_NAME)
 *   info       may be MPI_INFO_NULL: PSNAM_INFO_WINDOW_CONNECT is added if it is absent
 *   intercomm  a handle for the window only; MPI_Comm_remote_size gives the number of ranks that made the window
 *
 * Errors, raised on comm: MPI_ERR_PORT if there is no such window, MPI_ERR_ACCESS if this user may not connect. */
static inline int MPIX_Win_connect_intercomm(const char* name, MPI_Info info, int root, MPI_Comm comm,
                                             MPI_Comm* intercomm) {
  if (!psnam_private_loaded()) {
    return psnam_private_raise_missing(comm, "MPIX_Win_connect_intercomm");
  }
  return psnam_private_connect(name, info, root, comm, intercomm);
}

/* MPI_Win_create_dynamic: the window behind a handle.
 *
 * Collective over the ranks that connected.
 *   info       may be MPI_INFO_NULL; PSNAM_INFO_ACCESS may forbid puts
 *   intercomm  from one of the two functions above; it may be freed afterwards, the window stays usable
 *   win        targets are the ranks of the job that made the window: 0 to MPI_Comm_remote_size - 1
 *
 * Errors are raised on intercomm. */
static inline int MPIX_Win_create_intercomm(MPI_Info info, MPI_Comm intercomm, MPI_Win* win) {
  *win = MPI_WIN_NULL;
  if (!psnam_private_loaded()) {
    return psnam_private_raise_missing(intercomm, "MPIX_Win_create_intercomm");
  }
  return MPI_Win_create_dynamic(info, intercomm, win);
}

/* MPI_Win_shared_query without the pointer: what one rank contributed. Local; on the creating and the connecting side.
 *
 *   rank       of the job that made the window, 0 to the number of its ranks - 1
 *   size       bytes of that rank's region
 *   disp_unit  bytes by which displacements into it count
 *
 * Errors are raised on win: MPI_ERR_RANK for a rank outside the window. */
static inline int MPIX_Win_intercomm_query(MPI_Win win, int rank, MPI_Aint* size, int* disp_unit) {
  void* base = NULL;
  if (!psnam_private_loaded()) {
    return psnam_private_raise_missing_on_window(win, "MPIX_Win_intercomm_query");
  }
  return MPI_Win_shared_query(win, rank, size, disp_unit, &base);
}

#if MPI_VERSION >= 4

/* As MPIX_Win_allocate_intercomm, for displacement units beyond an int. */
static inline int MPIX_Win_allocate_intercomm_c(MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm,
                                                MPI_Comm* intercomm, MPI_Win* win) {
  void* base = NULL;
  int code;
  *win = MPI_WIN_NULL;
  if (!psnam_private_loaded()) {
    return psnam_private_raise_missing(comm, "MPIX_Win_allocate_intercomm_c");
  }
  code = MPI_Win_allocate_c(size, disp_unit, info, comm, &base, win);
  if (code != MPI_SUCCESS) {
    *win = MPI_WIN_NULL;
    return code;
  }
  return psnam_private_add_handle(comm, intercomm, win, "MPIX_Win_allocate_intercomm_c");
}

/* As MPIX_Win_intercomm_query, for displacement units beyond an int. */
static inline int MPIX_Win_intercomm_query_c(MPI_Win win, int rank, MPI_Aint* size, MPI_Aint* disp_unit) {
  void* base = NULL;
  if (!psnam_private_loaded()) {
    return psnam_private_raise_missing_on_window(win, "MPIX_Win_intercomm_query_c");
  }
  return MPI_Win_shared_query_c(win, rank, size, disp_unit, &base);
}

#endif /* MPI_VERSION >= 4 */

/* ---- A get in two phases, without a buffer of the program's ---- */

/* Starts a get. Local. On any window, also one that is no PSNAM window, in an epoch that allows MPI_Get.
 *
 *   target_disp, target_count, target_type, target_rank, win   as for MPI_Get
 *   request    the get; MPIX_IGET_REQUEST_NULL after an error
 *
 * Errors are raised on win: those of MPI_Get. */
static inline int MPIX_Iget(MPI_Aint target_disp, int target_count, MPI_Datatype target_type, int target_rank,
                            MPI_Win win, MPIX_Iget_request* request) {
  return psnam_private_start_iget(target_disp, target_count, target_type, target_rank, win, request, "MPIX_Iget");
}

/* As MPIX_Iget, for counts beyond an int. */
static inline int MPIX_Iget_c(MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_type, int target_rank,
                              MPI_Win win, MPIX_Iget_request* request) {
  return psnam_private_start_iget(target_disp, target_count, target_type, target_rank, win, request, "MPIX_Iget_c");
}

/* Waits until the data is there. May be called again.
 *
 * Errors of this and the functions below are raised on the window of the request, or on MPI_COMM_SELF where there is
 * none: MPI_ERR_REQUEST for a request that is null, was freed, or was never one. */
static inline int MPIX_Iget_wait(MPIX_Iget_request request) {
  const struct psnam_private_iget_functions* functions = psnam_private_iget();
  return functions == NULL ? psnam_private_raise_missing(MPI_COMM_SELF, "MPIX_Iget_wait") : functions->wait(request);
}

/* Whether the data is there: flag is 1 or 0. */
static inline int MPIX_Iget_test(MPIX_Iget_request request, int* flag) {
  const struct psnam_private_iget_functions* functions = psnam_private_iget();
  return functions == NULL ? psnam_private_raise_missing(MPI_COMM_SELF, "MPIX_Iget_test")
                           : functions->test(request, flag);
}

/* The data, once MPIX_Iget_wait or MPIX_Iget_test has told that it is there; MPI_ERR_REQUEST before.
 *
 *   pointer    to the data: the elements' bytes in the order of the type map, without gaps. Only to be read, and only
 *              until MPIX_Iget_free. NULL for no bytes. May be NULL if it is not wanted
 *   bytes      their number: the size of the type times the count. May be NULL if it is not wanted
 *
 * Where the target's region is mapped in this process and the data lies there in one piece, the pointer leads into the
 * region itself: nothing was copied, and what is put there later is seen through it, in the epoch that MPI gives it to
 * loads. Else the data is a copy of what the get found. A program that needs the value of the moment copies it. */
static inline int MPIX_Iget_data(MPIX_Iget_request request, const void** pointer, MPI_Count* bytes) {
  const struct psnam_private_iget_functions* functions = psnam_private_iget();
  return functions == NULL ? psnam_private_raise_missing(MPI_COMM_SELF, "MPIX_Iget_data")
                           : functions->data(request, pointer, bytes);
}

/* Gives the data back and sets *request to MPIX_IGET_REQUEST_NULL. A get that is still under way is waited for.
 *
 * All requests on a PSNAM window are to be freed before it: MPI_Win_free is MPI_ERR_REQUEST on all its ranks else. */
static inline int MPIX_Iget_free(MPIX_Iget_request* request) {
  const struct psnam_private_iget_functions* functions = psnam_private_iget();
  return functions == NULL ? psnam_private_raise_missing(MPI_COMM_SELF, "MPIX_Iget_free") : functions->free(request);
}

#ifdef __cplusplus
}
#endif

#endif /* PSNAM_H */
