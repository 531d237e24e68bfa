/* psnam_checkpoint.h: checkpoints that survive the loss of nodes from memory.
 *
 *   psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
 *   options.name = "my-simulation";
 *   psnam_checkpoint_t* checkpoint = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
 *   psnam_checkpoint_register(checkpoint, 1, &step, sizeof step);
 *   psnam_checkpoint_register(checkpoint, 2, field, field_bytes);
 *   psnam_checkpoint_restart(checkpoint, &version, &source);     // goes on where an earlier job was
 *   ... psnam_checkpoint_save(checkpoint, 0); ...
 *   psnam_checkpoint_close(checkpoint);
 *
 * Every version is a copy in the memory of each rank's node, which outlives the processes, and parity on the NAM, from
 * which lost copies are made again. Functions fail with NULL or -1 and set errno; nam_strerror() says cause and values.
 * They need no more than MPI_THREAD_SINGLE; the collective ones are called by one thread at a time. The library knows
 * no MPI: what is in this file is compiled with the program, against its MPI.
 *
 * Link with -lnam (pkg-config: nam). C11 and C++.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PSNAM_CHECKPOINT_H
#define PSNAM_CHECKPOINT_H

#include "nam_ext.h"
#include "psnam_checkpoint_team.h"

/* Collective over `comm`, of which a duplicate is taken. The series of that name of this user, or a new one. NULL on
 * all ranks if it fails on any. */
static inline psnam_checkpoint_t* psnam_checkpoint_open(const psnam_checkpoint_options_t* options, MPI_Comm comm) {
  nam_private_team_t team;
  if (nam_private_gather_team("psnam_checkpoint_open", comm, &team) != 0) return NULL;
  return psnam_checkpoint_private_open(&team, options);
}

/* What this rank has of a window is saved and restored under the number `id`, as psnam_checkpoint_register() does it:
 * the whole memory of the rank in a window made by MPI_Win_create, MPI_Win_allocate or MPI_Win_allocate_shared. Not
 * collective. Whoever saves or restarts has completed what accesses the window, and not begun more. EINVAL: a dynamic
 * window, or one whose memory has no address in this process, as that of a PSNAM window without
 * psnam_baseptr=load_store. */
static inline int psnam_checkpoint_register_window(psnam_checkpoint_t* checkpoint, uint64_t id, MPI_Win win) {
  void* base = NULL;
  MPI_Aint* bytes = NULL;
  int* flavor = NULL;
  int has_base = 0, has_bytes = 0, has_flavor = 0;
  if (win == MPI_WIN_NULL) return nam_private_refuse("psnam_checkpoint_register_window", "the window is MPI_WIN_NULL");
  if (MPI_Win_get_attr(win, MPI_WIN_BASE, &base, &has_base) != MPI_SUCCESS ||
      MPI_Win_get_attr(win, MPI_WIN_SIZE, &bytes, &has_bytes) != MPI_SUCCESS ||
      MPI_Win_get_attr(win, MPI_WIN_CREATE_FLAVOR, &flavor, &has_flavor) != MPI_SUCCESS || !has_bytes || !has_flavor)
    return nam_private_refuse("psnam_checkpoint_register_window", "the window does not tell what memory it has");
  if (*flavor == MPI_WIN_FLAVOR_DYNAMIC)
    return nam_private_refuse("psnam_checkpoint_register_window", "a dynamic window has no memory of its own");
  if (*bytes != 0 && (!has_base || base == NULL))
    return nam_private_refuse(
        "psnam_checkpoint_register_window",
        "the memory of the window has no address in this process (psnam_baseptr=load_store gives one)");
  return psnam_checkpoint_register(checkpoint, id, base, (size_t)*bytes);
}

#endif
