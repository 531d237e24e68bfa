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

#endif
